"""Budgets met exactly inside the bounds, or refused: by shifting a wish, or by buying the least harm."""

from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.base import Array, Flags, UserError, frozen, ranges

TOLERANCE = 1e-9
GOLDEN = (5**0.5 - 1) / 2  # multiples of it lie evenly between whole numbers


class Bounds(NamedTuple):
    """Least and greatest sparsity that a layer may get, fractions."""

    low: float = 0.0
    high: float = 0.95

    def check(self, target: float) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: bounds out of order or out of [0, 1], or a target outside them.
        """
        if not 0 <= self.low <= self.high <= 1:
            raise UserError(f"bounds {self.low:g} to {self.high:g}: they must rise and lie in [0, 1]")
        if not self.low <= target <= self.high:
            raise UserError(
                f"target sparsity {target:g} lies outside the bounds {self.low:g} to {self.high:g}: "
                "change the target or the bounds"
            )


def share_spent(sparsity: Array, parameters: Array) -> float:
    """The budget an allocation spends: mean sparsity weighted by parameters. Both (layers,)."""
    return float(np.average(sparsity, weights=parameters))


def project(wish: Array, parameters: Array, target: float, bounds: Bounds) -> Array:
    """Shift the wish by one number, clipped to the bounds, so that the budget is met.

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
    if inside and abs(share_spent(wish, parameters) - target) <= TOLERANCE * 1e-3:
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
    """The shift at which the spent budget, piecewise linear and rising in it, equals the target."""
    corners, whole = np.unique(np.concatenate([bounds.low - wish, bounds.high - wish])), parameters.sum()

    def spent(shift):
        return (np.clip(wish + shift, *bounds) * parameters).sum() / whole

    after = bisect_left(corners, target, key=spent)
    if after == 0 or after == len(corners):
        return float(corners[0] if after == 0 else corners[-1])
    below, above = corners[after - 1], corners[after]  # spent(below) < target <= spent(above)
    share = _share_bought(target, spent(below), spent(above) - spent(below))
    return float(below + share * (above - below))


def _share_bought(budget: float, before: Array, cost: Array) -> Array:
    """Share of each step, 0 to 1, that a budget buys after the cost of the steps before it."""
    return np.clip((budget - before) / cost, 0, 1)


def binding(sparsity: Array, bounds: Bounds) -> Flags:
    """True for layers on a bound, (layers,)."""
    return (sparsity <= bounds.low + TOLERANCE) | (sparsity >= bounds.high - TOLERANCE)


def shift_linears_to_means(base: Array, parameters: Array, means: Array, bounds: Bounds) -> Array:
    """Shift the linears of each layer by one number, so that inside the bounds they have the wanted mean.

    Args:
        base: (layers, linears)
        parameters: (layers, linears) prunable weights.
        means: (rows, layers) wanted.

    Returns:
        (rows, layers, linears), not yet kept inside the bounds.
    """
    shifts = []
    for units, weights, wanted in zip(base, parameters, means.T, strict=True):
        corners = np.unique(np.concatenate([bounds.low - units, bounds.high - units]))
        spent = np.average(np.clip(units + corners[:, None], *bounds), axis=1, weights=weights)
        shifts.append(np.interp(wanted, spent, corners))
    return base + np.stack(shifts, axis=1)[..., None]


def with_fixed_layers(
    sparsity: Array, hand: Mapping[int, float], parameters: Array, target: float, bounds: Bounds
) -> Array:
    """Hold some layers at a mean and shift the rest by one number to meet the budget.

    The linears of a layer that is held are shifted by one number too.

    Args:
        sparsity: (layers,) or (layers, linears), the allocation to start from, perhaps outside the bounds.
        hand: layer -> its sparsity; nothing in it gives the allocation back.
        parameters: prunable weights, shaped alike.

    Returns:
        Sparsity, shaped alike.

    Raises:
        UserError: a value outside the bounds, or one that leaves the others no way to meet the budget.
    """
    layers, values = np.array(list(hand), int), np.array(list(hand.values()))
    fixed = np.isin(np.arange(len(sparsity)), layers)
    outside = (values < bounds.low) | (values > bounds.high)
    if outside.any():
        raise UserError(
            f"layer {layers[outside][0]} cannot have sparsity {values[outside][0]:g}: "
            f"the bounds are {bounds.low:g} to {bounds.high:g}"
        )
    wish = sparsity.copy()
    for layer, value in hand.items():
        wish[layer] = value if wish.ndim == 1 else wish[layer] + _shift(wish[layer], parameters[layer], value, bounds)
    result = np.clip(wish, *bounds)
    if not hand:
        return result
    wanted, free = target * parameters.sum() - (result * parameters)[fixed].sum(), parameters[~fixed].sum()
    left = wanted / free if free else 0.0
    possible = float(np.clip(left, *bounds)) if free else 0.0
    if abs(wanted - possible * free) > TOLERANCE * parameters.sum():
        if not free:
            raise UserError(f"every layer is set by hand and the budget {target:g} is not met: free one layer")
        raise UserError(
            f"with layer{'s' if len(layers) > 1 else ''} {ranges(sorted(layers.tolist()))} set by hand the others "
            f"would need a mean sparsity of {left:.3f}, outside the bounds {bounds.low:g} to {bounds.high:g}: set them "
            f"nearer to the target {target:g}"
        )
    if free:
        others = project(wish[~fixed].ravel(), parameters[~fixed].ravel(), possible, bounds)
        result[~fixed] = others.reshape(wish[~fixed].shape)
    return result


