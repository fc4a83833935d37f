"""Changes of perplexity with their paired intervals, a row per setting."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from core.analysis.comparison import Interval
from core.analysis.verdicts import counted, said
from core.figures.axes import row_axis
from core.figures.evaluation.shared import change_axis, change_table, in_logs
from core.figures.marks import whiskers, words
from core.figures.style import LIGHT, Chart, Palette, layout

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
            error_x=whiskers(*values.T, look.undecided),
            mode="markers",
            marker={"size": 10, "color": colours},
            customdata=[said(known[name]) for name in names],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            name="change",
        )
    )
    right = max(float(np.nanmax(values)), 0.0) if len(values) else 0.0  # of all intervals
    figure.add_trace(words([right] * len(names), names, [f"   {said(known[name])}" for name in names], colours))
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    axis = change_axis(values, f"change of perplexity against {against}, %", TICKS) | {"tickangle": 0}
    axis["range"] = [axis["range"][0], axis["range"][1] + 0.66 * (axis["range"][1] - axis["range"][0])]
    figure.update_layout(xaxis=axis, yaxis=row_axis(names))
    heading = title or f"Change of perplexity against {against}"
    table = change_table(rows.items(), "setting")
    return Chart("changes", heading, layout(figure, height=110 + 34 * len(names)), counted(rows, against), table)
