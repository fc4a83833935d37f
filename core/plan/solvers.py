"""Solvers that buy the least harm for a budget: shares between levels, whole levels, and dropped layers.

And the curves of harm that they buy by.

A unit is whatever gets one level: a layer, a linear, or linears that have to share a format. Zeros, bits, bytes and
dropped layers differ in their levels alone.
"""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from core.base import Array, UserError, frozen
from core.plan.budget import TOLERANCE, share_bought

STEP = 0.005
IMPOSSIBLE = 1e12  # harm per share that no level has
POWERS = (2.0, 4.0)  # between which the fitted one lies: single losses hardly rise at small sparsities, or not at all
GOLDEN = (5**0.5 - 1) / 2  # multiples of it lie evenly between whole numbers


@frozen
class Choices:
    """The harm of each unit at each level; all units have the same levels."""

    weights: Array  # (units,) how many weights each holds
    shares: Array  # (levels,) rising
    harm: Array  # (units, levels), nats; NaN where a unit cannot have the level


def solve(choices: Choices, budget: float) -> Array:
    """Share that each unit saves, (units,), for a mean of `budget` over weights at the least total harm.

    Every piece between two levels has a price, harm per amount saved. Where prices rise along the levels, as along a
    hull, buying from the cheapest on gives the least total; it is continuous and never lowers a unit when the budget
    rises. Pieces of one price and one place are bought alike, so that equal units end equal.

    Args:
        choices: their harm is convex in the share.

    Raises:
        UserError: the last level saves less than the budget.
    """
    shares = choices.shares
    if budget > shares[-1]:
        raise UserError(f"a budget of {budget:g} is more than can be saved, {shares[-1]:g}: lower it")
    savings, order, group, cost = _offered(choices)
    left = (budget - shares[0]) * choices.weights.sum()
    bought = np.empty(order.size)
    bought[order] = share_bought(left, np.cumsum(cost) - cost, cost)[group]
    return shares[0] + (bought.reshape(savings.shape) * savings).sum(1) / choices.weights


def least_harm(choices: Choices, budget: float) -> float:
    """The harm in all of what `solve` buys, for a budget inside the levels; beyond them that of the nearest.

    Args:
        choices: their harm is convex in the share.
    """
    plan = solve(choices, float(np.clip(budget, *choices.shares[[0, -1]])))
    return sum(np.interp(share, choices.shares, row) for share, row in zip(plan, choices.harm, strict=True))


@lru_cache(maxsize=8)
def _offered(choices: Choices) -> tuple[Array, Array, Array, Array]:
    """Savings of each piece, (units, pieces); their order, cheapest first; by that, equal groups and their savings.

    It is the same for every budget.
    """
    width = np.diff(choices.shares)
    price = np.diff(choices.harm, axis=1) / width / choices.weights[:, None]
    price = np.maximum.accumulate(price, axis=1).ravel()  # against rounding: a later piece is never cheaper
    savings = choices.weights[:, None] * width
    place = np.tile(np.arange(savings.shape[1]), len(savings))
    order = np.lexsort((place, price))
    alike = (np.diff(price[order]) == 0) & (np.diff(place[order]) == 0)
    group = np.concatenate([[0], np.cumsum(~alike)])[: price.size]
    return savings, order, group, np.bincount(group, savings.ravel()[order])


def round_to_levels(wish: Array, choices: Choices) -> Array:
    """Round each unit up to a level, then hand the surplus back where it prevents most harm.

    A unit between two levels gets the one that saves more. What that leaves of the budget buys back, one step for each
    unit at most, what harms most per amount saved; of what harms alike those that wish for less, then evenly over the
    units. A step that the rest does not pay is passed over.

    Args:
        wish: (units,) shares inside the levels.

    Returns:
        (units,), each one of the levels that it can have.

    Raises:
        UserError: a unit has no level that saves as much.
    """
    shares, weights, harm = choices.shares, choices.weights, choices.harm
    units, last = np.arange(len(wish)), len(shares)
    fits, level = np.isfinite(harm), np.arange(last)
    following = np.minimum.accumulate(np.where(fits, level, last)[:, ::-1], axis=1)[:, ::-1]
    at = following[units, np.searchsorted(shares, wish - TOLERANCE)]
    if (at == last).any():
        raise UserError("this budget needs types that some rows cannot have, for no super-block divides them: raise it")
    before = np.where(fits & (level < at[:, None]), level, -1).max(axis=1)
    left = weights @ (shares[at] - wish) + TOLERANCE * weights.sum()
    cost = weights * (shares[at] - shares[before])
    worth = (harm[units, at] - harm[units, before]) / cost
    for unit in np.lexsort((units * GOLDEN % 1, wish, -(worth / (worth.max() or 1)).round(9))):
        if 0 < cost[unit] <= left and worth[unit] >= 0:  # of what was rounded before, more bits may harm more
            at[unit], left = before[unit], left - cost[unit]
    return shares[at]


