"""Budget moved from the units where it costs most to those where it costs least, inside a trust region.

A unit is what moves by itself: a layer, whose linears move together, or a single linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.allocation.budget import Bounds
from core.store.results import Array

ROUNDING = 1e-12  # of a sparsity: a smaller change is none


def rooms(sparsity: Array, bounds: Bounds, most: float) -> tuple[Array, Array]:
    """How far each unit may go down and up, both (units,) and at least 0.

    Of what moves together the number nearest to a bound decides. What starts outside a bound stays there or comes back.

    Args:
        sparsity: (units, numbers) those that move together.
        most: the largest step.
    """
    below, above = sparsity.min(1) - bounds.low, bounds.high - sparsity.max(1)
    return np.clip(below, 0, most), np.clip(above, 0, most)


def slopes(less: Array, planned: float, more: Array, below: Array, above: Array) -> tuple[Array, Array]:
    """Slopes of the loss below and above every unit's sparsity, both (units,), nats/token; they never fall going up.

    Where measured losses fall on the way up, the slope across both steps stands for both. A loss that is not finite
    forbids its step.

    Args:
        less, more: (units,) loss with one of them `below` less and `above` more sparse.
        planned: loss with none changed.
        below, above: (units,) the steps that were measured; 0 where there was none, whose slope means nothing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        down, up = (planned - less) / below, (more - planned) / above
        down = np.where((below > 0) & np.isfinite(less), down, -np.inf)
        up = np.where((above > 0) & np.isfinite(more), up, np.inf)
        across = (more - less) / (below + above)
    bent = up < down
    return np.where(bent, across, down), np.where(bent, across, up)


def exchange(down: Array, up: Array, parameters: Array, below: Array, above: Array) -> Array:
    """The change of sparsity per unit, (units,), that lowers the loss most by these slopes and keeps the budget.

    Every unit offers two pieces of sparsity: `below` its own at the slope `down`, `above` it at the slope `up`, which
    is no smaller. Starting with every unit as low as it may be, the cheapest pieces per weight are bought until the
    budget is spent again: exact for slopes that hold throughout. Of equal prices what is already spent comes first, so
    nothing moves without a gain.

    Args:
        parameters: (units,) prunable weights.
        below, above: (units,) room to move, at least 0.
    """
    price = np.concatenate([down, up]) / np.tile(parameters, 2)
    weights = np.concatenate([below, above]) * np.tile(parameters, 2)
    order = np.argsort(price, kind="stable")  # pieces below come first where prices are equal
    before = np.cumsum(weights[order]) - weights[order]
    bought = np.empty_like(weights)
    bought[order] = np.clip((below * parameters).sum() - before, 0, weights[order])
    lower, upper = bought.reshape(2, -1) / parameters
    change = (lower - below) + upper
    return np.where(np.abs(change) < ROUNDING, 0, change)


def expected(change: Array, down: Array, up: Array) -> float:
    """What the slopes say a change of sparsity does to the loss, nats/token."""
    slope = np.where(change < 0, down, up)
    return float((change[change != 0] * slope[change != 0]).sum())


def moved(sparsity: Array, change: Array) -> Array:
    """A sparsity per layer, or per layer and linear, after a change per unit; a layer's linears move by the same."""
    return sparsity + change.reshape(sparsity.shape if change.size == sparsity.size else (-1, 1))


@dataclass(frozen=True, eq=False)
class Steps:
    """One step of every unit, by which any two can trade: it moves the same number of weights in each."""

    below: Array  # (units,) of sparsity; 0 where there is no room
    above: Array  # (units,)


def steps(sparsity: Array, parameters: Array, bounds: Bounds, most: float) -> Steps:
    """The steps of units that hold unlike numbers of weights; `most`, of sparsity, in the smallest."""
    size = most * parameters.min() / parameters
    return Steps(*(np.where(room >= size, size, 0.0) for room in rooms(sparsity, bounds, 1.0)))


def promising(down: Array, up: Array, parameters: Array, by: Steps, most: int) -> list[tuple[int, int]]:
    """The pairs of a unit that goes a step down and one that goes up whose slopes promise most, best first.

    Args:
        down, up: (units,) slopes of the loss, as `slopes` gives them.
        most: how many.
    """
    spared = np.where((by.below > 0) & np.isfinite(down), down / parameters, -np.inf)
    spent = np.where((by.above > 0) & np.isfinite(up), up / parameters, np.inf)
    promised = spent[None, :] - spared[:, None]
    np.fill_diagonal(promised, np.inf)
    order = np.argsort(promised, axis=None, kind="stable")
    found = [divmod(int(flat), len(down)) for flat in order[:most]]
    return [(low, high) for low, high in found if np.isfinite(promised[low, high])]


def apart(pairs: Sequence[tuple[int, int]], changes: Array) -> list[int]:
    """Which pairs lowered the loss, most first, without those that share a unit with one before them.

    Args:
        changes: (pairs,) of the loss, nats/token.
    """
    taken: set[int] = set()
    found = []
    for number in map(int, np.argsort(changes, kind="stable")):
        if changes[number] < 0 and taken.isdisjoint(pairs[number]):
            taken.update(pairs[number])
            found.append(number)
    return found


def traded(pairs: Sequence[tuple[int, int]], by: Steps) -> Array:
    """The change of sparsity per unit, (units,), of pairs that share none; it keeps the budget."""
    change = np.zeros_like(by.below)
    for low, high in pairs:
        change[low], change[high] = -by.below[low], by.above[high]
    return change