@frozen
class Choices:
    """Units with the same levels, from the least damage to the most."""

    weights: Array  # (units,) how many weights each holds
    saved: Array  # (levels,) what a weight saves at each, rising
    harm: Array  # (units, levels), nats


def round_to_levels(wish: Array, levels: Array, weights: Array, harm: Array) -> Array:
    """Round each unit up to a level, then hand the surplus back where it prevents most harm.

    A unit between two levels gets the one that saves more. What that leaves of the budget buys back, one step for each
    unit at most, what harms most per amount saved; of what harms alike those that wish for less, then evenly over the
    units. A step that the rest does not pay is passed over.

    Args:
        wish: (units,) what a weight of each saves, inside the levels.
        levels: (levels,) rising.
        weights: (units,) how many each holds.
        harm: (units, levels) rising.

    Returns:
        (units,), each one of the levels.
    """
    at = np.searchsorted(levels, wish - TOLERANCE)
    units, before = np.arange(len(wish)), at - 1
    left = weights @ (levels[at] - wish) + TOLERANCE * weights.sum()
    cost = weights * (levels[at] - levels[before])
    worth = (harm[units, at] - harm[units, before]) / cost
    for unit in np.lexsort((units * GOLDEN % 1, wish, -(worth / (worth.max() or 1)).round(9))):
        if 0 < cost[unit] <= left:
            at[unit], left = before[unit], left - cost[unit]
    return levels[at]


def solve(units: Choices, budget: float) -> Array:
    """Share that each unit saves, (units,), for a mean of `budget` over weights at the least total harm.

    Every piece between two levels has a price, harm per amount saved. Where prices rise along the levels, as along a
    hull, buying from the cheapest on gives the least total; it is continuous and never lowers a unit when the budget
    rises. Pieces of one price and one place are bought alike, so that equal units end equal.

    Args:
        units: their harm is convex in what is saved.

    Raises:
        UserError: the last level saves less than the budget.
    """
    saved = units.saved
    if budget > saved[-1]:
        raise UserError(f"a budget of {budget:g} is more than can be saved, {saved[-1]:g}: lower it")
    weight, order, group, whole = _offered(units)
    left = (budget - saved[0]) * units.weights.sum()
    share = np.empty(order.size)
    share[order] = _share_bought(left, np.cumsum(whole) - whole, whole)[group]
    return saved[0] + (share.reshape(weight.shape) * weight).sum(1) / units.weights


@lru_cache(maxsize=8)
def _offered(units: Choices) -> tuple[Array, Array, Array, Array]:
    """Savings of each piece, (units, pieces); their order, cheapest first; by that, equal groups and their savings.

    It is the same for every budget.
    """
    width = np.diff(units.saved)
    price = np.diff(units.harm, axis=1) / width / units.weights[:, None]
    price = np.maximum.accumulate(price, axis=1).ravel()  # against rounding: a later piece is never cheaper
    weight = units.weights[:, None] * width
    place = np.tile(np.arange(weight.shape[1]), len(weight))
    order = np.lexsort((place, price))
    alike = (np.diff(price[order]) == 0) & (np.diff(place[order]) == 0)
    group = np.concatenate([[0], np.cumsum(~alike)])[: price.size]
    return weight, order, group, np.bincount(group, weight.ravel()[order])