def solve_levels(choices: Choices, budget: float, drop_harm: Array) -> Array:
    """Least harm by whole levels, (units,): layers are dropped, share 1, one by one as long as that lowers it.

    The next layer dropped is the one with which the total is least, the others' units brought to what is left of the
    budget.

    Args:
        choices: units layer after layer, as many in each.
        drop_harm: (layers,) harm of dropping each. One layer always stays.
    """
    hulls = hull_of_levels(choices).harm
    layer = np.arange(len(hulls)) * len(drop_harm) // len(hulls)

    def without(dropped):  # the total, the layers, the plan
        stays, plan = ~np.isin(layer, dropped), np.ones(len(hulls))
        rest = Choices(choices.weights[stays], choices.shares, choices.harm[stays])
        left = budget - (1 - budget) * choices.weights[~stays].sum() / rest.weights.sum()
        wish = solve(Choices(rest.weights, rest.shares, hulls[stays]), max(left, rest.shares[0]))
        plan[stays] = round_to_levels(wish, rest)
        harm = rest.harm[np.arange(len(wish)), np.searchsorted(rest.shares, plan[stays])]
        return drop_harm[dropped].sum() + harm.sum(), dropped, plan

    best = without([])
    for _ in drop_harm[1:]:
        more = min(without([*best[1], each]) for each in range(len(drop_harm)))
        if more > best:
            break
        best = more
    return best[2]


def hull_of_levels(choices: Choices) -> Choices:
    """The hull of the levels that each unit can have, and beyond them harm that is bought last."""
    shares, rows = choices.shares, []
    for harm, fits in zip(choices.harm, np.isfinite(choices.harm), strict=True):
        inside = np.interp(shares, shares[fits], hull(shares[fits], harm[fits]))
        rows.append(inside + IMPOSSIBLE * np.maximum(shares - shares[fits][-1], 0))
    return Choices(choices.weights, shares, np.stack(rows))


# --- curves of harm over sparsity, from what was measured ------------------------------------------------------------


@frozen
class Curves:
    """Responses of every layer on a fine grid of sparsities, as lower convex hulls."""

    sparsity: Array  # (points,) from 0 up, fractions
    harm: Array  # (layers, points), convex and rising along the points

    @property
    def highest(self) -> float:
        return float(self.sparsity[-1])


def curves(sparsities: Array, harm: Array) -> Curves:
    """Smooth the measured points, then take the hull.

    Between the points the square root of the harm is a line. Below the least of them harm is a power of the sparsity,
    which the two least give: about the third on the bundled model, where a square is 1.5 times too much at 0.2.
    Nothing is extrapolated beyond the largest measured sparsity.

    Args:
        sparsities: (measured,) two or more, ascending, without 0.
        harm: (layers, measured); a negative harm counts as none, and harm never falls with sparsity.

    Raises:
        UserError: a harm that is not finite.
    """
    points, rows = np.concatenate([[0.0], sparsities]), rising(harm)
    grid = _grid(points)
    smooth = np.stack([np.interp(grid, points, [0, *row]) ** 2 for row in np.sqrt(rows)])
    least = grid < sparsities[0]
    smooth[:, least] = rows[:, :1] * (grid[least] / sparsities[0]) ** _power(sparsities, rows)[:, None]
    return Curves(grid, np.stack([hull(grid, row) for row in smooth]))


def check_finite(harm: Array) -> None:
    """Refuse measured harms that are not finite.

    Raises:
        UserError: one is not.
    """
    if not np.isfinite(harm).all():
        raise UserError("a response is NaN: the pruned layer broke the model; measure again in float32")


def rising(harm: Array) -> Array:
    """Measured harms, never below 0 nor below those of less damage, (units, measured); raises as `check_finite`."""
    check_finite(harm)
    return np.maximum.accumulate(np.maximum(harm, 0), axis=1)


def _power(sparsities: Array, harm: Array) -> Array:
    """Exponent p of harm ~ sparsity**p between the two smallest measured points, (layers,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log(harm[:, 1] / harm[:, 0]) / np.log(sparsities[1] / sparsities[0])
    return np.clip(np.nan_to_num(powers, nan=POWERS[0]), *POWERS)


def _grid(points: Array) -> Array:
    """Even steps from each known point to the next: two points a rounding apart would make a slope of nonsense."""
    pieces = [
        np.linspace(start, end, math.ceil((end - start) / STEP), endpoint=False) for start, end in pairwise(points)
    ]
    return np.concatenate([*pieces, points[-1:]])


def hull(x: Array, y: Array) -> Array:
    """The lower convex hull of points (x, y), read at every x."""
    corners = []
    for i in range(len(x)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(i)
    return np.interp(x, x[corners], y[corners])
