"""Perplexity against target sparsity: a line per method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.ask.naming import spoken
from core.results.verdicts import not_a_number
from core.show.figures.axes import limits, log_axis
from core.show.figures.labels import digits, percent
from core.show.figures.marks import DASHES, LETTER, line_labels, rule, whiskers, wrapped
from core.show.figures.style import LIGHT, Chart, Palette, colour, layout
from core.store.results import Array

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon")
WIDEST = 16  # characters of a line of a name that a phone has room for
HEIGHT, LINES = 460, 22  # pixels of the chart, and how many lines of names stand one under another in them


@dataclass(frozen=True, eq=False)
class Curve:
    """One method at the targets it was measured at."""

    name: str
    points: Mapping[float, Array]  # target -> (seeds,) perplexities
    shown: bool = False
    ends: Mapping[float, tuple[float, float]] = field(default_factory=dict)  # target -> 95 % interval against uniform
    kind: str | None = None  # of its base allocator, which has its own colour


class End(NamedTuple):
    """Where a line ends, and what it is called there."""

    target: float
    value: float
    name: str
    colour: str


def perplexity(
    curves: Sequence[Curve],
    dense: float,
    broken: Mapping[str, int | None] | None = None,
    look: Palette = LIGHT,
    few: bool = False,
    at: float | None = None,
) -> Chart:
    """Perplexity over target sparsity on a log axis: a line per method through the mean of its seeds.

    Bars are 95 % intervals of the change against uniform, so uniform has none.

    Args:
        dense: perplexity of the dense model; NaN while it is not measured.
        broken: name -> first layer whose output is not finite, of the settings that cannot be drawn.
        few: whether too few windows were read to say which of two perplexities is less.
        at: the target that the finding speaks of; None: the last.
    """
    finite = [{target: row for target, row in each.points.items() if np.isfinite(row).all()} for each in curves]
    known = [replace(each, points=points) for each, points in zip(curves, finite, strict=True) if points]
    figure = go.Figure()
    for index, each in sorted(enumerate(known), key=lambda pair: pair[1].shown):
        _add_curve(figure, each, index, look)
    every = [value for each in known for values in each.points.values() for value in values]
    every += [end for each in known for ends in each.ends.values() for end in ends if math.isfinite(end)]
    every += [dense] if math.isfinite(dense) else []
    targets = sorted({target for each in known for target in each.points}) or [0.7]
    first, last = 100 * targets[0], 100 * targets[-1]
    span = max(last - first, 8.0)
    low, high = limits(np.array(every))
    if math.isfinite(dense):
        rule(figure, dense, first - 0.06 * span, last, color=look.guide, width=1.5, dash="dot")
    ends = _ends(known, dense, targets[-1], look)
    lines = max(LINES, sum(1 + each.name.count("<br>") for each in ends))
    top = max(high, 1.5 * low)
    _add_labels(figure, ends, last + 0.05 * span, math.log(top / low) / lines, (low, top), look)
    figure.update_layout(
        xaxis={
            "title": "target sparsity, % zeros",
            "tickvals": [round(100 * each, 6) for each in targets],
            "range": [first - 0.06 * span, last + 0.06 * span],
            "showgrid": False,
        },
        yaxis=log_axis(np.array(every), "perplexity (log scale)"),
    )
    said = _finding(known, dense, broken or {}, few, at)
    said += " Bars are 95 % intervals of the change against uniform." if any(map(_certain, known)) else ""
    layout(figure, height=HEIGHT * lines // LINES, right=8 + LETTER * WIDEST)
    return Chart("perplexity", "Perplexity against target sparsity", figure, said, _table(curves))


def _table(curves: Sequence[Curve]) -> pd.DataFrame:
    rows = [
        (each.name, target, _mean(values), float(values.min()), float(values.max()), len(values))
        for each in curves
        for target, values in each.points.items()
    ]
    return pd.DataFrame(rows, columns=["method", "target", "perplexity", "least seed", "greatest seed", "seeds"])


def _mean(values: Array) -> float:
    return float(np.exp(np.log(values).mean()))


def _add_curve(figure: go.Figure, curve: Curve, index: int, look: Palette) -> None:
    hue = _hue(curve, look)
    targets = sorted(curve.points)
    symbol = SYMBOLS[index % len(SYMBOLS)]
    figure.add_scatter(
        x=[100 * each for each in targets],
        y=[_mean(curve.points[each]) for each in targets],
        mode="lines",
        line={"color": hue, "width": 3 if curve.shown else 1.5, "dash": DASHES[index % len(DASHES)]},
        error_y=_bars(curve, targets, hue),
        hoverinfo="skip",
        name=f"{curve.name}, mean",
    )
    figure.add_scatter(
        x=[100 * each for each in targets for _ in curve.points[each]],
        y=[value for each in targets for value in curve.points[each]],
        mode="markers",
        marker={"color": hue, "size": 9 if curve.shown else 7, "symbol": symbol, "opacity": 0.85},
        hovertemplate=f"{curve.name}, %{{x:g}} %: %{{y:.4g}}<extra></extra>",
        name=curve.name,
    )


def _hue(curve: Curve, look: Palette) -> str:
    return look.accent if curve.shown else colour(curve.kind, look)


def _certain(curve: Curve) -> bool:
    return any(map(math.isfinite, (end for ends in curve.ends.values() for end in ends)))


def _bars(curve: Curve, targets: Sequence[float], hue: str) -> dict | None:
    """Bars from the mean of each target to the ends of its interval."""
    if not _certain(curve):
        return None
    mean = np.array([_mean(curve.points[each]) for each in targets])
    low, high = np.array([curve.ends.get(each, (math.nan, math.nan)) for each in targets]).T
    return whiskers(mean, low, high, hue, 1.5)


def _ends(curves: Sequence[Curve], dense: float, last: float, look: Palette) -> list[End]:
    """Where every line ends and its name there."""
    found = [End(last, dense, f"dense {digits(dense, 3)}", look.ink)] if math.isfinite(dense) else []
    for each in curves:
        end = max(each.points)
        name = f"<b>{wrapped(each.name, WIDEST)}</b>" if each.shown else wrapped(each.name, WIDEST)
        found.append(End(end, _mean(each.points[end]), name, _hue(each, look)))
    return found


def _add_labels(
    figure: go.Figure, ends: Sequence[End], x: float, gap: float, axis: tuple[float, float], look: Palette
) -> None:
    """Names right of the last target, apart from each other, and led to from where their lines end."""
    if not ends:
        return
    targets, values, names, colours = zip(*ends, strict=True)
    labels = line_labels(x, values, names, colours, gap, axis=axis)
    figure.add_scatter(  # from the end of every line to its name
        x=[x for target, to in zip(targets, labels.x, strict=True) for x in (100 * target, to, None)],
        y=[y for value, to in zip(values, labels.y, strict=True) for y in (value, to, None)],
        mode="lines",
        line={"color": look.guide, "width": 0.75},
        hoverinfo="skip",
        name="leaders",
    )
    figure.add_trace(labels)


def _finding(
    curves: Sequence[Curve], dense: float, broken: Mapping[str, int | None], few: bool, at: float | None
) -> str:
    """The dense model's; who has the lowest and the highest at a target, or only how far they spread."""
    said = [f"Dense: {digits(dense, 3)}."] if math.isfinite(dense) else []
    at = max((target for each in curves for target in each.points), default=None) if at is None else at
    here = {each.name: _mean(each.points[at]) for each in curves if at in each.points}
    if here:
        least, most = min(here, key=here.get), max(here, key=here.get)
        low, high = digits(here[least], 3), digits(here[most], 3)
        lowest, highest = spoken(least), spoken(most)
        spread = f"perplexities run from {low} to {high}; too few windows to rank them."
        if least == most:
            spread = f"the perplexity of {lowest} is {low}."
        elif not few:
            spread = f"{lowest} has the lowest perplexity, {low}; {highest} the highest, {high}."
        said.append(f"At {percent(at)} zeros {spread}")
    return " ".join([*said, *not_a_number(broken)]) or "Nothing is measured yet."
