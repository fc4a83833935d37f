"""Changes of perplexity with their paired intervals, a row per setting; the axis that they share with others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.results.comparison import Interval
from core.results.verdicts import counted, said
from core.show.figures.axes import row_axis
from core.show.figures.marks import margin, whiskers, words
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon")
TICKS = (-99, -95, -90, -80, -70, -60, -50, -40, -30, -20, -15, -10, -5, -2, -1, 0, 1, 2, 5, 10, 15, 20, 30, 50, 75)
BIG_TICKS = (100, 150, 200, 300, 500, 900, 1900, 4900, 9900, 99_900, 999_900)
FEW_TICKS = 4  # that a phone has room for beside names and numbers


def changes(
    rows: Mapping[str, Interval], shown: str | None, against: str, look: Palette = LIGHT, title: str | None = None
) -> Chart:
    """Change of perplexity with its paired interval, a row per setting, least first.

    Args:
        rows: name -> change in per cent, from `core.results.comparison.percent`.
        shown: the highlighted name.
        against: what they are compared with.
    """
    known = {name: each for name, each in rows.items() if math.isfinite(each.value)}
    names = sorted(known, key=lambda name: known[name].value)
    values = np.array([in_logs(known[name]) for name in names]).reshape(-1, 3)
    colours = [look.accent if name == shown else look.ink for name in names]
    figure = go.Figure(
        go.Scatter(
            x=values[:, 0],
            y=names,
            error_x=whiskers(*values.T, look.undecided),
            mode="markers",
            marker={"size": 10, "color": colours},
            customdata=[said(known[name]) for name in names],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            name="change",
        )
    )
    right = max(float(np.nanmax(values)), 0.0) if len(values) else 0.0  # of all intervals
    told = [f"   {said(known[name])}" for name in names]
    figure.add_trace(words([right] * len(names), names, told, colours))
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    axis = change_axis(values, f"change of perplexity against {against}, %", FEW_TICKS) | {"tickangle": 0}
    figure.update_layout(xaxis=axis, yaxis=row_axis(names))
    heading = title or f"Change of perplexity against {against}"
    table = change_table(rows.items(), "setting")
    layout(figure, height=110 + 34 * len(names), right=margin(told))
    return Chart("changes", heading, figure, counted(rows, against), table)


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
