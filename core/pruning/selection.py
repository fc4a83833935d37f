"""Which weights are least: exact counts, whatever the ties."""

from __future__ import annotations

import torch
from torch import Tensor

from core.pattern import Pattern


def least(score: Tensor, count: int) -> Tensor:
    """Where the `count` least scores along the last axis are, as booleans; ties may go either way, the count is exact.

    A selection is several times faster than a sort. On MPS, whose selection is limited, it is done on the CPU.
    """
    where = score.device
    if where.type == "mps":
        score = score.cpu()
    chosen = score.topk(count, dim=-1, largest=False, sorted=False).indices
    return torch.zeros_like(score, dtype=torch.bool).scatter_(-1, chosen, True).to(where)


def least_of_groups(score: Tensor, pattern: Pattern) -> Tensor:
    """As `least`: all but the `kept` greatest of every `of` consecutive scores along the last axis, (..., columns).

    Raises:
        UserError: the columns are no multiple of `of`.
    """
    pattern.check_width(score.shape[-1])
    groups = score.unflatten(-1, (-1, pattern.of))
    return least(groups, pattern.of - pattern.kept).flatten(-2)
