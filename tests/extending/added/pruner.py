"""Weights count by the mean square of what flows through them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.methods.selection import Pattern, least

if TYPE_CHECKING:
    from torch import Tensor


def diagonal(
    weight: Tensor,
    second_moment: Tensor,
    sparsity: float,
    pattern: Pattern | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> Tensor:
    """Zero the weights of least `W_ij^2 * H_jj` in every row."""
    score = weight.square() * second_moment.diagonal()
    return weight.masked_fill(least(score, int(score.shape[1] * sparsity)), 0)
