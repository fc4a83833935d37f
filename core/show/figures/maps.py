"""Heat maps: drift left of layer by layer, gain of size by layer, and a number of tensor by layer."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import Estimate, Flags, digits, number, times
from core.plan import Gains, below_floor, crossing, drift_left
from core.show.figures.axes import layer_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, cells, colour_bar, curve, heat, layout, mark_layer
from core.show.words.gain_sentences import named
from core.store import Array, Seeds


def diverging(logs: Array, x: Array, y: Array, title: str) -> go.Heatmap:
    """A heatmap of log2 ratios, neutral at 1×, with the ratios written at the colour bar."""
    reach = bound(logs)
    texts = [f"{times(2.0**-reach)}, absorbs", f"{title} 1×", f"{times(2.0**reach)}, amplifies"]
    bar = colour_bar(tickvals=[-reach, 0, reach], ticktext=texts)
    scale = [list(stop) for stop in LIGHT.diverging]
    return heat(logs, x, y, None, bar, zmin=-reach, zmax=reach, zmid=0, colorscale=scale)


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
    layers, x = len(left), np.arange(len(left))
    drowned = np.isfinite(left) & (below_floor(seeds, floor) if floor is not None else False)
    traces = [diverging(np.where(drowned, np.nan, np.log2(left)), x, x, "drift")]
    if drowned.any():
        covers, grey = np.where(drowned, 0.0, np.nan), [[0, LIGHT.hidden], [1, LIGHT.hidden]]
        traces.append(heat(covers, x, x, None, None, colorscale=grey, name="below the noise floor"))
    i, k = np.nonzero(np.isfinite(left))
    drift, hidden = left[i, k], drowned[i, k]
    texts = ["below the noise floor" if grey else times(part) for part, grey in zip(drift, hidden, strict=True)]
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


# --- size of the noise --------------------------------------------------------------------------------------------


def size_map(sizes: Sequence[float], lines: Sequence[Gains], layer: int) -> Chart:
    """Gain of gaussian noise over injection layers and sizes, the crossing size of each layer marked.

    Args:
        sizes: ascending, at least two.
        lines: gains of each size.
    """
    size_array, logs = np.asarray(sizes, float), np.log([each.value for each in lines])
    x, borders, texts = np.arange(logs.shape[1]), edges(size_array), [number(size) for size in sizes]
    cross = crossing(size_array, logs)
    at_layer, at_size = np.meshgrid(x, size_array)
    hover, gains = "layer %{x}, size %{y}: gain %{customdata:.3g}×", np.exp(logs).ravel()
    crosses, diamond = "layer %{x}: gain crosses 1 at size %{y:.2g}", {"size": 7, "symbol": "diamond"}
    traces = [
        diverging(logs / np.log(2), np.arange(len(x) + 1) - 0.5, borders, "gain"),
        cells(at_layer.ravel(), at_size.ravel(), hover, customdata=gains),
        curve(x, cross, "crossing size", crosses, LIGHT.ink, 2, marker=diamond),
    ]
    ticks = {"tickvals": sizes, "ticktext": texts, "range": list(np.log10(borders[[0, -1]])), "showgrid": False}
    rows = {"title": "size of the noise", "type": "log"} | ticks
    columns = {f"gain at {size}": gains for size, gains in zip(texts, np.exp(logs), strict=True)}
    table = pd.DataFrame({"injection layer": x} | columns | {"crossing size": cross})
    finding = crossing_sentence([each.verdicts for each in lines], cross)
    drawn = layout(traces, layer_axis(len(x), "perturbed layer"), rows, shapes=mark_layer(layer))
    return Chart("gain-by-size", "Does the size of the noise matter?", drawn, finding, table)


def edges(sizes: Array) -> Array:
    """Borders between neighbouring sizes, halfway in ln; (sizes + 1,)."""
    logs = np.log(sizes)
    middles = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middles[0]], middles, [2 * logs[-1] - middles[-1]]]))


def crossing_sentence(verdicts: Sequence[Sequence[str | None]], cross: Array) -> str:
    """Sentence: layers that absorb or amplify every size, and layers where the size decides.

    Args:
        verdicts: (sizes, layers), sizes ascending.
        cross: (layers,) crossing sizes of the mean; NaN without one.
    """
    layers = list(zip(*verdicts, strict=True))[:-1]
    turning = [i for i, verdict in enumerate(layers) if np.isfinite(cross[i]) and _turns(verdict)]
    clauses = []
    for verdict, verb in (("absorbs", "absorbed"), ("amplifies", "amplified")):
        always = [i for i, every in enumerate(layers) if set(every) == {verdict}]
        clauses += [f"every measured size is {verb} at {named(always)}"] if always else []
    if turning:
        low, high = digits(cross[turning].min()), digits(cross[turning].max())
        where = f"size {low}" if low == high else f"sizes between {low} and {high}"
        clauses.append(f"small sizes are amplified and large ones absorbed at {named(turning)}, switching at {where}")
    return f"Gaussian noise: {'; '.join(clauses) or 'no layer certainly switches from amplifying to absorbing'}."


def _turns(verdicts: Sequence[str]) -> bool:
    """True if a small size is certainly amplified and a larger one absorbed."""
    return "amplifies" in verdicts and "absorbs" in verdicts[verdicts.index("amplifies") :]


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
    cells = heat(z.T, np.arange(layers), np.arange(count), hover, bar, customdata=data, ygap=1.5)
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


def pairs(correlation: Estimate, finding: str, layer: int | None) -> Chart:
    """Correlation of every two layers, red where their damages add and blue where they cancel.

    Args:
        correlation: (layers, layers) each.
    """
    layers, x = len(correlation.value), np.arange(len(correlation.value))
    i, k = np.nonzero(~np.eye(layers, dtype=bool))
    columns = {"layer": i, "other layer": k} | {
        name: values[i, k] for name, values in zip(("correlation", "at least", "at most"), correlation[:3], strict=True)
    }
    reach = float(np.abs(columns["correlation"]).max(initial=0.1))
    bar = colour_bar(
        tickvals=[-reach, 0, reach], ticktext=[f"{-reach:.2g}, cancel", "correlation 0", f"{reach:.2g}, add"]
    )
    scale = [list(stop) for stop in LIGHT.diverging]
    off_diagonal = np.where(np.eye(layers, dtype=bool), np.nan, correlation.value)
    texts = [f"{r:+.2f} [{low:+.2f}, {high:+.2f}]" for r, low, high in zip(*[*columns.values()][2:], strict=True)]
    traces = [
        heat(off_diagonal, x, x, None, bar, zmin=-reach, zmax=reach, zmid=0, colorscale=scale),
        cells(k, i, "layers %{y} and %{x}: %{text}", text=texts),
    ]
    axes = layer_axis(layers, "layer"), layer_axis(layers, "other layer")
    figure = layout(traces, *axes, shapes=[] if layer is None else mark_layer(layer))
    return Chart("pairs", "Which layers' damages add, which cancel?", figure, finding, pd.DataFrame(columns))


def layer_table(values: Array, names: Sequence[str]) -> pd.DataFrame:
    """The same numbers, a row for each layer."""
    return pd.DataFrame(values, columns=list(names)).rename_axis("layer").reset_index()
