"""Changes of perplexity with their paired intervals, a row per setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.comparison import Interval
from core.analysis.verdicts import counted, said
from core.figures.axes import row_axis
from core.figures.evaluation.shared import change_axis, in_logs, whiskers
from core.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

TICKS = 4  # that a phone has room for beside names and numbers


def changes(
    rows: Mapping[str, Interval], shown: str | None, against: str, look: Palette = LIGHT, title: str | None = None
) -> Chart:
    """Change of perplexity with its paired interval, a row per setting, least first.

    Args:
        rows: name -> change in per cent, from `core.analysis.comparison.percent`.
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
            error_x=whiskers(values, look),
            mode="markers",
            marker={"size": 10, "color": colours},
            customdata=[said(known[name]) for name in names],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            name="change",
        )
    )
    figure.add_trace(_beside(values, names, [said(known[name]) for name in names], colours))
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    axis = change_axis(values, f"change of perplexity against {against}, %", TICKS) | {"tickangle": 0}
    axis["range"] = [axis["range"][0], axis["range"][1] + 0.66 * (axis["range"][1] - axis["range"][0])]
    figure.update_layout(xaxis=axis, yaxis=row_axis(names))
    table = pd.DataFrame(
        [(name, each.value, each.low, each.high, each.n) for name, each in rows.items()],
        columns=["setting", "change, %", "low", "high", "windows"],
    )
    layout(figure, height=110 + 34 * len(names))
    heading = title or f"Cost or gain against {against}"
    return Chart("changes", heading, figure, counted(rows, against), table)


def _beside(values: Array, names: Sequence[str], texts: Sequence[str], colours: Sequence[str]) -> go.Scatter:
    """What each row says, in a column right of all intervals."""
    right = max(float(np.nanmax(values)), 0.0) if len(values) else 0.0
    return go.Scatter(
        x=[right] * len(names),
        y=list(names),
        text=[f"   {text}" for text in texts],
        textfont={"color": list(colours), "size": 12},
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )
