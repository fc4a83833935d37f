"""What pruning one layer alone does: its harm over sparsity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.formats import digits, per_cent
from core.show.figures.axes import log_axis, share_axis
from core.show.figures.style import (
    LIGHT,
    Chart,
    Palette,
    curve,
    layout,
    line_gap,
    line_labels,
)
from core.store.results import Array

NAMED = 3  # layers at each end of the order that get a label


def responses(sparsities: Array, harm: Array, unit: str, pruner: str, look: Palette = LIGHT) -> Chart:
    """Harm over sparsity, a line per layer; the layers that suffer most and least are named.

    Args:
        sparsities: (measured,) ascending.
        harm: (layers, measured) when that layer alone is pruned, mean over sequences; what is not above 0 is not drawn.
        unit: of the harm.
        pruner: whose residuals they are.
    """
    layers = len(harm)
    shown = np.where(harm > 0, harm, np.nan)
    order = [int(layer) for layer in np.argsort(-np.nan_to_num(shown[:, -1], nan=-np.inf), kind="stable")]
    order = [layer for layer in order if np.isfinite(shown[layer, -1])]
    most, least = order[:NAMED], [each for each in order[-NAMED:] if each not in order[:NAMED]]
    figure = go.Figure()
    for layer in sorted(range(layers), key=lambda each: each in (*most, *least)):
        colour = look.accent if layer in most else look.ink if layer in least else look.faint
        figure.add_trace(_line(layer, sparsities, shown[layer], colour, unit))
    if order:
        named = [*most, *least]
        colours = [look.accent] * len(most) + [look.ink] * len(least)
        heights = [float(shown[layer, -1]) for layer in named]
        texts = [f"layer {layer}" for layer in named]
        figure.add_trace(
            line_labels(100 * sparsities[-1] + 1, heights, texts, colours, line_gap(shown, 0.045, 0.2), look)
        )
    across = share_axis(f"sparsity of the one pruned layer, % zeros ({pruner})", sparsities, 0.05, 0.2)
    figure.update_layout(xaxis=across, yaxis=log_axis(f"{unit} (log scale)", shown).drawn)
    table = pd.DataFrame(harm, columns=[f"at {per_cent(each)}" for each in sparsities])
    table.insert(0, "layer", np.arange(layers))
    title = f"What pruning one layer alone does: curves from {pruner}"
    return Chart("responses", title, layout(figure, height=440), _response_said(sparsities, shown, order, unit), table)


def _line(layer: int, sparsities: Array, harm: Array, colour: str, unit: str) -> go.Scatter:
    said = f"layer {layer} at %{{x:g}}%: %{{y:.3g}} ({unit})"
    return curve(100 * sparsities, harm, f"layer {layer}", said, colour, marker={"size": 5})


def _response_said(sparsities: Array, harm: Array, order: list[int], unit: str) -> str:
    if not order:
        return "No layer does measurable harm when it is pruned alone."
    first, last = order[0], order[-1]
    at = f"At {per_cent(sparsities[-1])} zeros"
    if first == last:
        return f"{at} layer {first} alone does {digits(harm[first, -1])} ({unit})."
    ratio = harm[first, -1] / harm[last, -1]
    among = "" if len(order) == len(harm) else "of those that do measurable harm "
    return (
        f"{at} pruning layer {first} alone does most, {digits(harm[first, -1])} ({unit}); {among}layer {last} least, "
        f"{digits(harm[last, -1])}: a factor of {digits(ratio)} between them."
    )
