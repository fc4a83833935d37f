"""The additive estimate: what allocations are estimated to cost, and how far that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.formats import capital
from core.results.comparison import rank_correlation
from core.show.figures.axes import limits, log_axis, row_axis
from core.show.figures.labels import digits, percent
from core.show.figures.marks import above, whiskers
from core.show.figures.marks import here as through
from core.show.figures.placing import sides
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

FEW = 6  # pairs below which a rank correlation says little
NAMED = 10  # points that get their names in the figure; of more only the highlighted ones


@dataclass(frozen=True)
class Estimate:
    """The additive estimate of an allocation; a range where several are meant."""

    name: str
    value: float
    low: float
    high: float


def estimates(rows: Sequence[Estimate], shown: str, unit: str, look: Palette = LIGHT) -> Chart:
    """Additive estimates as points on one axis, lower is better.

    Args:
        rows: top to bottom; NaN where an allocation goes beyond what was measured.
        shown: the highlighted name.
        unit: of the estimate.
    """
    known = [each for each in rows if np.isfinite(each.value)]
    values = np.array([[each.low, each.value, each.high] for each in known])
    figure = go.Figure(
        go.Scatter(
            x=values[:, 1],
            y=[each.name for each in known],
            error_x=whiskers(values[:, 1], values[:, 0], values[:, 2], look.undecided),
            mode="markers+text",
            marker={"size": 11, "color": [look.accent if each.name == shown else look.ink for each in known]},
            text=[digits(each.value, 3) for each in known],
            textposition="top center",
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
            name="additive estimate",
        )
    )
    title = f"additive estimate: {unit}".replace(", curves", ",<br>curves")  # two short lines, for a phone
    figure.update_layout(
        xaxis=_axis(values, title),
        yaxis=row_axis([each.name for each in known])
        | {"autorange": False, "range": [len(known) - 0.5, -0.9]},  # room for the first one's number
    )
    table = pd.DataFrame([(each.name, each.value, each.low, each.high) for each in rows])
    table.columns = ["allocation", unit, "least", "greatest"]
    layout(figure, height=130 + 44 * len(known), top=30)
    return Chart("estimates", "What is this allocation estimated to cost?", figure, _cheapest(known, shown), table)


def _cheapest(known: Sequence[Estimate], shown: str) -> str:
    best = min(known, key=lambda each: each.value)
    mine = next((each for each in known if each.name == shown), None)
    if mine is None:
        return (
            f"{capital(shown)} has no estimate: it goes beyond the largest sparsity measured. Of the others, "
            f"{best.name} has the lowest ({digits(best.value, 3)})."
        )
    others = [f"{_ratio(mine.value, each.value)} {each.name}" for each in known if each.name != shown]
    return f"Estimated harm: {', '.join(others)}." if others else "There is nothing to compare the estimate with."


def _ratio(mine: float, other: float) -> str:
    change = mine / other - 1 if other else 0.0
    if abs(change) < 5e-4:
        return "the same as"
    return f"{percent(abs(change), 1)} {'more' if change > 0 else 'less'} than"


def trusted(
    names: Sequence[str],
    estimated: Array,
    measured: Array,
    shown: Sequence[str],
    unit: str,
    within: str,
    look: Palette = LIGHT,
    *,
    uniform: Sequence[str] = (),
    here: float | None = None,
) -> Chart:
    """The estimate of each allocation against what it was measured to cost, of one target and pruner.

    Args:
        estimated: (allocations,) in the unit; NaN beyond what was measured of single layers.
        measured: (allocations,) rise of the loss over the dense model, nats/token; NaN where it is not finite.
        shown: names of the allocation in view.
        within: the target and pruner.
        uniform: names of the allocation that all are compared with.
        here: the estimate of the allocation in view where it was not measured.
    """
    known = np.isfinite(estimated) & np.isfinite(measured)
    inside = [name for name, placed in zip(names, known, strict=True) if placed]
    rho, n = rank_correlation(estimated, measured)
    reach = np.append(estimated[known], [] if here is None else [here])
    colours = {name: look.ink for name in uniform} | {name: look.accent for name in shown}
    figure = go.Figure(_points(estimated[known], measured[known], inside, colours, _spans(reach), look))
    figure.update_layout(
        xaxis=_axis(reach, f"additive estimate: {unit}"),
        yaxis={"title": "measured: loss above dense, nats/token", "rangemode": "normal"},
    )
    if here is not None:
        _add_here(figure, here, look)
    table = pd.DataFrame({"allocation": list(names), f"estimated, {unit}": estimated, "measured, nats/token": measured})
    layout(figure, height=400, right=60, top=12 if here is None else 28)
    beyond, broken = int((~np.isfinite(estimated)).sum()), int((np.isfinite(estimated) & ~np.isfinite(measured)).sum())
    said = [] if here is None else [f"The allocation in view is estimated at {digits(here, 3)} and not measured."]
    finding = " ".join([_finding(rho, n, within), *_unplaced(beyond, broken), *said])
    return Chart("trust", "Estimate against measured", figure, finding, table)


def _points(x: Array, y: Array, names: Sequence[str], colours: dict[str, str], log: bool, look: Palette) -> go.Scatter:
    """Allocations; those with a colour of their own, or all where they are few, with their names.

    Args:
        log: whether the axis below is logarithmic, which moves names.
    """
    texts = [name if name in colours or len(names) <= NAMED else "" for name in names]
    return go.Scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=[f"<b>{text}</b>" if text in colours else text for text in texts],
        textposition=sides(np.log(x) if log else x, y, texts),
        textfont={"size": 11, "color": look.ink},
        cliponaxis=False,
        marker={"size": 10, "color": [colours.get(name, look.undecided) for name in names]},
        customdata=list(names),
        hovertemplate="%{customdata}: estimated %{x:.4g}, measured %{y:.4g}<extra></extra>",
        name="allocations",
    )


def _add_here(figure: go.Figure, here: float, look: Palette) -> None:
    """Where the allocation in view would stand: its estimate is known, its cost is not."""
    through(figure, here, look)
    x = math.log10(here) if figure.layout.xaxis.type == "log" else here
    above(figure, "in view, not measured", x, "center", xref="x", font={"size": 11, "color": look.accent})


def _spans(values: Array) -> bool:
    """Whether they are far enough apart for a logarithmic axis."""
    low, high = limits(values)
    return bool(high / low > 1.5 and (values > 0).all())


def _axis(values: Array, title: str) -> dict:
    return log_axis(values, title) if _spans(values) else {"title": title}


def _unplaced(beyond: int, broken: int) -> list[str]:
    """How many allocations have no place in the figure, and why."""
    reasons = {"a layer goes beyond the largest sparsity measured": beyond, "the loss is not a number": broken}
    return [f"{count} more cannot be placed because {why}." for why, count in reasons.items() if count]


def _finding(rho: float, n: int, within: str) -> str:
    if math.isnan(rho):
        return f"Too little to tell: n = {n} allocations of {within}, and a rank correlation needs 3 that differ."
    text = f"Rank correlation {digits(rho)} over n = {n} allocations of {within}"
    if n < FEW:
        return f"{text}: too few to lean on."
    how = "the estimate ranks them well" if rho >= 0.8 else "a weak guide" if rho >= 0.4 else "no guide here"
    return f"{text}: {how}."
