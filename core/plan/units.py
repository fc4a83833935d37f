"""Spend a budget over units, which are layers or linears, where their measured harm rises least."""

from __future__ import annotations

import numpy as np

from core.base.errors import UserError
from core.base.spec import Array
from core.plan.budget import TOLERANCE, Bounds
from core.plan.responses import Curves


def response(found: Curves, parameters: Array, target: float, bounds: Bounds) -> Array:
    """Spend the budget where a weight costs least: exact for the hulls.

    Every piece of every hull has a price, harm per pruned weight. Prices rise along a hull, so buying pieces from the
    cheapest on gives the least total; it is continuous and never lowers a layer when the target rises. Pieces of one
    price and one place are bought alike, so that equal layers end equal.

    Returns:
        (layers,) sparsity that meets the budget.

    Raises:
        UserError: the target cannot be reached inside the bounds and the measured sparsities.
    """
    bounds.check(target)
    high = min(bounds.high, found.highest)
    if target > high:
        raise UserError(
            f"target sparsity {target:g} exceeds the largest measured one, {found.highest:g}: measure a larger one"
        )
    inside = (found.sparsity > bounds.low + TOLERANCE) & (found.sparsity < high - TOLERANCE)
    grid = np.unique([bounds.low, *found.sparsity[inside], high])
    harm = np.stack([np.interp(grid, found.sparsity, row) for row in found.harm])
    width = np.diff(grid)
    price = np.diff(harm, axis=1) / width / parameters[:, None]
    price = np.maximum.accumulate(price, axis=1)  # against rounding: a later piece is never cheaper
    left = (target - bounds.low) * parameters.sum()
    bought = _bought(price, parameters[:, None] * width, left)
    return bounds.low + bought.sum(1) / parameters


def _bought(price: Array, weight: Array, left: float) -> Array:
    """How much of each piece is bought, cheapest first, until `left` is spent; all (layers, pieces)."""
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
