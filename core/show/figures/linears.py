"""A budget per linear: layers by linears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.plan.budget import Bounds, binding
from core.plan.spread import layer_means
from core.show.figures.axes import layer_axis
from core.show.figures.marks import colour_bar, words
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

SCALE = "Cividis"  # even steps of lightness, told apart by the colour-blind too


def linears(sparsity: Array, parameters: Array, names: Sequence[str], bounds: Bounds, look: Palette = LIGHT) -> Chart:
    """Sparsity of every linear, its mean over layers beside its row.

    Args:
        sparsity, parameters: (layers, linears); the weights of a linear count in the means.
        names: of the linears.
    """
    layers, count = sparsity.shape
    means = layer_means(sparsity.T, parameters.T)
    figure = go.Figure(
        go.Heatmap(
            z=sparsity.T,
            x=np.arange(layers),
            y=np.arange(count),
            customdata=np.repeat(np.array(names)[:, None], layers, axis=1),
            colorscale=SCALE,
            xgap=0.5,
            ygap=1.5,
            hovertemplate="layer %{x}, %{customdata}: %{z:.4f}<extra></extra>",
            colorbar=colour_bar("sparsity (fraction of zeros)", tickformat=".2f"),
            name="sparsity",
        )
    )
    beside = [f"{each:.2f}" for each in means]
    figure.add_trace(words([layers - 0.3] * count, np.arange(count), beside, look.ink, name="mean over layers"))
    figure.update_layout(
        xaxis=layer_axis(layers, "layer") | {"range": [-0.6, layers - 0.4 + 0.11 * layers]},
        yaxis={
            "tickvals": np.arange(count),
            "ticktext": [name.rpartition(".")[-1] for name in names],
            "range": [count - 0.4, -0.6],
            "showgrid": False,
        },
    )
    table = pd.DataFrame(sparsity, columns=list(names))
    table.insert(0, "mean of the layer", layer_means(sparsity, parameters))
    table.insert(0, "layer", np.arange(layers))
    finding = _finding(sparsity, means, names, int(binding(sparsity, bounds).sum()))
    layout(figure, height=110 + 34 * count)
    return Chart("linears", "Sparsity per linear", figure, finding, table)


def _finding(sparsity: Array, means: Array, names: Sequence[str], bound: int) -> str:
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
