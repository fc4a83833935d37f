"""One concept of damage: units (layers or linears), the levels that each may take, and the solver of a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.base.errors import UserError
from core.base.spec import Array
from core.kinds import CURRENCIES
from core.plan.responses import hull

ROUNDING = 1e-12  # what a weight may save less


@dataclass(frozen=True)
class Level:
    """A damage that any unit may take, and what a weight saves by it, by the name of the currency."""

    name: str
    saves: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Units:
    """Units with the same levels, from the least damage to the most."""

    weights: Array  # (units,) how many weights each holds
    levels: tuple[Level, ...]
    harm: Array  # (units, levels), nats

    def saved(self, currency: str) -> Array:
        """What a weight saves at each level, (levels,), rising."""
        return np.array([level.saves[currency] for level in self.levels])


def sparsity_levels(sparsities: Iterable[float]) -> tuple[Level, ...]:
    """The levels of pruning to each sparsity."""
    found = map(float, sparsities)
    return tuple(Level(f"{each:g}", {kind.name: kind.saves(each) for kind in CURRENCIES}) for each in found)


def solve(units: Units, budget: float, currency: str) -> Array:
    """What a weight of each unit saves, (units,), where weights save `budget` on average with the least total harm.

    Every piece between two levels has a price, harm per amount saved. Where prices rise along the levels, as along a
    hull, buying from the cheapest on gives the least total; it is continuous and never lowers a unit when the budget
    rises. Pieces of one price and one place are bought alike, so that equal units end equal.

    Args:
        units: their harm is convex in what is saved.

    Raises:
        UserError: the last level saves less than the budget.
    """
    saved = units.saved(currency)
    if budget > saved[-1]:
        raise UserError(f"a budget of {budget:g} {currency} is more than can be saved, {saved[-1]:g}: lower it")
    width = np.diff(saved)
    price = np.diff(units.harm, axis=1) / width / units.weights[:, None]
    price = np.maximum.accumulate(price, axis=1)  # against rounding: a later piece is never cheaper
    bought = _bought(price, units.weights[:, None] * width, (budget - saved[0]) * units.weights.sum())
    return saved[0] + bought.sum(1) / units.weights


def solve_whole(units: Units, budget: float, currency: str) -> NDArray[np.int_]:
    """The level of each unit, (units,), where none lies between two: weights save `budget` on average, or more.

    Units start at the level above what the hulls give them; then the one whose level costs most harm for what it saves
    goes one down, as long as the others save enough without it.

    Raises:
        UserError: as `solve`.
    """
    saved = units.saved(currency)
    hulls = Units(units.weights, units.levels, np.stack([hull(saved, row) for row in units.harm]))
    level = np.searchsorted(saved, solve(hulls, budget, currency) - ROUNDING)
    while True:
        spare = ((saved[level] - budget) * units.weights).sum()
        lower, unit = np.maximum(level - 1, 0), np.arange(len(level))
        less = (saved[level] - saved[lower]) * units.weights
        worse = units.harm[unit, level] - units.harm[unit, lower]
        possible = (level > 0) & (less <= spare + ROUNDING * units.weights.sum())
        if not possible.any():
            return level
        level[np.argmax(np.where(possible, worse / np.where(possible, less, 1), -np.inf))] -= 1


def _bought(price: Array, weight: Array, left: float) -> Array:
    """How much of each piece is bought, cheapest first, until `left` is spent; all (units, pieces)."""
    if not price.size:
        return np.zeros_like(price)
    place = np.tile(np.arange(price.shape[1]), len(price))
    order = np.lexsort((place, price.ravel()))
    alike = (np.diff(price.ravel()[order]) == 0) & (np.diff(place[order]) == 0)
    group = np.concatenate([[0], np.cumsum(~alike)])
    whole = np.bincount(group, weight.ravel()[order])
    before = np.cumsum(whole) - whole
    share = np.empty(price.size)
    share[order] = np.clip((left - before) / whole, 0, 1)[group]
    return share.reshape(price.shape) * weight
