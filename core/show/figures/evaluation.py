"""Settings as rows: changes of perplexity with their intervals, accuracies with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.formats import capital
from core.results.comparison import Interval
from core.results.verdicts import counted, said
from core.show.figures.axes import row_axis
from core.show.figures.marks import margin, whiskers, words
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

PAPER_PERPLEXITY, PAPER_ACCURACY = -7.13, 1.02
PAPER = "paper, second-hand; other models"
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
    values = np.array([_in_logs(known[name]) for name in names]).reshape(-1, 3)
    figure = _dots("change", names, values, [said(known[name]) for name in names], shown, look)
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    figure.update_layout(xaxis=_change_axis(values, f"change of perplexity against {against}, %") | {"tickangle": 0})
    cells = [(name, each.value, each.low, each.high, each.n) for name, each in rows.items()]
    table = pd.DataFrame(cells, columns=["setting", "change, %", "low", "high", "windows or seeds"])
    return Chart("changes", title or f"Change of perplexity against {against}", figure, counted(rows, against), table)


def accuracies(
    rows: Mapping[str, tuple[float, float]],
    shown: str | None,
    what: str,
    look: Palette = LIGHT,
) -> Chart:
    """Accuracy with its standard error, a row per setting, in the order given.

    Args:
        rows: name -> accuracy and standard error, fractions; NaN where the model broke, which gets no row.
        what: the task, or the mean of tasks.
    """
    known = {name: each for name, each in rows.items() if np.isfinite(each[0])}
    told = {name: _percents(*each) for name, each in known.items()}
    values = np.array([(mean, mean - error, mean + error) for mean, error in known.values()]).reshape(-1, 3)
    figure = _dots("accuracy", list(known), 100 * values, list(told.values()), shown, look)
    figure.update_layout(xaxis={"title": f"accuracy, %: {what}", "rangemode": "tozero"})
    lacking = [f"{name} has no accuracy: its outputs are not finite." for name in rows if name not in known]
    finding = " ".join([*_finding(known, told), *lacking])
    table = pd.DataFrame(
        [(name, *each) for name, each in rows.items()], columns=["setting", "accuracy", "standard error"]
    )
    return Chart("zero-shot", "Zero-shot accuracy", figure, finding, table)


def _dots(
    of: str, names: Sequence[str], values: Array, told: Sequence[str], shown: str | None, look: Palette
) -> go.Figure:
    """A dot with its interval in each row, and right of all of them what it says.

    Args:
        values: (names, 3) values and ends on the axis; ends may be NaN.
    """
    colours = [look.accent if name == shown else look.ink for name in names]
    dots = go.Scatter(
        x=values[:, 0],
        y=list(names),
        error_x=whiskers(*values.T, look.undecided),
        mode="markers",
        marker={"size": 10, "color": colours},
        customdata=list(told),
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        name=of,
    )
    right = max(float(np.nanmax(values)), 0.0) if len(values) else 0.0
    texts = [f"   {text}" for text in told]
    figure = go.Figure([dots, words([right] * len(names), list(names), texts, colours)])
    figure.update_layout(yaxis=row_axis(list(names)))
    return layout(figure, height=110 + 34 * len(names), right=margin(texts))


def _percents(mean: float, error: float) -> str:
    """A single example has no standard error."""
    return f"{100 * mean:.1f} ± {100 * error:.1f}" if np.isfinite(error) else f"{100 * mean:.1f}"


def _finding(known: Mapping[str, tuple[float, float]], told: Mapping[str, str]) -> list[str]:
    """Who answers most and least right."""
    if not known:
        return ["No setting has an accuracy."]
    best, worst = (pick(known, key=lambda name: known[name][0]) for pick in (max, min))
    least = "" if best == worst else f", {worst} least ({told[worst]} %)"
    return [f"{capital(best)} answers most right ({told[best]} %){least}; ± is the standard error."]


def _change_axis(values: Array, title: str) -> dict:
    """An axis of `ln(1 + per cent / 100)`: twice and half lie equally far from nothing; ticks in per cent."""
    usable = values[np.isfinite(values)]
    low, high = min(usable.min(initial=0.0), -0.02), max(usable.max(initial=0.0), 0.02)
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    inside = [each for each in (*TICKS, *BIG_TICKS) if low <= math.log1p(each / 100) <= high]
    chosen = [0]
    for each in sorted(inside, key=lambda tick: (abs(tick) % 10 != 0, abs(tick) % 5 != 0, abs(tick))):
        if all(abs(math.log1p(each / 100) - math.log1p(other / 100)) > (high - low) / FEW_TICKS for other in chosen):
            chosen.append(each)
    return {
        "title": title,
        "range": [low, high],
        "tickvals": [math.log1p(each / 100) for each in sorted(chosen)],
        "ticktext": [f"{each:+,d}" if each else "0" for each in sorted(chosen)],
    }


def _in_logs(found: Interval) -> list[float]:
    """A change in per cent and the ends of its interval, on that axis; NaN where they are not finite."""
    ends = (found.value, found.low, found.high)
    return [math.log1p(each / 100) if math.isfinite(each) else math.nan for each in ends]
