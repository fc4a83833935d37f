"""The matrix of relative drift: what is left at each layer of the drift injected at each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.results import propagation
from core.show.figures.axes import factor, layer_axis
from core.show.figures.labels import times
from core.show.figures.marks import cells, colour_bar
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array, Perturbed

APART = 48  # layers whose cells are kept apart by lines


def heatmap(seeds: Sequence[Perturbed], floor: Array | None, layer: int | None, look: Palette = LIGHT) -> Chart:
    """`log2(R[i,k] / R[i,i])`, blue where drift shrank and red where it grew; cells drowned in rounding are grey.

    Args:
        seeds: the noise seeds of one perturbation; layers not measured yet may be NaN.
        floor: (injection, read) drift of rounding alone; None while it is not known.
        layer: the injection layer to outline.
    """
    left = propagation.relative(seeds)
    layers = len(left)
    drowned = np.isfinite(left) & (propagation.below_floor(seeds, floor) if floor is not None else False)
    shown = np.where(drowned, np.nan, np.log2(left))
    figure = go.Figure(diverging(shown, np.arange(layers), np.arange(layers), look, "drift remaining"))
    if drowned.any():
        figure.add_trace(_drowned(drowned, look))
    figure.add_trace(_targets(left, drowned))
    if layer is not None:
        edges = {"x0": layer - 0.5, "x1": layers - 0.5, "y0": layer - 0.5, "y1": layer + 0.5}
        figure.add_shape(type="rect", line={"color": look.accent, "width": 2.5}, **edges)
    figure.update_layout(
        xaxis=layer_axis(layers, "after layer"),
        yaxis=layer_axis(layers, "perturbed layer") | {"range": [layers - 0.4, -0.6]},
    )
    layout(figure, height=460)
    finding, table = _finding(left, drowned), _table(left, drowned)
    return Chart("drift-matrix", "Drift remaining after each layer", figure, finding, table)


def diverging(shown: Array, x: Array, y: Array, look: Palette, title: str) -> go.Heatmap:
    """A heatmap of log2 ratios, neutral at 1×, with the ratios written at the colour bar."""
    reach = bound(shown)
    ticks = np.arange(-reach, reach + 1) if reach > 1 else np.array([-1, -0.5, 0, 0.5, 1])
    return go.Heatmap(
        z=shown,
        x=x,
        y=y,
        zmin=-reach,
        zmax=reach,
        zmid=0,
        colorscale=[list(stop) for stop in look.diverging],
        **_lines(len(x)),
        hoverinfo="skip",  # hover and clicks belong to the markers on top: a heatmap cannot be selected
        colorbar=colour_bar(
            f"{title}: absorbed (blue), amplified (red)",
            x=0.5,
            len=1.0,
            tickvals=ticks,
            ticktext=[factor(2.0**tick) for tick in ticks],
        ),
    )


def _lines(layers: int) -> dict[str, float]:
    """Lines between cells, where cells are large enough not to be washed out by them."""
    width = 0.5 if layers <= APART else 0.0
    return {"xgap": width, "ygap": width}


def bound(logs: Array) -> int:
    """Largest absolute value to colour, whole: from the 98th percentile, so that one cell does not fade the rest."""
    usable = np.abs(logs[np.isfinite(logs)])
    return max(1, math.ceil(np.percentile(usable, 98) - 0.25)) if usable.size else 1


def _drowned(drowned: NDArray[np.bool_], look: Palette) -> go.Heatmap:
    return go.Heatmap(
        z=np.where(drowned, 0.0, np.nan),
        colorscale=[[0, look.hidden], [1, look.hidden]],
        showscale=False,
        **_lines(len(drowned)),
        hoverinfo="skip",
        name="below the noise floor",
    )


def _targets(left: Array, drowned: NDArray[np.bool_]) -> go.Scatter:
    """Invisible squares over the cells, which can be hovered and clicked; `customdata` is (injection, read)."""
    i, k = np.nonzero(np.isfinite(left))
    said = [
        "below the noise floor" if hidden else f"{times(part)}"
        for part, hidden in zip(left[i, k], drowned[i, k], strict=True)
    ]
    return cells(
        k,
        i,
        "perturbed layer %{y}, after layer %{x}: %{text}",
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.stack([i, k], axis=1).tolist(),  # as lists: a selection reports packed arrays as dictionaries
        text=said,
    )


def _finding(left: Array, drowned: NDArray[np.bool_]) -> str:
    if len(left) == 1:
        return "The model has one layer: nothing follows it that could absorb its drift."
    ends = np.where(drowned[:-1, -1], np.nan, left[:-1, -1])
    known = np.isfinite(ends)
    if not known.any():
        return "No drift is above the noise floor yet."
    shrunk = int((ends[known] < 1).sum()) or "none"
    strongest, weakest = int(np.nanargmax(ends)), int(np.nanargmin(ends))
    said = (
        f"By the last layer, the drift from {shrunk} of {known.sum()} layers has shrunk. Least is left from "
        f"layer {weakest} ({times(ends[weakest])}), most from layer {strongest} ({times(ends[strongest])})."
    )
    return f"{said} {drowned.sum()} grey cells are below the noise floor." if drowned.any() else said


def _table(left: Array, drowned: NDArray[np.bool_]) -> pd.DataFrame:
    i, k = np.nonzero(np.isfinite(left))
    columns = {"injection layer": i, "read layer": k, "drift left": left[i, k], "below noise floor": drowned[i, k]}
    return pd.DataFrame(columns)
