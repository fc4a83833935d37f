"""How far the additive estimate can be trusted: against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.comparison import rank_correlation
from core.figures.axes import limits, log_axis
from core.figures.labels import digits
from core.figures.placing import sides
from core.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

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
    inside = [index for index, ok in enumerate(known) if ok]
    rho, n = rank_correlation(estimated, measured)
    marked = [name in shown or name in uniform for name in names]
    reach = np.append(estimated[known], [] if here is None else [here])
    texts = [names[index] if marked[index] or n <= NAMED else "" for index in inside]
    figure = go.Figure(
        go.Scatter(
            x=estimated[known],
            y=measured[known],
            mode="markers+text",
            text=[f"<b>{text}</b>" if marked[index] else text for index, text in zip(inside, texts, strict=True)],
            textposition=sides(_drawn(estimated[known], reach), measured[known], texts),
            textfont={"size": 11, "color": look.ink},
            cliponaxis=False,
            marker={"size": 10, "color": [_colour(names[index], shown, uniform, look) for index in inside]},
            customdata=[names[index] for index in inside],
            hovertemplate="%{customdata}: estimated %{x:.4g}, measured %{y:.4g}<extra></extra>",
            name="allocations",
        )
    )
    figure.update_layout(
        xaxis=_axis(reach, f"additive estimate: {unit}"),
        yaxis={"title": "measured: loss above dense, nats/token", "rangemode": "normal"},
    )
    if here is not None:
        _add_here(figure, here, look)
    table = pd.DataFrame({"allocation": list(names), f"estimated, {unit}": estimated, "measured, nats/token": measured})
    layout(figure, height=400, right=60, top=12 if here is None else 28)
    beyond, broken = int((~np.isfinite(estimated)).sum()), int((np.isfinite(estimated) & ~np.isfinite(measured)).sum())
    finding = " ".join([_finding(rho, n, within), *_unplaced(beyond, broken), *_of_here(here)])
    return Chart("trust", "Estimate against measured", figure, finding, table)


def _colour(name: str, shown: Sequence[str], uniform: Sequence[str], look: Palette) -> str:
    return look.accent if name in shown else look.ink if name in uniform else look.undecided


def _add_here(figure: go.Figure, here: float, look: Palette) -> None:
    """Where the allocation in view would stand: its estimate is known, its cost is not."""
    figure.add_vline(x=here, line={"color": look.accent, "width": 2, "dash": "dot"})
    figure.add_annotation(
        x=math.log10(here) if figure.layout.xaxis.type == "log" else here, y=1, yref="paper", yanchor="bottom",
        showarrow=False, font={"size": 11, "color": look.accent}, text="in view, not measured",
    )  # fmt: skip


def _of_here(here: float | None) -> list[str]:
    return [] if here is None else [f"The allocation in view is estimated at {digits(here, 3)} and not measured."]


def _drawn(values: Array, reach: Array) -> Array:
    """Values as the axis of all that is drawn places them."""
    return np.log(values) if _spans(reach) else values


def _spans(values: Array) -> bool:
    """Whether they are far enough apart for a logarithmic axis."""
    low, high = limits(values)
    return bool(high / low > 1.5 and (values > 0).all())


def _axis(values: Array, title: str) -> dict:
    return log_axis(values, title) if _spans(values) else {"title": title}


def _unplaced(beyond: int, broken: int) -> list[str]:
    """How many allocations have no place in the figure, and why."""
    reasons = {"a layer goes beyond the largest sparsity measured": beyond, "the loss is not a number": broken}
    return [f"{count} more cannot be placed, for {why}." for why, count in reasons.items() if count]


def _finding(rho: float, n: int, within: str) -> str:
    if math.isnan(rho):
        return f"Too little to tell: n = {n} allocations of {within}, and a rank correlation needs 3 that differ."
    text = f"Rank correlation {digits(rho)} over n = {n} allocations of {within}"
    if n < FEW:
        return f"{text}: too few to lean on."
    how = "the estimate ranks them well" if rho >= 0.8 else "a weak guide" if rho >= 0.4 else "no guide here"
    return f"{text}: {how}."
