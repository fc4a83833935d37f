"""Which weights are least: exact counts, and ties in the order of storage, as a stable sort would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.kinds.patterns import Pattern

if TYPE_CHECKING:
    from torch import Tensor


def least(score: Tensor, count: int) -> Tensor:
    """Where the `count` least scores along the last axis are, as booleans; of tied scores the first.

    A selection is many times faster than a sort, and this one gives the same on every device. On MPS, whose
    selection is limited, it is done on the CPU.
    """
    import torch

    if count == 0:
        return torch.zeros_like(score, dtype=torch.bool)
    if score.device.type == "cpu":
        return _on_cpu(score, count)
    here = score.cpu() if score.device.type == "mps" else score
    return _first_of_ties(here, here.topk(count, dim=-1, largest=False, sorted=False).values.amax(-1, True), count).to(
        score.device
    )


def least_of_all(score: Tensor, sparsity: float, pattern: Pattern | None) -> Tensor:
    """The `int(numel * sparsity)` least of a matrix, over all its rows together; with a pattern, `least_of_groups`."""
    if pattern:
        return least_of_groups(score, pattern)
    return least(score.flatten(), int(score.numel() * sparsity)).view_as(score)


def least_by_row(score: Tensor, count: int) -> Tensor:
    """The `count` least of a matrix, each row giving as many as any other or one more; rows with more lie evenly apart.

    Args:
        score: (rows, columns).
        count: in all.
    """
    import torch

    each, left = divmod(count, len(score))
    gone = least(score, each)
    if left:
        more = (torch.arange(len(score) + 1, device=score.device) * left // len(score)).diff().bool()
        gone[more] = least(score[more], each + 1)
    return gone


def _on_cpu(score: Tensor, count: int) -> Tensor:
    """By numpy's partition, which is five times faster there than torch's selections."""
    import torch

    numbers = (score if score.element_size() > 2 else score.float()).numpy()  # numpy knows no bfloat16
    largest = np.partition(numbers, count - 1, axis=-1)[..., count - 1 : count].copy()
    largest = torch.from_numpy(largest).to(score.dtype)
    chosen = score <= largest
    return chosen if (chosen.sum(-1) == count).all() else _first_of_ties(score, largest, count)


def _first_of_ties(score: Tensor, largest: Tensor, count: int) -> Tensor:
    import torch

    below, tied = score < largest, score == largest
    room = count - below.sum(-1, keepdim=True)
    return below | (tied & (tied.cumsum(-1, dtype=torch.int32) <= room))


def least_of_groups(score: Tensor, pattern: Pattern) -> Tensor:
    """As `least`: all but the `kept` greatest of every `of` consecutive scores along the last axis, (..., columns).

    Raises:
        UserError: the columns are no multiple of `of`.
    """
    pattern.check_width(score.shape[-1])
    groups = score.unflatten(-1, (-1, pattern.of))
    return least(groups, pattern.of - pattern.kept).flatten(-2)
