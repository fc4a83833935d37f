"""Drift on its way through the network: curves, the matrix, and the direction of what is left."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import digits, gain, per_cent
from core.plan.gains import averaged, gains_of
from core.results import propagation
from core.show.figures.axes import layer_axis, log_axis
from core.show.figures.labels import apart, labels, line_gap, line_labels, verdict_key
from core.show.figures.palette import LIGHT, see_through, verdict_colour
from core.show.figures.style import Chart, band, curve, layout
from core.store import Array, Seeds


def curves(seeds: Seeds, layer: int) -> Chart:
    """Drift after each injection layer over the layers that read it, one injection layer highlighted.

    Args:
        seeds: the noise seeds of one perturbation.
        layer: the highlighted injection layer.
    """
    found = propagation.curves(seeds)
    layers = len(found.value)
    first = averaged(seeds, "drift_first")[layer]
    of_first, said = np.where(first > 0, first, np.nan), "first token, after layer %{x}: drift %{y:.3g}"
    figure = go.Figure(_bundle(found.value, gains_of(seeds).verdicts, layer))
    x, told = np.arange(layer, layers), f"perturbed layer {layer}, after layer %{{x}}: drift %{{y:.3g}}"
    value, low, high = (ends[layer, layer:] for ends in (found.value, found.low, found.high))
    shown = curve(x, value, f"layer {layer}", told, LIGHT.accent, 3, marker={"size": 5})
    figure.add_traces([band(x, low, high, LIGHT.accent), shown])
    figure.add_trace(curve(np.arange(layers), of_first, "first token", said, LIGHT.ink, 2, "dot"))
    named = [(f"layer {layer}", found.value[layer, -1], LIGHT.accent)]
    named += [("first token", first[-1], LIGHT.ink)] if first[-1] > 0 else []
    names, ends, colours = zip(*named, strict=True)
    every = np.append(found.value, of_first)
    figure.add_trace(line_labels(layers - 0.5, ends, names, colours, line_gap(every, 0.05, 0.4)))
    rows = log_axis("drift, relative to the stream", every).drawn
    verdict_key(figure)
    i, k = np.nonzero(np.isfinite(found.value))
    columns = {"injection layer": i, "read layer": k, "drift": found.value[i, k]}
    columns |= {"95% low": found.low[i, k], "95% high": found.high[i, k]}
    return Chart(
        f"drift-after-layer-{layer}",
        "How does drift grow or shrink?",
        layout(figure, layer_axis(layers, "after layer"), rows, right=72),
        left_alone(seeds, layer) or _curves_finding(found, first, layer),
        pd.DataFrame(columns),
    )


def _bundle(value: Array, verdicts: Sequence[str | None], layer: int) -> list[go.Scatter]:
    """All other injection layers, one trace for each verdict, the lines kept apart by gaps."""
    layers, found = len(value), []
    sure = [verdict if verdict in ("absorbs", "amplifies") else "undecided" for verdict in verdicts]
    for verdict in ("absorbs", "amplifies", "undecided"):
        others = [i for i in range(layers) if i != layer and sure[i] == verdict]
        x = [k for i in others for k in (*range(i, layers), None)]
        y = [r for i in others for r in (*value[i, i:], None)]
        injected = [i for i in others for _ in range(layers - i + 1)]
        said = "perturbed layer %{customdata}, after layer %{x}: drift %{y:.3g}"
        hue = see_through(verdict_colour(verdict), 0.5)
        found.append(curve(x, y, f"other layers, {verdict}", said, hue, 1, customdata=injected))
    return found


def left_alone(seeds: Seeds, layer: int) -> str:
    """That a perturbation changes no token at a layer, as where two checkpoints agree; empty where it changes one."""
    shares = [each.orthogonal[layer, layer] for each in seeds]  # a change of no length has no direction
    return f"Layer {layer} is left as it is: there is no drift to follow." if np.isnan(shares).all() else ""


def unknown(layer: int) -> str:
    """Why a layer that changes some tokens has no mean of logarithms."""
    return f"Some tokens have no drift from layer {layer}, so its gain is not known."


def _curves_finding(found: propagation.Curves, first: Array, layer: int) -> str:
    start, end = found.value[layer, layer], found.value[layer, -1]
    if not np.isfinite(start):
        said = unknown(layer)
    elif layer == len(found.value) - 1:
        said = f"Layer {layer} is the last one: its drift of {digits(start)} goes straight to the output."
    else:
        verb = "grows" if end >= start else "shrinks"
        said = (
            f"Drift from layer {layer} {verb} from {digits(start)} to {digits(end)} at the last layer "
            f"(gain {gain(end / start)})."
        )
    if np.nanmax(first) > 0:
        ends = f"from {digits(first[layer])} to {digits(first[-1])}"
        return f"{said} At the first token, which the gain leaves out, it goes {ends}."
    return f"{said} The first token is not perturbed: its drift is 0 after every layer."


def direction(seeds: Seeds, layer: int) -> Chart:
    """What kind of difference is left: cosine to the undisturbed stream, and the damage's length across it."""
    cosine, across = (averaged(seeds, name)[layer] for name in ("cosine", "orthogonal"))
    layers = len(cosine)
    lines = {"perpendicular share": (across, LIGHT.accent), "cosine": (cosine, LIGHT.ink)}
    figure = go.Figure(
        [
            curve(np.arange(layers), values, name, f"{name}, after layer %{{x}}: %{{y:.3f}}", hue, 2.5)
            for name, (values, hue) in lines.items()
        ]
    )
    low, high = float(np.nanmin([cosine, across])), float(np.nanmax([cosine, across]))
    room = max(0.02, 0.15 * (high - low))
    low, high = low - room, min(high + room, 1 + 0.1 * room)  # neither can be above 1
    heights = apart(np.array([across[-1], cosine[-1]]), 0.07 * (high - low))
    figure.add_trace(labels([layers - 0.4] * 2, heights, list(lines), [hue for _, hue in lines.values()]))
    y = {"title": "cosine, share of length", "range": [low, high]}
    finding = left_alone(seeds, layer) or (
        f"{per_cent(across[-1], 0)} of the damage from layer {layer} is perpendicular to the stream at the last layer; "
        f"the perturbed stream keeps a cosine of {cosine[-1]:.3f} to the clean one."
    )
    columns = {"read layer": np.arange(layers), "cosine": cosine, "share of length across": across}
    table = pd.DataFrame(columns).dropna()
    drawn = layout(figure, layer_axis(layers, "after layer"), y, right=116)
    return Chart(f"direction-after-layer-{layer}", "Which way does damage point?", drawn, finding, table)
