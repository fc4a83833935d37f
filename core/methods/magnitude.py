"""Magnitude pruning: the smallest weights of a linear go."""

from core.methods.selection import Pattern, Tensor, least_of_all


def magnitude(
    weight: Tensor, statistic: Tensor | None, sparsity: float, pattern: Pattern | None = None, *_: object
) -> Tensor:
    """Zero the `int(numel * sparsity)` weights of least absolute value, over the whole linear; of tied ones the first.

    The common reference code compares with a threshold instead, so that ties, and at sparsity 0 the smallest weight, go
    too; here the count is exact.

    Args:
        weight: (out, in).
        statistic: not used, like `_`; kernels share one signature.
        sparsity: fraction of zeros, in [0, 1).
        pattern: N kept of M in every row instead, which is its own sparsity.

    Returns:
        A pruned copy, (out, in).
    """
    return weight.masked_fill(least_of_all(weight.abs(), sparsity, pattern), 0)
