"""What removing half of the dense weights would do to the outputs of each linear: what LSA (ICLR 2026) looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.models import anatomy
from core.models.loading import Loaded
from core.models.placement import at_hand
from core.store.results import Array, Removal

BLOCK = 128  # input columns that lose half of their weights each


def removal(
    loaded: Loaded,
    second_moment: Sequence[dict[str, Tensor]],
    tokens: int,
    step: Callable[[int], object] = lambda _: None,
) -> Removal:
    """The error of every linear; `step` is told the layer that is done.

    Args:
        second_moment: per layer, linear -> (in, in) sum of x x^T over so many tokens.
    """
    stacks = [anatomy.prunable(layer) for layer in loaded.layers]
    found: Array = torch.full((len(stacks), max(map(len, stacks))), torch.nan, dtype=torch.float64).numpy()
    for index, (stack, moments) in enumerate(zip(stacks, second_moment, strict=True)):
        with at_hand(loaded.layers[index]):
            for column, linear in enumerate(stack):
                moment = moments[linear.name].to(linear.weight.device) / tokens
                found[index, column] = error(linear.weight.float(), moment)
        step(index)
    return Removal(error=found)


def error(weight: Tensor, moment: Tensor) -> float:
    """`mean ||X D^T||^2`, D being the weights that a greedy removal takes: half of every block of a row.

    From left to right, the weight of a block goes whose removal adds least to the error of its row. What went before,
    in this block and in those to its left, counts: w_j^2 H_jj and 2 w_j w_k H_jk for every w_k that is gone.

    Args:
        weight: (out, in).
        moment: (in, in) mean of x x^T over tokens.
    """
    gone = torch.zeros_like(weight)
    for first in range(0, weight.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        before = gone @ moment[:, block]
        gone[:, block] = _least(weight[:, block], moment[block, block], before)
    return float(((gone @ moment) * gone).sum(dtype=torch.float64 if gone.device.type != "mps" else None))


def _least(weight: Tensor, moment: Tensor, before: Tensor) -> Tensor:
    """The half of a block's weights that goes, zero elsewhere, (out, columns).

    Args:
        moment: (columns, columns).
        before: (out, columns) what the weights that are gone already feed into each column.
    """
    added = weight * (weight * moment.diagonal() + 2 * before)
    gone = torch.zeros_like(weight)
    for _ in range(weight.shape[1] // 2):
        place = added.argmin(1, keepdim=True)
        taken = weight.gather(1, place)
        gone.scatter_(1, place, taken)
        added.addcmul_(weight * taken, moment[place[:, 0]], value=2).scatter_(1, place, torch.inf)
    return gone
