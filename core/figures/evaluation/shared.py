"""What these charts share: an axis of changes and the marks of lines."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from core.analysis.comparison import Interval
from core.figures.style import DARK, Palette
from core.store.results import Array

COLOURS = {  # of each base allocator's line: on a light ground, on a dark one
    "owl": ("#B35C00", "#F2A65A"),
    "alphapruning": ("#00795A", "#4FC9A4"),
    "dlp": ("#5B5FC7", "#A3A6F5"),
    "depth_ramp": ("#7A6A00", "#D9C64A"),
    "response": ("#0E7490", "#5CC8E0"),
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon")
TICKS = (-99, -95, -90, -80, -70, -60, -50, -40, -30, -20, -15, -10, -5, -2, -1, 0, 1, 2, 5, 10, 15, 20, 30, 50, 75)
BIG_TICKS = (100, 150, 200, 300, 500, 900, 1900, 4900, 9900, 99_900, 999_900)


def colour(kind: str | None, look: Palette) -> str:
    """The colour of a base allocator's line, the same in every chart; ink for uniform and for what is not known."""
    pair = COLOURS.get(kind or "")
    return look.ink if pair is None else pair[look is DARK]


def change_axis(values: Array, title: str, ticks: int = 9) -> dict:
    """An axis of `ln(1 + per cent / 100)`: twice and half lie equally far from nothing; ticks in per cent.

    Args:
        ticks: about how many there may be.
    """
    usable = values[np.isfinite(values)]
    low, high = min(usable.min(initial=0.0), -0.02), max(usable.max(initial=0.0), 0.02)
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    inside = [each for each in (*TICKS, *BIG_TICKS) if low <= math.log1p(each / 100) <= high]
    chosen = [0]
    for each in sorted(inside, key=lambda tick: (abs(tick) % 10 != 0, abs(tick) % 5 != 0, abs(tick))):
        if all(abs(math.log1p(each / 100) - math.log1p(other / 100)) > (high - low) / ticks for other in chosen):
            chosen.append(each)
    return {
        "title": title,
        "range": [low, high],
        "tickvals": [math.log1p(each / 100) for each in sorted(chosen)],
        "ticktext": [f"{each:+,d}" if each else "0" for each in sorted(chosen)],
    }


def in_logs(found: Interval) -> list[float]:
    """A change in per cent and the ends of its interval, on that axis; NaN where they are not finite."""
    ends = (found.value, found.low, found.high)
    return [math.log1p(each / 100) if math.isfinite(each) else math.nan for each in ends]


def change_table(rows: Iterable[tuple[object, ...]], *named: str) -> pd.DataFrame:
    """Changes in per cent, a row each.

    Args:
        rows: what a row is called, in as many cells as there are names for, then its interval.
    """
    cells = [(*names, found.value, found.low, found.high, found.n) for *names, found in rows]
    return pd.DataFrame(cells, columns=[*named, "change, %", "low", "high", "windows or seeds"])
