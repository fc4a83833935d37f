"""Drift on its way through the network: curves, the matrix, and the direction of what is left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis import propagation
from core.figures.labels import digits, gain, percent
from core.figures.style import LIGHT, Chart, Palette, band, layer_axis, layout, line_labels, log_axis
from core.store.results import Array, Perturbed


def curves(seeds: Sequence[Perturbed], layer: int, look: Palette = LIGHT) -> Chart:
    """Drift after each injection layer over the layers that read it, one injection layer highlighted.

    Args:
        seeds: the noise seeds of one perturbation.
        layer: the highlighted injection layer.
    """
    found = propagation.curves(seeds)
    layers = len(found.value)
    first = np.mean([each.drift_first[layer] for each in seeds], axis=0)
    figure = go.Figure([_bundle(found.value, layer, look), *_highlight(found, layer, look)])
    shown = [found.value]
    names, ends, colours = [f"layer {layer}"], [found.value[layer, -1]], [look.accent]
    if np.nanmax(first) > 0:
        figure.add_trace(_first(first, look))
        shown.append(np.where(first > 0, first, np.nan))
        if first[-1] > 0:
            names, ends, colours = [*names, "first token"], [*ends, first[-1]], [*colours, look.ink]
    every = np.concatenate([np.ravel(values) for values in shown])
    figure.add_trace(line_labels(layers - 0.7, ends, names, colours, gap=_gap(every)))
    figure.update_layout(
        xaxis=layer_axis(layers, "read layer"),
        yaxis=log_axis(every, "drift, relative to the stream"),
    )
    return Chart(
        f"drift-after-layer-{layer}",
        "Drift on its way through the network",
        layout(figure, height=420, right=72),
        _curves_finding(found, first, layer),
        _curves_table(found),
    )


def _bundle(value: Array, layer: int, look: Palette) -> go.Scatter:
    """All other injection layers as one trace, the lines kept apart by gaps."""
    layers = len(value)
    others = [i for i in range(layers) if i != layer]
    x = [k for i in others for k in (*range(i, layers), None)]
    y = [r for i in others for r in (*value[i, i:], None)]
    injected = [i for i in others for _ in range(layers - i + 1)]
    return go.Scatter(
        x=x,
        y=y,
        customdata=injected,
        mode="lines",
        line={"color": look.faint, "width": 1},
        hovertemplate="injected at layer %{customdata}, read at %{x}: drift %{y:.3g}<extra></extra>",
        name="other layers",
    )


def _highlight(found: propagation.Curves, layer: int, look: Palette) -> list[go.Scatter]:
    x = np.arange(layer, len(found.value))
    line = go.Scatter(
        x=x,
        y=found.value[layer, layer:],
        mode="lines+markers",
        line={"color": look.accent, "width": 3},
        marker={"size": 5},
        hovertemplate=f"injected at layer {layer}, read at %{{x}}: drift %{{y:.3g}}<extra></extra>",
        name=f"layer {layer}",
    )
    return [band(x, found.low[layer, layer:], found.high[layer, layer:], look.accent), line]


def _first(first: Array, look: Palette) -> go.Scatter:
    return go.Scatter(
        x=np.arange(len(first)),
        y=np.where(first > 0, first, np.nan),
        mode="lines",
        line={"color": look.ink, "width": 2, "dash": "dot"},
        hovertemplate="first token, read at %{x}: drift %{y:.3g}<extra></extra>",
        name="first token",
    )


def _gap(values: Array) -> float:
    """About one line of text on a log axis of these values, in ln."""
    usable = values[np.isfinite(values) & (values > 0)]
    return 0.05 * float(np.log(usable.max() / usable.min()) + 0.4) if usable.size else 0.1


def _curves_finding(found: propagation.Curves, first: Array, layer: int) -> str:
    start, end = found.value[layer, layer], found.value[layer, -1]
    if layer == len(found.value) - 1:
        said = f"Layer {layer} is the last: its drift of {digits(start)} goes straight to the output."
    else:
        verb = "grows" if end >= start else "shrinks"
        said = (
            f"Drift injected at layer {layer} {verb} from {digits(start)} to {digits(end)} at the last layer "
            f"(gain {gain(end / start)})."
        )
    if np.nanmax(first) > 0:
        ends = f"from {digits(first[layer])} to {digits(first[-1])}"
        return f"{said} At the first token, which is not counted here, it goes {ends}."
    return f"{said} The first token is not disturbed at all: its drift is 0 at every layer."


def _curves_table(found: propagation.Curves) -> pd.DataFrame:
    i, k = np.nonzero(np.isfinite(found.value))
    columns = {"injection layer": i, "read layer": k, "drift": found.value[i, k]}
    return pd.DataFrame(columns | {"95% low": found.low[i, k], "95% high": found.high[i, k]})


def direction(seeds: Sequence[Perturbed], layer: int, look: Palette = LIGHT) -> Chart:
    """What kind of difference is left: cosine to the undisturbed stream, and the damage's length across it."""
    cosine = np.mean([each.cosine[layer] for each in seeds], axis=0)
    across = np.mean([each.orthogonal[layer] for each in seeds], axis=0)
    layers = len(cosine)
    figure = go.Figure()
    pairs = (
        ("cosine to the undisturbed stream", cosine, "solid"),
        ("damage across it, share of its length", across, "dash"),
    )
    for name, values, dash in pairs:
        figure.add_trace(
            go.Scatter(
                x=np.arange(layers),
                y=values,
                mode="lines",
                line={"color": look.accent, "width": 2.5, "dash": dash},
                hovertemplate=f"{name}, read at %{{x}}: %{{y:.3f}}<extra></extra>",
                name=name,
            )
        )
    low = min(0.0, float(np.nanmin([cosine, across])))
    figure.update_layout(
        xaxis=layer_axis(layers, "read layer"),
        yaxis={"title": "cosine, share of length", "range": [low - 0.02, 1.08]},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    finding = (
        f"After layer {layer} the disturbed stream ends at cosine {cosine[-1]:.3f} to the undisturbed one; "
        f"the part of the damage across the stream has {percent(across[-1])} of its length."
    )
    columns = {"read layer": np.arange(layers), "cosine": cosine, "share of length across": across}
    table = pd.DataFrame(columns).dropna()
    layout(figure).update_layout(showlegend=True)
    title = "Which way the damage points"
    return Chart(f"direction-after-layer-{layer}", title, figure, finding, table)
