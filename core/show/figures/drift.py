"""Drift on its way through the network: curves, the direction of what is left, dilution, and harm at the output."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.base import Estimate, changed, digits, gain, per_cent, several, times
from core.plan import averaged, drift_curves, gains_of, split_log_gain, student, unreadable
from core.results import spearman
from core.show.figures.axes import colour_key, layer_axis, log_axis, note_above, ratio_axis
from core.show.figures.gain import name_lines
from core.show.figures.palette import LIGHT, verdict_colour
from core.show.figures.style import Chart, band, curve, layout, mark_layer, points, whiskers
from core.store import Activation, Array, Seeds

HIGH = 520  # px of three plots above one another, and of what stands beside them


def curves(seeds: Seeds, layer: int) -> Chart:
    """Drift after each injection layer over the layers that read it, one injection layer highlighted.

    Args:
        seeds: the noise seeds of one perturbation.
        layer: the highlighted injection layer.
    """
    drift = drift_curves(seeds)
    layers = len(drift.value)
    first = averaged(seeds, "drift_first")[layer]
    of_first, of_token = np.where(first > 0, first, np.nan), "first token, after layer %{x}: drift %{y:.3g}"
    x, hover = np.arange(layer, layers), f"perturbed layer {layer}, after layer %{{x}}: drift %{{y:.3g}}"
    value, low, high, _ = drift.map(lambda ends: ends[layer, layer:])
    traces = [
        _others(drift.value, layer),
        band(x, low, high, LIGHT.accent),
        curve(x, value, f"layer {layer}", hover, LIGHT.accent, 3, marker={"size": 5}),
        curve(np.arange(layers), of_first, "first token", of_token, LIGHT.ink, 2, "dot"),
    ]
    rows = log_axis("drift, relative to the stream", np.append(drift.value, of_first)).drawn
    key = colour_key({"other layers": LIGHT.faint, f"layer {layer}": LIGHT.accent, "first token": LIGHT.ink})
    i, k = np.nonzero(np.isfinite(drift.value))
    columns = {
        "injection layer": i,
        "read layer": k,
        "drift": drift.value[i, k],
        "95% low": drift.low[i, k],
        "95% high": drift.high[i, k],
    }
    return Chart(
        f"drift-after-layer-{layer}",
        "How does drift grow or shrink?",
        layout(traces, layer_axis(layers, "after layer"), rows, annotations=key),
        unchanged_layer(seeds, layer) or _curves_finding(drift, first, layer),
        pd.DataFrame(columns),
    )


def _others(value: Array, layer: int) -> go.Scatter:
    """All other injection layers, their lines kept apart by gaps.

    Args:
        value: (injection, read); NaN below the diagonal.
    """
    gapped = np.pad(value, [(0, 0), (0, 1)], constant_values=np.nan)
    read, injected = np.meshgrid(*map(np.arange, gapped.shape[::-1]))
    others, hover = injected != layer, "perturbed layer %{customdata}, after layer %{x}: drift %{y:.3g}"
    return curve(read[others], gapped[others], "other layers", hover, LIGHT.faint, 1, customdata=injected[others])


def unchanged_layer(seeds: Seeds, layer: int) -> str:
    """Sentence for a layer the perturbation leaves unchanged, as where two checkpoints agree; empty otherwise."""
    shares = [each.orthogonal[layer, layer] for each in seeds]  # a change of no length has no direction
    return f"Layer {layer} is left as it is: there is no drift to follow." if np.isnan(shares).all() else ""


def unknown_gain(layer: int) -> str:
    """Reason that a layer which changes only some tokens has no gain: their logarithms have no mean."""
    return f"Some tokens have no drift from layer {layer}, so its gain is not known."


def _curves_finding(drift: Estimate, first: Array, layer: int) -> str:
    start, end = drift.value[layer, layer], drift.value[layer, -1]
    if not np.isfinite(start):
        text = unknown_gain(layer)
    elif layer == len(drift.value) - 1:
        text = f"Layer {layer} is the last one: its drift of {digits(start)} goes straight to the output."
    else:
        verb = "grows" if end >= start else "shrinks"
        text = (
            f"Drift from layer {layer} {verb} from {digits(start)} to {digits(end)} at the last layer "
            f"(gain {gain(end / start)})."
        )
    if np.nanmax(first) > 0:
        ends = f"from {digits(first[layer])} to {digits(first[-1])}"
        return f"{text} At the first token, which the gain leaves out, it goes {ends}."
    return f"{text} The first token is not perturbed: its drift is 0 after every layer."


def direction(seeds: Seeds, layer: int) -> Chart:
    """Direction of the difference that is left: cosine to the clean stream, and the share of the damage across it."""
    cosine, across = (averaged(seeds, name)[layer] for name in ("cosine", "orthogonal"))
    hues = {"share that turns the stream": LIGHT.accent, "cosine": LIGHT.ink}
    x, hover, lines = np.arange(len(cosine)), ", after layer %{x}: %{y:.3f}", (across, cosine)
    traces = [
        curve(x, values, name, name + hover, hue, 2.5) for (name, hue), values in zip(hues.items(), lines, strict=True)
    ]
    low, high = np.nanmin(lines), np.nanmax(lines)
    room = max(0.02, 0.15 * (high - low))
    y = {"title": "cosine, share of length", "range": [low - room, min(high + room, 1 + 0.1 * room)]}  # at most 1
    finding = unchanged_layer(seeds, layer) or (
        f"{per_cent(across[-1], 0)} of the damage from layer {layer} is perpendicular to the stream at the last layer; "
        f"the perturbed stream keeps a cosine of {cosine[-1]:.3f} to the clean one."
    )
    table = pd.DataFrame({"read layer": x, "cosine": cosine, "share of length across": across}).dropna()
    drawn = layout(traces, layer_axis(len(x), "after layer"), y, annotations=colour_key(hues))
    return Chart(f"direction-after-layer-{layer}", "Which way does damage point?", drawn, finding, table)


# --- whether shrinking is dilution, and spares the output -------------------------------------------------------------


def dilution(seeds: Seeds, activation: Activation, layer: int) -> Chart:
    """Growth of the damage itself and of the stream around it; their quotient is the gain."""
    split = split_log_gain(seeds, activation)
    with np.errstate(invalid="ignore"):  # nothing is known of a layer that the perturbation leaves as it is
        damage = np.exp(np.nansum(split.absolute, axis=1) / np.isfinite(split.absolute).sum(1))
    stream, x = np.exp(split.growth.mean(1)), np.arange(len(damage))
    lines = {"damage grows": damage, "stream grows": stream, "gain": damage / stream, "gain if frozen": 1 / stream}
    net = {"size": 9, "symbol": "diamond", "color": [verdict_colour(each) for each in gains_of(seeds).verdicts]}
    styles: Any = ((LIGHT.family[1], 2), (LIGHT.family[0], 2), (LIGHT.ink, 1, None, net), (LIGHT.guide, 2, "dot"))
    traces = [
        curve(x, values, name, f"layer %{{x}}: {name} %{{y:.3g}}×", *style)
        for (name, values), style in zip(lines.items(), styles, strict=True)
    ]
    rows = ratio_axis("factor up to the last layer", *lines.values()).drawn
    figure = layout(traces, layer_axis(len(x), "perturbed layer"), rows, HIGH, shapes=mark_layer(layer))
    name_lines(figure, lines, [hue for hue, *_ in styles])
    text = dilution_sentence(damage, stream, layer, unchanged_layer(seeds, layer))
    return Chart("dilution", "Is the gain only dilution?", figure, text, pd.DataFrame({"injection layer": x} | lines))


def dilution_sentence(damage: Array, stream: Array, layer: int, still: str = "") -> str:
    if len(damage) == 1:
        return "The model has one layer: nothing follows it that could dilute its drift."
    gains, inner = (damage / stream)[:-1], damage[:-1]
    diluted, fought = ((inner > 1) & (gains < 1)).sum(), (inner <= 1).sum()
    shrinks = f"in {fought} the damage itself shrinks" if fought else "in none does the damage itself shrink"
    text = f"In {diluted or 'none'} of {len(gains)} layers drift shrinks only because the stream outgrows the damage; "
    text += f"{shrinks}."
    if not np.isfinite(damage[layer]):
        return f"{text} {still or unknown_gain(layer)}"
    if layer == len(gains):
        return f"{text} Nothing follows layer {layer}."
    return (
        f"{text} From layer {layer} to the end the damage {changed(damage[layer])} and the stream "
        f"{changed(stream[layer])}, so the gain is {times(damage[layer] / stream[layer])}. If the damage had stayed "
        f"constant, drift would {'fall' if stream[layer] > 1 else 'rise'} to {times(1 / stream[layer])}."
    )


def harm(seeds: Seeds, layer: int) -> Chart:
    """Final drift, divergence and loss increase per injection layer, one above the other."""
    drift = drift_curves(seeds)
    final = drift.map(lambda ends: ends[:, -1])[:3]
    kl, nll = (student(averaged(seeds, name)) for name in ("kl", "nll_increase"))
    layers, lost = len(final[0]), unreadable(kl[0])
    x = np.arange(layers)
    hues = np.where(x == layer, LIGHT.accent, LIGHT.family[1])
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    figure.update_yaxes(rangemode="tozero")
    titles = ("drift at the last layer", "divergence of the next token, nats (KL)", "loss increase, nats per token")
    notes = []
    for row, (title, ends) in enumerate(zip(titles, (final, kl, nll), strict=True), start=1):
        marker = {"size": 7, "color": np.where(lost & (ends is kl), LIGHT.guide, hues).tolist()}
        bars = whiskers(*ends, LIGHT.undecided, 1)
        dots = points(x, ends[0], title, f"layer %{{x}}: %{{y:.3g}} ({title})", marker, error_y=bars)
        figure.add_trace(dots, row=row, col=1)
        notes.append(note_above(title, xref="x domain", yref=f"y{row if row > 1 else ''} domain", font={"size": 12}))
    axis = layer_axis(layers, "perturbed layer")
    layout(figure, axis, log_axis("", final[0]).drawn, HIGH, annotations=notes).update_xaxes(**(axis | {"title": None}))
    figure.layout.xaxis3.title = axis["title"]
    columns = {
        "injection layer": x,
        "final drift": final[0],
        "KL, nats": kl[0],
        "KL 95% low": kl[1],
        "KL 95% high": kl[2],
        "KL below noise floor": lost,
        "loss increase, nats/token": nll[0],
    }
    return Chart("harm", "What happens to the output?", figure, _harm_finding(final[0], kl[0]), pd.DataFrame(columns))


def _harm_finding(drift: Array, kl: Array) -> str:
    lost = int(unreadable(kl).sum())
    if lost == len(kl):
        return "At no layer does the divergence rise above what rounding in float32 makes of none."
    rounding = f" At {several(lost, 'layer')} the divergence is no more than rounding in float32." if lost else ""
    agreement = spearman(drift, kl)
    if not np.isfinite(agreement):
        return f"Drift and divergence cannot be ranked against each other here.{rounding}"
    words = "the same layers" if agreement > 0.8 else "partly the same layers" if agreement > 0.4 else "other layers"
    worst_drift, worst_harm = int(np.nanargmax(drift)), int(np.nanargmax(kl))
    return (
        f"Drift and harm pick out {words} (rank correlation {agreement:.2f}): drift is largest from layer "
        f"{worst_drift}, harm from layer {worst_harm} ({digits(kl[worst_harm])} nats).{rounding}"
    )
