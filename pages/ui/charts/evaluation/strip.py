"""The allocation, small."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.results import Array
from pages.ui.charts.style import LIGHT, Chart, Palette, layout


def strip(sparsity: Array, target: float, look: Palette = LIGHT) -> Chart:
    """Sparsity per layer as a strip of bars, for a glance.

    Args:
        sparsity: (layers,).
    """
    layers = np.arange(len(sparsity))
    figure = go.Figure(
        go.Bar(
            x=layers,
            y=sparsity,
            marker={"color": look.undecided, "line": {"width": 0}},
            hovertemplate="layer %{x}: %{y:.4f}<extra></extra>",
            name="sparsity",
        )
    )
    low, high = min(float(sparsity.min()), target), max(float(sparsity.max()), target)
    room = max(0.3 * (high - low), 0.02)
    figure.add_hline(y=target, line={"color": look.guide, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis={"title": None, "showticklabels": False, "showgrid": False},
        yaxis={"range": [max(0, low - room), high + room], "nticks": 3, "tickformat": ".0%", "title": None},
        bargap=0.15,
    )
    finding = f"Layers from {sparsity.min():.3f} to {sparsity.max():.3f}, target {target:g}."
    table = pd.DataFrame({"layer": layers, "sparsity": sparsity})
    return Chart("strip", "Sparsity of each layer", layout(figure, height=96), finding, table)
