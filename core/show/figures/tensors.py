"""Tensors of layers as heat maps: a row for each tensor, a column for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.plan.budget import Bounds, binding
from core.plan.spread import layer_means
from core.show.figures.axes import layer_axis
from core.show.figures.labels import labels
from core.show.figures.palette import LIGHT, Palette
from core.show.figures.style import Chart, colour_bar, heat, layout
from core.store.results import Array


def by_layer(
    z: Array, names: Sequence[str], said: str, bar: dict, written: Array | None = None, room: float = 0.0
) -> go.Figure:
    """A row for each tensor of a layer, a column for each layer.

    Args:
        z: (layers, tensors).
        said: of `%{customdata[0]}`, the tensor, and `%{customdata[1]}`, the value as it is written.
        written: (layers, tensors) instead of z; None: that itself.
        room: right of the last layer, in layers.
    """
    layers, count = z.shape
    called = [escape(name) for name in names]
    told = np.repeat(np.array(called)[:, None], layers, 1), (z if written is None else written).T
    figure = go.Figure(
        heat(z.T, np.arange(layers), np.arange(count), said, bar, customdata=np.stack(told, axis=-1), ygap=1.5)
    )
    last = [name.rpartition(".")[-1] for name in called]
    rows = {"tickvals": np.arange(count), "ticktext": last, "range": [count - 0.4, -0.6], "showgrid": False}
    return layout(figure, layer_axis(layers, "layer", room), rows, height=110 + 32 * count)


def layer_table(values: Array, names: Sequence[str]) -> pd.DataFrame:
    """The same numbers, a row for each layer."""
    return pd.DataFrame(values, columns=list(names)).rename_axis("layer").reset_index()


def linears(sparsity: Array, parameters: Array, names: Sequence[str], bounds: Bounds, look: Palette = LIGHT) -> Chart:
    """Sparsity of every linear, its mean over layers beside its row.

    Args:
        sparsity, parameters: (layers, linears); the weights of a linear count in the means.
        names: of the linears.
    """
    layers, count = sparsity.shape
    means = layer_means(sparsity.T, parameters.T)
    bar = colour_bar("sparsity (fraction of zeros)", tickformat=".2f")
    figure = by_layer(sparsity, names, "layer %{x}, %{customdata[0]}: %{z:.4f}", bar, room=0.11 * layers)
    beside = [f"{each:.2f}" for each in means]
    figure.add_trace(labels([layers - 0.3] * count, np.arange(count), beside, look.ink, look))
    table = layer_table(sparsity, names)
    table.insert(1, "mean of the layer", layer_means(sparsity, parameters))
    finding = _spared_said(sparsity, means, names, int(binding(sparsity, bounds).sum()))
    return Chart("linears", "Sparsity per linear", figure, finding, table)


def _spared_said(sparsity: Array, means: Array, names: Sequence[str], bound: int) -> str:
    most, least = int(means.argmax()), int(means.argmin())
    widest = int(np.ptp(sparsity, axis=1).argmax())
    low, high = sparsity[widest].min(), sparsity[widest].max()
    if np.ptp(sparsity) < 1e-9:
        return f"Every linear gets {means[0]:.3f}."
    how_many = f"{bound} of {sparsity.size} linears sit on a bound" if bound else "no linear sits on a bound"
    return (
        f"{names[least]} is spared most (mean {means[least]:.3f}, at the right of its row), {names[most]} is pruned "
        f"most ({means[most]:.3f}); inside a layer they differ most in layer {widest}, from {low:.3f} to {high:.3f}; "
        f"{how_many}."
    )
