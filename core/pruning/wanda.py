"""Wanda (Sun et al., arXiv 2306.11695): weights count by what flows through them."""

from __future__ import annotations

from torch import Tensor


def wanda(weight: Tensor, input_norm: Tensor, sparsity: float) -> Tensor:
    """In every output row zero the `int(in * sparsity)` weights of least `|W_ij| * ||X_j||_2`; a stable sort, as there.

    Args:
        weight: (out, in).
        input_norm: (in,) L2 norm of each input channel over the calibration tokens; a common factor cancels.
        sparsity: fraction of zeros, in [0, 1).

    Returns:
        A pruned copy, (out, in).
    """
    score = weight.abs() * input_norm
    order = score.argsort(dim=1, stable=True)
    return weight.scatter(1, order[:, : int(weight.shape[1] * sparsity)], 0)
