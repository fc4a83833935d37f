"""The charts of a profile: a row each, read by the Model page, the report and the README; and what each is of."""

from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import UserError, digits
from core.methods import BLOCKS
from core.plan import PAIRED, at_drift, changes, correlation, gains_of, per_layer
from core.results import compared, shares, suspects
from core.show import words
from core.show.figures import drift, gain, maps
from core.show.figures.axes import layer_axis, log_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, InView, colour_bar, curve, layout, mark_layer
from core.show.words import checkpoint_sentences, gain_sentences

PRUNED = "residual:wanda:0.7"  # what noise is held against, unless another pruning is in view


def gains(view: InView) -> Chart:
    """Gains at every strength of the perturbation."""
    profile, name = view.profile, view.name
    called = {each: profile.perturbations[each].short for each in words.family(profile, name)}
    lines = {short: gains_of(profile.seeds(each)) for each, short in called.items()}
    finding = f"{gain_sentences.of_perturbation(profile, name)} {gain.of_sizes(profile, name)}".rstrip()
    return gain.gains(lines, finding, called[name], view.layer)


def matched(view: InView) -> Chart:
    """Real pruning against gaussian noise of the same measured drift."""
    profile, noises = view.profile, view.profile.noise()
    residuals = [name for name, each in profile.perturbations.items() if each.prunes == "layer"]
    if len(noises) < 2 or not residuals:
        raise UserError("measure gaussian noise at two or more sizes, and residual:wanda:0.7, to compare them")
    real = next((each for each in (view.name, PRUNED) if each in residuals), residuals[0])
    sizes = [gains_of(profile.seeds(each)) for each in noises.values()]
    pruning = gains_of(profile.seeds(real))
    logs = at_drift(pruning.drift, np.array([n.drift for n in sizes]), np.log([n.value for n in sizes]))
    unknown, untested = np.full(profile.layers, np.nan), ("not tested",) * profile.layers
    noise = replace(
        pruning, value=np.exp(logs), low=unknown, high=unknown, mean_ratio=unknown, median=unknown,
        verdicts=untested, uncorrected=untested,
    )  # fmt: skip
    lines = {"pruning": pruning, "noise": noise}
    between = f"{profile.perturbations[real].label}: a lower gain than noise of the same measured drift"
    return gain.compared(lines, view.layer, "Noise against real pruning", between)


def parts(view: InView) -> Chart:
    """Gain of what a layer loses without its attention, and without its MLP."""
    profile, names = view.profile, [f"skip:{part}" for part in BLOCKS]
    if not set(names) <= profile.by_name.keys():
        raise UserError(f"measure {' and '.join(names)}, or the preset parts, to see whose loss is absorbed")
    lines = {profile.perturbations[name].short: gains_of(profile.seeds(name)) for name in names}
    between = "Without its attention: a lower gain than without its MLP"
    chart = gain.compared(lines, view.layer, "Whose loss is absorbed: attention's or the MLP's?", between)
    return replace(chart, finding=f"{gain_sentences.parts(profile)} {chart.finding}")


def heads(view: InView) -> Chart:
    """Harm of leaving out each part of each layer."""
    profile = view.profile
    left_out = {name: each for name, each in profile.perturbations.items() if each.kind == "skip_part"}
    if not left_out:
        raise UserError("measure skip:attention, skip:mlp and skip:head:each, or the preset parts, to see which matter")
    harm = np.stack([per_layer(profile.seeds(name), "kl") for name in left_out], axis=-1)
    called = [each.short for each in left_out.values()]
    hover = "layer %{x}, %{customdata[0]} left out: KL %{customdata[1]:.3g} nats"
    figure = maps.logs_by_layer(harm, called, hover, "part left out; KL, nats", digits, view.layer)
    finding = gain_sentences.most_harmful(harm, [*left_out.values()])
    return Chart("parts-harm", "Which parts matter most?", figure, finding, maps.layer_table(harm, called))


def together(view: InView) -> Chart:
    """Correlation at the output of the damages of every two layers, by the signs of a sketch."""
    profile = view.profile
    if profile.sketch is None:
        raise UserError("measure a sketch, as the preset standard does, to see which layers' damages add or cancel")
    pairs = correlation(changes(profile, PAIRED, False))
    beside = view.twin if view.twin and view.twin.sketch else None
    finding = gain_sentences.together(profile, pairs, beside)
    return maps.pairs(pairs, finding, view.layer)


# --- another checkpoint beside the model ---------------------------------------------------------------------------


def harm(view: InView) -> Chart:
    """KL divergence with one layer at a time taken from the other checkpoint."""
    comparison = compared(view.profile, view.name)
    layers = np.arange(len(comparison.harm))
    odd = [comparison.tensor(int(layer)) for layer in layers]
    tensors, errors = [comparison.tensors[each] for each in odd], comparison.weights.error[layers, odd]
    bars = go.Bar(
        x=layers,
        y=comparison.harm,
        marker={"color": np.where(comparison.odd, LIGHT.accent, LIGHT.family[1])},
        customdata=[f"{escape(name)} differs by {100 * off:.3g} %" for name, off in zip(tensors, errors, strict=True)],
        hovertemplate="layer %{x}: KL %{y:.3g} nats; %{customdata}<extra></extra>",
        name="KL",
    )
    x = layer_axis(len(layers), "layer taken from the other")
    y = {"title": "KL, nats", "rangemode": "tozero", "exponentformat": "none"}
    figure = layout([bars], x, y, shapes=mark_layer(view.layer), bargap=0.25)
    columns = {"layer": layers, "KL, nats": comparison.harm, "flips": comparison.single.flips.mean(1)}
    table = pd.DataFrame(columns | {"tensor": tensors, "its error": errors, "stands out": comparison.odd})
    return Chart("checkpoint-harm", "Which layers went wrong?", figure, checkpoint_sentences.worst(comparison), table)


