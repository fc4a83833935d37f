"""Wanda (Sun et al., arXiv 2306.11695): weights count by what flows through them."""

from core.methods.selection import Pattern, Tensor, least_by_row, least_of_groups


def wanda(weight: Tensor, input_norm: Tensor, sparsity: float, pattern: Pattern | None = None, *_: object) -> Tensor:
    """A copy, (out, in), with zeros in every row for the weights of least `|W_ij| * ||X_j||_2`; of tied ones the first.

    `int(numel * sparsity)` weights go in all, from no row more than one above what goes from any other. Where a row's
    share is a whole number the masks are those of the reference code, which sorts; elsewhere that rounds each row down.

    Args:
        weight: (out, in).
        input_norm: (in,) L2 norm of each input channel over the calibration tokens; a common factor cancels.
        sparsity: fraction of zeros, in [0, 1).
        pattern: N kept of M in every row instead, which is its own sparsity.
        _: not used; kernels share one signature.
    """
    score = weight.abs() * input_norm.float()
    gone = least_of_groups(score, pattern) if pattern else least_by_row(score, int(score.numel() * sparsity))
    return weight.masked_fill(gone, 0)
