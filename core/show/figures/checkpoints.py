"""Another checkpoint beside the model: the harm of each layer, its weights, the whole run."""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import digits
from core.plan.gains import gains_of
from core.results.checkpoints import compared
from core.show.figures.axes import layer_axis, log_axis
from core.show.figures.gain import name_lines
from core.show.figures.maps import layer_table, logs_by_layer
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, InView, curve, here, layout
from core.show.words import findings

KL_AXIS = {"title": "KL, nats", "rangemode": "tozero", "exponentformat": "none"}
DOTS = {"size": 5}  # a layer between two that are equal is a point without a line


def harm(asked: InView) -> Chart:
    """What each layer costs where it alone is taken from the other checkpoint."""
    found = compared(asked.profile, asked.name)
    layers = np.arange(len(found.harm))
    odd = [found.tensor(layer) for layer in layers]
    tensors, errors = [found.tensors[each] for each in odd], found.weights.error[layers, odd]
    bars = go.Bar(
        x=layers,
        y=found.harm,
        marker={"color": np.where(found.odd, LIGHT.accent, LIGHT.family[1])},
        customdata=[f"{escape(name)} differs by {100 * off:.3g} %" for name, off in zip(tensors, errors, strict=True)],
        hovertemplate="layer %{x}: KL %{y:.3g} nats; %{customdata}<extra></extra>",
        name="KL",
    )
    figure = go.Figure(bars, {"bargap": 0.25})
    here(figure, asked.layer)
    layout(figure, layer_axis(len(layers), "layer taken from the other"), KL_AXIS)
    columns = {"layer": layers, "KL, nats": found.harm, "flips": found.single.flips.mean(1)}
    table = pd.DataFrame(columns | {"tensor": tensors, "its error": errors, "stands out": found.odd})
    return Chart("checkpoint-harm", "Which layers went wrong?", figure, findings.worst(found), table)


def weights(asked: InView) -> Chart:
    """Relative error of every tensor of every layer."""
    found = compared(asked.profile, asked.name)
    error = found.weights.error
    names = [name.removesuffix(".weight") for name in found.tensors]
    said = "layer %{x}, %{customdata[0]}: %{customdata[1]:.3g} %"
    figure = logs_by_layer(100 * error, names, said, "relative error", lambda value: f"{digits(value)} %")
    here(figure, asked.layer)
    table = layer_table(error, found.tensors)
    return Chart("checkpoint-weights", "Which weights differ?", figure, findings.weighed(found), table)


def parting(asked: InView) -> Chart:
    """Drift of the whole other checkpoint after each layer, beside what each layer alone adds."""
    found = compared(asked.profile, asked.name)
    layers = np.arange(len(found.harm))
    alone = gains_of([found.single]).drift
    lines = (("the whole checkpoint", found.drift, LIGHT.accent), ("the layer alone", alone, LIGHT.ink))
    figure = go.Figure()
    known = [(name, np.where(values > 0, values, np.nan), colour) for name, values, colour in lines]
    for name, values, colour in known:
        said = f"{name}, after layer %{{x}}: %{{y:.3g}}"
        figure.add_trace(curve(layers, values, name, said, colour, marker=DOTS))
    here(figure, asked.layer)
    table = pd.DataFrame({"layer": layers, "drift of the whole": found.drift, "drift of the layer alone": alone})
    x, y = layer_axis(len(layers), "after layer"), log_axis("drift", found.drift, alone).drawn
    drawn = layout(figure, x, y)
    name_lines(drawn, {name: values for name, values, _ in known}, [hue for *_, hue in known])
    finding = f"{findings.parting(found)} {findings.cost(found)}"
    return Chart("checkpoint-drift", "Where do the two checkpoints part?", drawn, finding, table)
