"""Zero-shot accuracies with their standard errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.formats import capital
from core.show.figures.axes import row_axis
from core.show.figures.marks import words
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

Rows = Mapping[str, tuple[float, float]]


def accuracies(
    rows: Rows, shown: str | None, what: str, look: Palette = LIGHT, broken: Mapping[str, int | None] | None = None
) -> Chart:
    """Accuracy as bars with their standard errors, in the order given.

    Args:
        rows: name -> accuracy and standard error, fractions; NaN where the model broke, which gets no bar.
        what: the task, or the mean of tasks.
        broken: name -> first layer whose output is not finite, as far as that is known of those that broke.
    """
    known = {name: each for name, each in rows.items() if np.isfinite(each[0])}
    names = list(known)
    table = pd.DataFrame(
        [(name, *each) for name, each in rows.items()], columns=["setting", "accuracy", "standard error"]
    )
    values = np.array([known[name] for name in names]).reshape(-1, 2)
    figure = _bars(names, values, [look.accent if name == shown else look.undecided for name in names], look)
    top = 100 * float((values[:, 0] + np.nan_to_num(values[:, 1])).max(initial=0.0))
    figure.update_layout(
        xaxis={"title": f"accuracy, %: {what}", "range": [0, 1.25 * top + 1]}, yaxis=row_axis(names), bargap=0.35
    )
    finding = " ".join([*_finding(known), *_broken(rows, broken or {})])
    return Chart("zero-shot", "Zero-shot accuracy", layout(figure, height=110 + 34 * len(names)), finding, table)


def _bars(names: list[str], values: Array, colours: list[str], look: Palette) -> go.Figure:
    """Bars and, right of them, what they say.

    Args:
        values: (names, 2) accuracy and standard error.
    """
    errors = np.nan_to_num(values[:, 1])
    bars = go.Bar(
        x=100 * values[:, 0],
        y=names,
        orientation="h",
        error_x={"type": "data", "array": 100 * errors, "color": look.ink, "thickness": 1.5},
        marker={"color": colours, "line": {"width": 0}},
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        name="accuracy",
    )
    beside = [f"  {_said(mean, error)}" for mean, error in values]
    return go.Figure([bars, words(100 * (values[:, 0] + errors), names, beside, look.ink)])


def _said(mean: float, error: float) -> str:
    """In per cent; a single example has no standard error."""
    return f"{100 * mean:.1f} ± {100 * error:.1f}" if np.isfinite(error) else f"{100 * mean:.1f}"


def _finding(known: Rows) -> list[str]:
    """Who answers most and least right."""
    if not known:
        return ["No setting has an accuracy."]
    best, worst = (pick(known, key=lambda name: known[name][0]) for pick in (max, min))
    most, least = (f"{_said(*known[name])} %" for name in (best, worst))
    first = f"{capital(best)} answers"
    if best == worst:
        return [f"{first} {most} right; ± is the standard error."]
    return [f"{first} most right ({most}), {worst} least ({least}); ± is the standard error."]


def _broken(rows: Rows, layers: Mapping[str, int | None]) -> list[str]:
    """A sentence for every setting without an accuracy, with the layer where that arose."""
    return [
        f"{name} has no accuracy: its outputs are not finite"
        + ("." if layers.get(name) is None else f", from layer {layers[name]} on.")
        for name, (mean, _) in rows.items()
        if not np.isfinite(mean)
    ]
