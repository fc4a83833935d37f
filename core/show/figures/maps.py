"""Heat maps: drift left of layer by layer, numbers of tensors by layer, correlation of layers, budgets of linears."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import Estimate, Flags, capital, times
from core.methods import BudgetUnit
from core.plan import below_floor, drift_left, layer_means
from core.show.figures.axes import labels, layer_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, cells, colour_bar, heat, layout, mark_layer
from core.store import Array, Seeds


def diverging(values: Array, reach: float, words: Sequence[str]) -> go.Heatmap:
    """A square heatmap over layers, neutral at 0.

    Args:
        reach: what has the strongest colours, above 0 and below.
        words: at the colour bar, of -reach, 0 and reach.
    """
    bar = colour_bar(tickvals=[-reach, 0, reach], ticktext=words)
    return heat(values, bar, zmin=-reach, zmax=reach, zmid=0, colorscale=LIGHT.diverging)


def bound(logs: Array) -> int:
    """Largest absolute value to colour, whole: from the 98th percentile, so that one cell does not fade the rest."""
    usable = np.abs(logs[np.isfinite(logs)])
    return max(1, math.ceil(np.percentile(usable, 98) - 0.25)) if usable.size else 1


# --- drift --------------------------------------------------------------------------------------------------------


def heatmap(seeds: Seeds, floor: Array | None, layer: int | None) -> Chart:
    """`log2(R[i,k] / R[i,i])`, blue where drift shrank and red where it grew; cells drowned in rounding are grey.

    Args:
        seeds: the noise seeds of one perturbation; layers not measured yet may be NaN.
        floor: (injection, read) drift of rounding alone; None while it is not known.
        layer: the injection layer to outline.
    """
    left = drift_left(seeds)
    layers, below = len(left), "below the noise floor"
    drowned = np.isfinite(left) & (below_floor(seeds, floor) if floor is not None else False)
    logs = np.where(drowned, np.nan, np.log2(left))
    reach = bound(logs)
    ends = [f"{times(2.0**-reach)}, absorbs", "drift 1×", f"{times(2.0**reach)}, amplifies"]
    traces = [diverging(logs, reach, ends)]
    if drowned.any():
        grey = [[0, LIGHT.hidden], [1, LIGHT.hidden]]
        traces.append(heat(np.where(drowned, 0.0, np.nan), colorscale=grey, name=below))
    i, k = np.nonzero(np.isfinite(left))
    drift, hidden = left[i, k], drowned[i, k]
    texts = [below if grey else times(part) for part, grey in zip(drift, hidden, strict=True)]
    pairs = np.stack([i, k], axis=1).tolist()  # as lists: a selection reports packed arrays as dictionaries
    unseen = {each: {"marker": {"opacity": 0}} for each in ("selected", "unselected")}
    hover = "perturbed layer %{y}, after layer %{x}: %{text}"
    traces.append(cells(k, i, hover, customdata=pairs, text=texts, **unseen))
    row = [] if layer is None else [
        {"type": "rect", "x0": layer - 0.5, "x1": layers - 0.5, "y0": layer - 0.5, "y1": layer + 0.5,
         "line": {"color": LIGHT.accent, "width": 2.5}}
    ]  # fmt: skip
    figure = layout(traces, layer_axis(layers, "after layer"), layer_axis(layers, "perturbed layer"), shapes=row)
    columns = {"injection layer": i, "read layer": k, "drift left": drift, "below noise floor": hidden}
    finding = _matrix_sentence(left, drowned)
    return Chart("drift-matrix", "Drift remaining after each layer", figure, finding, pd.DataFrame(columns))


def _matrix_sentence(left: Array, drowned: Flags) -> str:
    if len(left) == 1:
        return "The model has one layer: nothing follows it that could absorb its drift."
    ends = np.where(drowned[:-1, -1], np.nan, left[:-1, -1])
    finite = np.isfinite(ends)
    if not finite.any():
        return "No drift is above the noise floor yet."
    shrunk = int((ends[finite] < 1).sum()) or "none"
    strongest, weakest = int(np.nanargmax(ends)), int(np.nanargmin(ends))
    text = (
        f"By the last layer, the drift from {shrunk} of {finite.sum()} layers has shrunk. Least is left from "
        f"layer {weakest} ({times(ends[weakest])}), most from layer {strongest} ({times(ends[strongest])})."
    )
    return f"{text} {drowned.sum()} grey cells are below the noise floor." if drowned.any() else text


# --- tensors of layers ----------------------------------------------------------------------------------------------


def by_layer(
    z: Array, names: Sequence[str], hover: str, bar: dict, title: str, written: Array, room: float = 0.0,
    **more: Any,
) -> go.Figure:  # fmt: skip
    """A row for each tensor of a layer, a column for each layer.

    Args:
        z: (layers, tensors).
        hover: of `%{customdata[0]}`, the tensor, and `%{customdata[1]}`, the value as it is written.
        title: what the colours say.
        written: (layers, tensors) in words, beside z.
        room: right of the last layer, in layers.
    """
    layers, count = z.shape
    called = [escape(name) for name in names]
    data = np.stack([np.repeat(np.array(called)[:, None], layers, 1), written.T], axis=-1)
    cells = heat(z.T, bar, hover, customdata=data, ygap=1.5)
    last = [name.rpartition(".")[-1] for name in called]
    rows = {"tickvals": np.arange(count), "ticktext": last, "range": [count - 0.4, -0.6], "showgrid": False}
    return layout([cells], layer_axis(layers, "layer", room), rows | {"title": title}, **more)


def logs_by_layer(
    values: Array, names: Sequence[str], hover: str, title: str, write: Callable[[float], str], layer: int
) -> go.Figure:
    """A heatmap as `by_layer`, coloured by the log of values; values not above zero stay empty.

    Args:
        write: writes a value at the scale of colours.
        layer: the highlighted one.
    """
    positive = np.where(values > 0, values, np.nan)
    logs = np.log10(positive)
    usable = logs[np.isfinite(logs)]
    ticks = np.unique(np.linspace(usable.min(), usable.max(), 3)) if usable.size else usable
    bar = colour_bar(tickvals=ticks, ticktext=[write(10**tick) for tick in ticks])
    return by_layer(logs, names, hover, bar, title, positive, shapes=mark_layer(layer))


def pairs(correlation: Estimate, finding: str, layer: int) -> Chart:
    """Correlation of every two layers, red where their damages add and blue where they cancel.

    Args:
        correlation: (layers, layers) each.
    """
    layers = len(correlation.value)
    same = np.eye(layers, dtype=bool)
    i, k = np.nonzero(~same)
    r, low, high = (values[i, k] for values in correlation[:3])
    columns = {"layer": i, "other layer": k, "correlation": r, "at least": low, "at most": high}
    reach = float(np.abs(r).max(initial=0.1))
    ends = [f"{-reach:.2g}, cancel", "correlation 0", f"{reach:.2g}, add"]
    off_diagonal = np.where(same, np.nan, correlation.value)
    texts = ["{:+.2f} [{:+.2f}, {:+.2f}]".format(*each) for each in zip(r, low, high, strict=True)]
    traces = [diverging(off_diagonal, reach, ends), cells(k, i, "layers %{y} and %{x}: %{text}", text=texts)]
    axes = layer_axis(layers, "layer"), layer_axis(layers, "other layer")
    figure = layout(traces, *axes, shapes=mark_layer(layer))
    return Chart("pairs", "Which layers' damages add, which cancel?", figure, finding, pd.DataFrame(columns))


def layer_table(values: Array, names: Sequence[str]) -> pd.DataFrame:
    """The same numbers, a row for each layer."""
    return pd.DataFrame(values, columns=list(names)).rename_axis("layer").reset_index()


# --- a budget for each linear ----------------------------------------------------------------------------------------


def linears(shares: Array, parameters: Array, names: Sequence[str], unit: BudgetUnit) -> Chart:
    """Zeros or bits of every linear, its mean over layers beside its row.

    Args:
        shares, parameters: (layers, linears) what each saves, and its weights, which count in the means.
        names: of the linears.
    """
    layers, count = shares.shape
    amounts, means = unit.amount(shares), unit.amount(layer_means(shares.T, parameters.T))
    hover = f"layer %{{x}}, %{{customdata[0]}}: %{{z:.4g}} {unit.unit}"
    figure = by_layer(amounts, names, hover, colour_bar(tickformat=".3g"), unit.unit, amounts, 0.11 * layers)
    beside = [f"{each:.2f}" for each in means]
    figure.add_trace(labels([layers - 0.3] * count, np.arange(count), beside, [LIGHT.ink] * count))
    table = layer_table(amounts, names)
    table.insert(1, "mean of the layer", unit.amount(layer_means(shares, parameters)))
    finding = _spared_sentence(amounts, means, names, unit.unit)
    return Chart("linears", f"{capital(unit.unit)} of every linear", figure, finding, table)


def _spared_sentence(amounts: Array, means: Array, names: Sequence[str], unit: str) -> str:
    """Sentence: the linears with the highest and the lowest mean, and the layer inside which they differ most."""
    most, least, widest = int(means.argmax()), int(means.argmin()), int(np.ptp(amounts, axis=1).argmax())
    if np.ptp(amounts) < 1e-9:
        return f"Every linear gets {means[0]:.3f} {unit}."
    low, high = amounts[widest].min(), amounts[widest].max()
    return (
        f"{names[least]} gets the fewest {unit} (mean {means[least]:.3f}, at the right of its row), {names[most]} the "
        f"most ({means[most]:.3f}); inside a layer they differ most in layer {widest}, from {low:.3f} to {high:.3f}."
    )
