"""Axes: of layers, of ratios, of plain numbers on a log scale, of named rows; and what lies along them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.show.figures.labels import digits
from core.show.figures.marks import wrapped
from core.show.figures.scales import limits, log_ticks
from core.store.results import Array


def layer_axis(layers: int, title: str) -> dict:
    """A linear axis of layer numbers with whole ticks."""
    step = next(s for s in (1, 2, 5, 10, 20, 50) if layers / s <= 8)
    ticks = list(range(0, layers, step))
    return {"title": title, "tickvals": ticks, "range": [-0.6, layers - 0.4], "showgrid": False}


def factor_axis(values: Array, title: str) -> dict:
    """A log axis of ratios around 1× with ticks at powers of two, closer or wider where the range asks for it."""
    low, high = limits(values)
    low, high = min(low, 1 / 1.5), max(high, 1.5)
    base = math.sqrt(2) if high / low < 6 else 2 if high / low < 200 else 10
    powers = np.arange(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    every = max(1, math.ceil(len(powers) / 9))
    ticks = [p for p in powers if p % every == 0]
    return {
        "title": title,
        "type": "log",
        "range": padded(low, high),
        "tickvals": [float(base) ** p for p in ticks],
        "ticktext": [factor(float(base) ** p) for p in ticks],
    }


def log_axis(values: Array, title: str) -> dict:
    """A log axis of plain numbers with round ticks."""
    low, high = limits(values)
    room = padded(low, high)
    ticks = log_ticks(*(10.0**end for end in room))
    return {
        "title": title,
        "type": "log",
        "range": room,
        "tickvals": ticks,
        "ticktext": [f"{tick:,g}" for tick in ticks],
    }


def padded(low: float, high: float) -> list[float]:
    """The range of a log axis, in log10, with a little room at both ends."""
    room = 0.06 * math.log10(high / low) + 0.01
    return [math.log10(low) - room, math.log10(high) + room]


def factor(value: float) -> str:
    """A tick of a ratio: `1/4×`, `1×`, `2×`, `1.4×`."""
    inverse = 1 / value
    if value < 1 and abs(inverse - round(inverse)) < 1e-6:
        return f"1/{round(inverse):,}×"
    return f"{round(value):,}×" if abs(value - round(value)) < 1e-6 else f"{digits(value)}×"


def row_axis(names: Sequence[str]) -> dict:
    """An axis of rows, the first at the top, whose names leave a phone room for the rows."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": [wrapped(name, 17) for name in names]}
    return ticks | {"autorange": "reversed", "showgrid": False, "title": None}
