"""Magnitude pruning: the smallest weights of a linear go."""

from __future__ import annotations

from torch import Tensor


def magnitude(weight: Tensor, input_norm: Tensor, sparsity: float) -> Tensor:
    """Zero the `int(numel * sparsity)` weights of least absolute value; ties go in the order of storage.

    The common reference code compares with a threshold instead, so that ties, and at sparsity 0 the smallest weight, go
    too; here the count is exact.

    Args:
        weight: (out, in).
        input_norm: not used; kernels share one signature.
        sparsity: fraction of zeros, in [0, 1).

    Returns:
        A pruned copy, (out, in).
    """
    flat = weight.flatten()
    order = flat.abs().argsort(stable=True)
    return flat.index_fill(0, order[: int(flat.numel() * sparsity)], 0).view_as(weight)
