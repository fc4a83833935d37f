"""The allocation of least total harm, from what pruning one layer at a time was measured to do. Our own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.allocation.budget import TOLERANCE, Bounds
from core.errors import UserError
from core.results import Array

STEP = 0.005


@dataclass(frozen=True, eq=False)
class Curves:
    """Responses of every layer on a fine grid of sparsities, as lower convex hulls."""

    sparsity: Array  # (points,) from 0 up, fractions
    harm: Array  # (layers, points), convex and rising along the points

    def at(self, sparsity: Array) -> Array:
        """Harm of each layer at its own sparsity, (layers,)."""
        return np.array([np.interp(s, self.sparsity, row) for s, row in zip(sparsity, self.harm, strict=True)])

    @property
    def highest(self) -> float:
        return float(self.sparsity[-1])


def curves(sparsities: Array, harm: Array) -> Curves:
    """Smooth the measured points, then take the hull.

    Between the points the square root of the harm is a line: squared drift and KL both grow about quadratically from 0.
    Nothing is extrapolated beyond the largest measured sparsity.

    Args:
        sparsities: (measured,) ascending, without 0.
        harm: (layers, measured); a negative harm counts as none, and harm never falls with sparsity.

    Raises:
        UserError: fewer than two sparsities, or a harm that is not finite.
    """
    if len(sparsities) < 2:
        raise UserError("a response needs two or more measured sparsities: measure residual:wanda:0.5 and 0.7, say")
    if not np.isfinite(harm).all():
        raise UserError("a response is NaN: the pruned layer broke the model; measure again in float32")
    known = np.concatenate([[0.0], sparsities])
    root = np.sqrt(np.maximum.accumulate(np.maximum(harm, 0), axis=1))
    root = np.concatenate([np.zeros((len(root), 1)), root], axis=1)
    grid = _grid(known)
    smooth = np.stack([np.interp(grid, known, row) ** 2 for row in root])
    return Curves(grid, np.stack([hull(grid, row) for row in smooth]))


def _grid(known: Array) -> Array:
    """Even steps from each known point to the next: two points a rounding apart would make a slope of nonsense."""
    pieces = [
        np.linspace(start, end, math.ceil((end - start) / STEP), endpoint=False) for start, end in pairwise(known)
    ]
    return np.concatenate([*pieces, known[-1:]])


def hull(x: Array, y: Array) -> Array:
    """The lower convex hull of points (x, y), read at every x."""
    kept: list[int] = []
    for i in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(i)
    return np.interp(x, x[kept], y[kept])


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
