"""Response curves: measured harms of units, smoothed over sparsity and made convex."""

import math
from itertools import pairwise

import numpy as np

from core.base import UserError, frozen
from core.store import Array

STEP = 0.005
POWERS = (2.0, 4.0)  # between which the fitted one lies: single losses hardly rise at small sparsities, or not at all


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
    check_finite(harm)
    points = np.concatenate([[0.0], sparsities])
    rising = np.maximum.accumulate(np.maximum(harm, 0), axis=1)
    grid = _grid(points)
    smooth = np.stack([np.interp(grid, points, [0, *row]) ** 2 for row in np.sqrt(rising)])
    least = grid < sparsities[0]
    smooth[:, least] = rising[:, :1] * (grid[least] / sparsities[0]) ** _power(sparsities, rising)[:, None]
    return Curves(grid, np.stack([hull(grid, row) for row in smooth]))


def check_finite(harm: Array) -> None:
    """Refuse measured harms that are not finite.

    Raises:
        UserError: one is not.
    """
    if not np.isfinite(harm).all():
        raise UserError("a response is NaN: the pruned layer broke the model; measure again in float32")


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
