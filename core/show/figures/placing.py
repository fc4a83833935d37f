"""Where the names of points go, so that none lies on another. Pure arithmetic on rough sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from core.store.results import Array

SIDES = ("top right", "top left", "bottom right", "bottom left", "middle right", "middle left", "top center",
         "bottom center")  # fmt: skip
LETTER, LINE, GAP = 6.2, 14.0, 8.0  # pixels: width of a letter, height of a line, distance to the point
PLOT = (760, 340)  # pixels, about, of the area in which points lie

Box = tuple[float, float, float, float]  # left, right, bottom, top


def sides(x: Array, y: Array, names: Sequence[str]) -> list[str]:
    """A text position for each point: the first side that is free of points, of names before it and of the edges.

    Args:
        x, y: (points,) as they are drawn, so logarithms on a logarithmic axis.

    Returns:
        plotly's text positions; where no side is free, the one least in the way.
    """
    across, up = map(_pixels, (x, y), PLOT)
    points = [(a - GAP / 2, a + GAP / 2, b - GAP / 2, b + GAP / 2) for a, b in zip(across, up, strict=True)]
    taken, found = list(points), []
    for index, name in enumerate(names):
        choices = list(_boxes(across[index], up[index], LETTER * len(name)))
        crowded = [sum(_overlap(box, other) for other in taken) + _outside(box) for _, box in choices]
        side, box = choices[int(np.argmin(crowded))]
        found.append(side)
        taken += [box] if name else []
    return found


def _pixels(values: Array, size: int) -> Array:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (values - low) / (high - low) * size if high > low else np.full(len(values), size / 2)


def _boxes(across: float, up: float, width: float) -> Iterator[tuple[str, Box]]:
    """Every side with the box that a name of this width takes there."""
    for side in SIDES:
        level, _, hand = side.partition(" ")
        left = {"right": across + GAP / 2, "left": across - GAP / 2 - width, "center": across - width / 2}[hand]
        low = {"top": up + GAP / 2, "bottom": up - GAP / 2 - LINE, "middle": up - LINE / 2}[level]
        yield side, (left, left + width, low, low + LINE)


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[1], other[1]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[2], other[2])
    return max(wide, 0.0) * max(high, 0.0)


def _outside(box: Box) -> float:
    """How much of a name lies beyond the left and right edges; above and below there is room."""
    beyond = max(0.0, -box[0]) + max(0.0, box[1] - PLOT[0])
    return LINE * beyond if math.isfinite(beyond) else 0.0