def divided(view: InView) -> Chart:
    """Share of every tensor of every layer in the divergence of the other checkpoint, and what it harms alone."""
    comparison = compared(view.profile, view.name)
    if comparison.sketch is None:
        raise UserError("compare this checkpoint again: the shares of its tensors were not measured")
    names, share, alone = shares(comparison)
    written = np.char.add(np.char.mod("%.3g %%, alone ", 100 * share), np.char.mod("%.2g nats", alone))
    bar = colour_bar(ticksuffix=" %")
    hover = "layer %{x}, %{customdata[0]}: %{customdata[1]}"
    title = "share of the divergence"
    figure = maps.by_layer(100 * share, names, hover, bar, title, written, shapes=mark_layer(view.layer))
    table = pd.DataFrame(suspects(comparison)).drop(columns="finer")
    finding = " ".join(checkpoint_sentences.culprits(comparison)) or "No tensor adds to the divergence."
    return Chart("checkpoint-shares", "Where did it go wrong?", figure, finding, table)


def weights(view: InView) -> Chart:
    """Relative error of every tensor of every layer."""
    comparison = compared(view.profile, view.name)
    error = comparison.weights.error
    names = [name.removesuffix(".weight") for name in comparison.tensors]
    hover = "layer %{x}, %{customdata[0]}: %{customdata[1]:.3g} %"
    figure = maps.logs_by_layer(
        100 * error, names, hover, "relative error", lambda value: f"{digits(value)} %", view.layer
    )
    table = maps.layer_table(error, comparison.tensors)
    return Chart("checkpoint-weights", "Which weights differ?", figure, checkpoint_sentences.weighed(comparison), table)


def parting(view: InView) -> Chart:
    """Drift of the whole other checkpoint after each layer, beside what each layer alone adds."""
    comparison = compared(view.profile, view.name)
    layers, alone = np.arange(len(comparison.harm)), gains_of([comparison.single]).drift
    lines = {"the whole checkpoint": comparison.drift, "the layer alone": alone}
    lines = {name: np.where(values > 0, values, np.nan) for name, values in lines.items()}
    hues, hover = (LIGHT.accent, LIGHT.ink), ", after layer %{x}: %{y:.3g}"
    marker = {"size": 5}  # a layer between two that are equal is a point without a line
    traces = [
        curve(layers, values, name, name + hover, hue, marker=marker)
        for (name, values), hue in zip(lines.items(), hues, strict=True)
    ]
    table = pd.DataFrame({"layer": layers, "drift of the whole": comparison.drift, "drift of the layer alone": alone})
    x, y = layer_axis(len(layers), "after layer"), log_axis("drift", comparison.drift, alone).drawn
    drawn = layout(traces, x, y, shapes=mark_layer(view.layer))
    gain.name_lines(drawn, lines, hues)
    finding = f"{checkpoint_sentences.parting(comparison)} {checkpoint_sentences.cost(comparison)}"
    return Chart("checkpoint-drift", "Where do the two checkpoints part?", drawn, finding, table)


# --- the table ------------------------------------------------------------------------------------------------------


class ChartRow(NamedTuple):
    """A chart."""

    key: str
    group: str  # those of one group stand beside each other, and no others with them
    question: str  # what it answers
    draw: Callable[[InView], Chart]  # raises UserError that says what to measure, where the profile lacks something


GLANCE, DRIFT, GAIN = "At a glance", "Drift by layer", "Gain by size"  # as tabs call them
WHY, CHECKS, PARTS, COMPARED = "Dilution and harm", "Noise against pruning", "Parts", "Compare checkpoints"
CHARTS = (
    ChartRow("matrix", GLANCE, "How much drift remains after each layer?",
             lambda it: maps.heatmap(it.seeds, it.profile.floor.drift, it.layer)),
    ChartRow("curves", DRIFT, "How does drift grow or shrink, layer by layer?",
             lambda it: drift.curves(it.seeds, it.layer)),
    ChartRow("direction", DRIFT, "Which way does damage point?",
             lambda it: drift.direction(it.seeds, it.layer)),
    ChartRow("gains", GAIN, "Which layers amplify, which absorb?", gains),
    ChartRow("dilution", WHY, "Is the gain only dilution?",
             lambda it: drift.dilution(it.seeds, it.profile.activation, it.layer)),
    ChartRow("harm", WHY, "What happens to the output?", lambda it: drift.harm(it.seeds, it.layer)),
    ChartRow("together", WHY, "Which layers' damages add, which cancel?", together),
    ChartRow("matched", CHECKS, "Does real pruning behave like noise?", matched),
    ChartRow("parts", PARTS, "Whose loss is absorbed: attention's or the MLP's?", parts),
    ChartRow("heads", PARTS, "Which parts matter most?", heads),
    ChartRow("checkpoint-shares", COMPARED, "Where did it go wrong?", divided),
    ChartRow("checkpoint-harm", COMPARED, "Which layers went wrong?", harm),
    ChartRow("checkpoint-weights", COMPARED, "Which weights differ?", weights),
    ChartRow("checkpoint-drift", COMPARED, "Where do the two checkpoints part?", parting),
)  # fmt: skip
GROUPS = {
    name: tuple(row for row in CHARTS if row.group == name) for name in dict.fromkeys(row.group for row in CHARTS)
}
