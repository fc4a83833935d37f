"""The budget: met exactly inside the bounds or not at all, by shifting a wish or by buying the least harm."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.base.errors import UserError
from core.base.formats import ranges
from core.base.spec import Array, frozen
from core.kinds import CURRENCIES

TOLERANCE = 1e-9


class Bounds(NamedTuple):
    """Least and greatest sparsity that a layer may get, fractions."""

    low: float = 0.0
    high: float = 0.95

    def check(self, target: float) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: bounds out of order or out of [0, 1), or a target outside them.
        """
        if not 0 <= self.low <= self.high < 1:
            raise UserError(f"bounds {self.low:g} to {self.high:g}: they must rise and lie in [0, 1)")
        if not self.low <= target <= self.high:
            raise UserError(
                f"target sparsity {target:g} lies outside the bounds {self.low:g} to {self.high:g}: "
                "change the target or the bounds"
            )


def met(sparsity: Array, parameters: Array) -> float:
    """The budget an allocation spends: mean sparsity weighted by parameters. Both (layers,)."""
    return float(np.average(sparsity, weights=parameters))


def project(wish: Array, parameters: Array, target: float, bounds: Bounds) -> Array:
    """The wish shifted by one number and kept inside the bounds, so that the budget is met.

    A wish that meets the budget inside the bounds comes back as it is.

    Args:
        wish: (layers,) wished sparsity, any real numbers.
        parameters: (layers,) prunable weights.

    Returns:
        (layers,) sparsity.

    Raises:
        UserError: the target lies outside the bounds, or the wish is not finite.
    """
    bounds.check(target)
    check_finite(wish)
    inside = (wish >= bounds.low).all() and (wish <= bounds.high).all()
    if inside and abs(met(wish, parameters) - target) <= TOLERANCE * 1e-3:
        return wish.copy()
    return np.clip(wish + _shift(wish, parameters, target, bounds), bounds.low, bounds.high)


def check_finite(wish: Array) -> None:
    """Refuse a wish that is not a number in every layer, (layers,).

    Raises:
        UserError: the first layer without one.
    """
    missing = np.flatnonzero(~np.isfinite(wish))
    if missing.size:
        raise UserError(
            f"layer {missing[0]} has no finite score to allocate by: choose uniform, or measure again in float32"
        )


def _shift(wish: Array, parameters: Array, target: float, bounds: Bounds) -> float:
    """Where the spent budget, piecewise linear and rising in the shift, equals the target."""
    corners = np.unique(np.concatenate([bounds.low - wish, bounds.high - wish]))
    shifted = np.clip(wish + corners[:, None], bounds.low, bounds.high)
    spent = np.average(shifted, axis=1, weights=parameters)
    after = int(np.searchsorted(spent, target))  # spent[after - 1] < target <= spent[after]
    if after == 0 or after == len(corners):
        return float(corners[0] if after == 0 else corners[-1])
    share = _bought(target, spent[after - 1], spent[after] - spent[after - 1])
    return float(corners[after - 1] + share * (corners[after] - corners[after - 1]))


def _bought(budget: float, before: Array, cost: Array) -> Array:
    """The share of each step, 0 to 1, that a budget buys where those that come before it have cost so much."""
    return np.clip((budget - before) / cost, 0, 1)


def binding(sparsity: Array, bounds: Bounds) -> NDArray[np.bool_]:
    """Which layers sit on a bound, (layers,)."""
    return (sparsity <= bounds.low + TOLERANCE) | (sparsity >= bounds.high - TOLERANCE)


def pinned(sparsity: Array, hand: Mapping[int, float], parameters: Array, target: float, bounds: Bounds) -> Array:
    """An allocation with some layers held at a value and the rest shifted by one number to meet the budget.

    Args:
        sparsity: (layers,) the allocation to start from.
        hand: layer -> its sparsity; nothing in it gives the allocation back.
        parameters: (layers,) prunable weights.

    Returns:
        (layers,) sparsity.

    Raises:
        UserError: a value outside the bounds, or one that leaves the others no way to meet the budget.
    """
    if not hand:
        return sparsity.copy()
    layers, values = np.array(list(hand)), np.array(list(hand.values()))
    held = np.isin(np.arange(len(sparsity)), layers)
    outside = (values < bounds.low) | (values > bounds.high)
    if outside.any():
        raise UserError(
            f"layer {layers[outside][0]} cannot have sparsity {values[outside][0]:g}: "
            f"the bounds are {bounds.low:g} to {bounds.high:g}"
        )
    result = sparsity.copy()
    result[layers] = values
    wanted, free = target * parameters.sum() - (result * parameters)[held].sum(), parameters[~held].sum()
    left = wanted / free if free else 0.0
    possible = float(np.clip(left, bounds.low, bounds.high)) if free else 0.0
    if abs(wanted - possible * free) > TOLERANCE * parameters.sum():
        if not free:
            raise UserError(f"every layer is set by hand and the budget {target:g} is not met: free one layer")
        raise UserError(
            f"with layer{'s' if len(layers) > 1 else ''} {ranges(sorted(layers.tolist()))} set by hand the others "
            f"would need a mean sparsity of {left:.3f}, outside the bounds {bounds.low:g} to {bounds.high:g}: set them "
            f"nearer to the target {target:g}"
        )
    if free:
        result[~held] = project(sparsity[~held], parameters[~held], possible, bounds)
    return result


@frozen
class Units:
    """Units with the same levels, from the least damage to the most."""

    weights: Array  # (units,) how many weights each holds
    saved: Mapping[str, Array]  # currency -> what a weight saves at each level, (levels,), rising
    harm: Array  # (units, levels), nats


def sparsity_levels(sparsities: Iterable[float]) -> dict[str, Array]:
    """Currency -> what a weight saves by being pruned to each sparsity, (levels,)."""
    found = list(map(float, sparsities))
    return {kind.name: np.array([kind.saves(each) for each in found]) for kind in CURRENCIES}


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
    saved = units.saved[currency]
    if budget > saved[-1]:
        raise UserError(f"a budget of {budget:g} {currency} is more than can be saved, {saved[-1]:g}: lower it")
    width = np.diff(saved)
    price = np.diff(units.harm, axis=1) / width / units.weights[:, None]
    price = np.maximum.accumulate(price, axis=1)  # against rounding: a later piece is never cheaper
    bought = _cheapest(price, units.weights[:, None] * width, (budget - saved[0]) * units.weights.sum())
    return saved[0] + bought.sum(1) / units.weights


def _cheapest(price: Array, weight: Array, left: float) -> Array:
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
    share[order] = _bought(left, before, whole)[group]
    return share.reshape(price.shape) * weight
