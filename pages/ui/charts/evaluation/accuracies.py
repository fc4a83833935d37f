"""Zero-shot accuracies with their standard errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.ui.charts.style import LIGHT, Chart, Palette, layout


def accuracies(rows: Mapping[str, tuple[float, float]], shown: str | None, what: str, look: Palette = LIGHT) -> Chart:
    """Accuracy as bars with their standard errors, in the order given.

    Args:
        rows: name -> accuracy and standard error, fractions.
        what: the task, or the mean of tasks.
    """
    names = list(rows)
    values = np.array([rows[name] for name in names])
    colours = [look.accent if name == shown else look.undecided for name in names]
    figure = go.Figure(
        go.Bar(
            x=100 * values[:, 0],
            y=names,
            orientation="h",
            error_x={"type": "data", "array": 100 * np.nan_to_num(values[:, 1]), "color": look.ink, "thickness": 1.5},
            marker={"color": colours, "line": {"width": 0}},
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
            name="accuracy",
        )
    )
    figure.add_scatter(
        x=100 * (values[:, 0] + np.nan_to_num(values[:, 1])),
        y=names,
        text=[f"  {100 * mean:.1f} ± {100 * error:.1f}" for mean, error in values],
        textfont={"color": look.ink, "size": 12},
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )
    top = 100 * float((values[:, 0] + np.nan_to_num(values[:, 1])).max())
    figure.update_layout(
        xaxis={"title": f"accuracy, %: {what}", "range": [0, 1.25 * top + 1]},
        yaxis={"autorange": "reversed", "showgrid": False, "title": None},
        bargap=0.35,
    )
    table = pd.DataFrame({"setting": names, "accuracy": values[:, 0], "standard error": values[:, 1]})
    best, worst = names[int(values[:, 0].argmax())], names[int(values[:, 0].argmin())]
    most, least = (f"{100 * rows[name][0]:.1f} ± {100 * rows[name][1]:.1f} %" for name in (best, worst))
    finding = (
        f"{best[:1].upper()}{best[1:]} answers most right ({most}), {worst} least ({least}); ± is the standard error."
    )
    return Chart("zero-shot", "Zero-shot accuracy", layout(figure, height=110 + 34 * len(names)), finding, table)
