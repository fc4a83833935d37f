"""Selection of the least scores: exact counts, ties in storage order; or N:M patterns, as sparse cores need them."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.base import UserError, brief

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # of kernels, which are loaded where no torch is

Warn = Callable[[str], object]  # receives one sentence about a trouble


class Pattern(NamedTuple):
    """In every group of `of` consecutive inputs of a row, `remaining` are not pruned.

    Reference codes of Wanda, OWL and SparseGPT name the count that is pruned first; hardware, and this program, the
    count that is kept. For 2:4 and 4:8 both mean the same.
    """

    remaining: int
    of: int

    @property
    def sparsity(self) -> float:
        return 1 - self.remaining / self.of

    @property
    def name(self) -> str:
        return f"{self.remaining}:{self.of}"

    def check_width(self, columns: int) -> None:
        """Raise UserError unless the inputs of a linear fall into whole groups."""
        if columns % self.of:
            raise UserError(f"{self.name} does not fit its {columns} inputs, which are no multiple of {self.of}")


def pattern(text: str) -> Pattern:
    """Read `2:4`.

    Raises:
        UserError: not two whole numbers, the first (kept) above 0 and below the second.
    """
    match = re.fullmatch(r"\s*(\d{1,18})\s*:\s*(\d{1,18})\s*", text)
    if not match or not 0 < int(match[1]) < int(match[2]):
        raise UserError(f"{brief(text)} is not a pattern: write N:M, N weights kept of every M, as in 2:4")
    return Pattern(int(match[1]), int(match[2]))


def least(score: Tensor, count: int) -> Tensor:
    """Mask of the `count` least scores along the last axis; of tied scores the first.

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
    """Mask of the `int(numel * sparsity)` least scores over a whole matrix; with a pattern, `least_of_groups`."""
    if pattern:
        return least_of_groups(score, pattern)
    return least(score.flatten(), int(score.numel() * sparsity)).view_as(score)


def least_by_row(score: Tensor, count: int) -> Tensor:
    """Mask of `count` least scores of a matrix, as many in each row or one more; rows with more lie evenly apart.

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
    """Select by numpy's partition, which is five times faster on the CPU than torch's selections."""
    import torch

    numbers = (score if score.element_size() > 2 else score.float()).numpy()  # numpy knows no bfloat16
    ends = np.partition(numbers, count - 1, axis=-1)[..., count - 1 : count].copy()
    largest = torch.from_numpy(ends).to(score.dtype)
    chosen = score <= largest
    return chosen if (chosen.sum(-1) == count).all() else _first_of_ties(score, largest, count)


def _first_of_ties(score: Tensor, largest: Tensor, count: int) -> Tensor:
    import torch

    below, tied = score < largest, score == largest
    return below | (tied & (tied.cumsum(-1, dtype=torch.int32) <= count - below.sum(-1, keepdim=True)))


def least_of_groups(score: Tensor, pattern: Pattern) -> Tensor:
    """Mask of all but the `kept` greatest of every `of` consecutive scores along the last axis, (..., columns).

    Raises:
        UserError: the columns are no multiple of `of`.
    """
    pattern.check_width(score.shape[-1])
    return least(score.unflatten(-1, (-1, pattern.of)), pattern.of - pattern.remaining).flatten(-2)
