"""Solvers that buy the least harm for a budget: shares between levels, whole levels, and dropped layers.

A unit is whatever gets one level: a layer, a linear, or linears that have to share a format. Zeros, bits, bytes and
dropped layers differ in their levels alone.
"""

from functools import lru_cache

import numpy as np

from core.base import Array, UserError, frozen
from core.plan.budget import TOLERANCE, share_bought
from core.plan.responses import hull

GOLDEN = (5**0.5 - 1) / 2  # multiples of it lie evenly between whole numbers


@frozen
class Choices:
    """The harm of each unit at each level; all units have the same levels."""

    weights: Array  # (units,) how many weights each holds
    shares: Array  # (levels,) rising
    harm: Array  # (units, levels), nats, rising


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
        (units,), each one of the levels.
    """
    shares, weights, harm = choices.shares, choices.weights, choices.harm
    at = np.searchsorted(shares, wish - TOLERANCE)
    units, before = np.arange(len(wish)), at - 1
    left = weights @ (shares[at] - wish) + TOLERANCE * weights.sum()
    cost = weights * (shares[at] - shares[before])
    worth = (harm[units, at] - harm[units, before]) / cost
    for unit in np.lexsort((units * GOLDEN % 1, wish, -(worth / (worth.max() or 1)).round(9))):
        if 0 < cost[unit] <= left:
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
    hulls = np.stack([hull(choices.shares, row) for row in choices.harm])
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
