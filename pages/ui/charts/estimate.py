"""How far the additive estimate can be trusted: against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.comparison import rank_correlation
from core.results import Array
from pages.ui.charts.style import LIGHT, Chart, Palette, layout, limits, log_axis
from pages.ui.words import digits

FEW = 6  # pairs below which a rank correlation says little
NAMED = 10  # points that get their names in the figure; of more only the highlighted ones


def trusted(
    names: Sequence[str],
    estimated: Array,
    measured: Array,
    shown: Sequence[str],
    unit: str,
    within: str,
    look: Palette = LIGHT,
) -> Chart:
    """The estimate of each allocation against what it was measured to cost, of one target and pruner.

    Args:
        estimated: (allocations,) in the unit; NaN beyond what was measured of single layers.
        measured: (allocations,) rise of the loss over the dense model, nats/token; NaN where it is not finite.
        shown: highlighted names.
        within: the target and pruner.
    """
    known = np.isfinite(estimated) & np.isfinite(measured)
    inside = [index for index, ok in enumerate(known) if ok]
    rho, n = rank_correlation(estimated, measured)
    marked = [name in shown for name in names]
    figure = go.Figure(
        go.Scatter(
            x=estimated[known],
            y=measured[known],
            mode="markers+text",
            text=[_label(names[index], marked[index], n) for index in inside],
            textposition=_sides(estimated[known]),
            textfont={"size": 11, "color": look.ink},
            cliponaxis=False,
            marker={
                "size": 10,
                "color": [look.accent if marked[index] else look.undecided for index in inside],
            },
            customdata=[names[index] for index in inside],
            hovertemplate="%{customdata}: estimated %{x:.4g}, measured %{y:.4g}<extra></extra>",
            name="allocations",
        )
    )
    figure.update_layout(
        xaxis=_axis(estimated[known], f"additive estimate: {unit}"),
        yaxis={"title": "measured: loss above dense, nats/token", "rangemode": "tozero"},
    )
    table = pd.DataFrame({"allocation": list(names), f"estimated, {unit}": estimated, "measured, nats/token": measured})
    chart = layout(figure, height=400, right=60)
    return Chart("trust", "Estimate against measured", chart, _finding(rho, n, within, len(names) - n), table)


def _label(name: str, marked: bool, n: int) -> str:
    return f"<b>{name}</b>" if marked else name if n <= NAMED else ""


def _sides(x: Array) -> list[str]:
    """Labels of the right half lie left of their points, so that they stay inside."""
    middle = (
        math.sqrt(float(x.min()) * float(x.max())) if len(x) and x.min() > 0 else float(np.mean(x)) if len(x) else 0
    )
    return ["top left" if each > middle else "top right" for each in x]


def _axis(values: Array, title: str) -> dict:
    low, high = limits(values)
    return log_axis(values, title) if high / low > 1.5 else {"title": title}


def _finding(rho: float, n: int, within: str, lost: int) -> str:
    beyond = f" {lost} more cannot be placed." if lost else ""
    if math.isnan(rho):
        return (
            f"Too little to tell: n = {n} allocations of {within}, and a rank correlation needs 3 that differ.{beyond}"
        )
    text = f"Rank correlation {digits(rho)} over n = {n} allocations of {within}"
    if n < FEW:
        return f"{text}: too few to lean on.{beyond}"
    how = "the estimate ranks them well" if rho >= 0.8 else "a weak guide" if rho >= 0.4 else "no guide here"
    return f"{text}: {how}.{beyond}"
