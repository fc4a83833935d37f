"""Why a drift shrinks, and whether shrinking spares the output: dilution and harm."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.base import changed, digits, several, times
from core.plan.gains import averaged, gains_of, student
from core.results import propagation, spearman
from core.show.figures.axes import layer_axis, log_axis, ratio_axis
from core.show.figures.drift import left_alone, unknown
from core.show.figures.gain import name_lines
from core.show.figures.labels import above
from core.show.figures.palette import LIGHT, verdict_colour
from core.show.figures.style import Chart, curve, here, layout, whiskers
from core.store import Activation, Array, Seeds

HIGH = 520  # px of three plots above one another, and of what stands beside them


def dilution(seeds: Seeds, activation: Activation, layer: int) -> Chart:
    """What became of the damage itself and of the stream around it; their quotient is the gain."""
    found = propagation.dilution(seeds, activation)
    with np.errstate(invalid="ignore"):  # nothing is known of a layer that the perturbation leaves as it is
        damage = np.exp(np.nansum(found.absolute, axis=1) / np.isfinite(found.absolute).sum(1))
    stream = np.exp(found.growth.mean(1))
    gain, frozen = damage / stream, 1 / stream
    lines = {"damage grows": damage, "stream grows": stream, "gain": gain, "gain if frozen": frozen}
    pale, strong = LIGHT.family
    net = {"size": 9, "symbol": "diamond", "color": [verdict_colour(each) for each in gains_of(seeds).verdicts]}
    styles = ((strong, 2), (pale, 2), (LIGHT.ink, 1, None, net), (LIGHT.guide, 2, "dot"))
    x, figure = np.arange(len(damage)), go.Figure()
    for (name, values), style in zip(lines.items(), styles, strict=True):
        figure.add_trace(curve(x, values, name, f"layer %{{x}}: {name} %{{y:.3g}}×", *style))
    here(figure, layer)
    rows = ratio_axis("factor up to the last layer", *lines.values()).drawn
    layout(figure, layer_axis(len(x), "perturbed layer"), rows, height=HIGH)
    name_lines(figure, lines, [hue for hue, *_ in styles])
    finding = dilution_said(damage, stream, layer, left_alone(seeds, layer))
    table = pd.DataFrame({"injection layer": x} | lines)
    return Chart("dilution", "Is the gain only dilution?", figure, finding, table)


def dilution_said(damage: Array, stream: Array, layer: int, still: str = "") -> str:
    if len(damage) == 1:
        return "The model has one layer: nothing follows it that could dilute its drift."
    inner = slice(0, len(damage) - 1)
    gain = (damage / stream)[inner]
    diluted = int(((damage[inner] > 1) & (gain < 1)).sum())
    fought = int((damage[inner] <= 1).sum())
    shrinks = f"in {fought} the damage itself shrinks" if fought else "in none does the damage itself shrink"
    said = f"In {diluted or 'none'} of {len(gain)} layers drift shrinks only because the stream outgrows the damage; "
    said += f"{shrinks}."
    if not np.isfinite(damage[layer]):
        return f"{said} {still or unknown(layer)}"
    if layer == len(gain):
        return f"{said} Nothing follows layer {layer}."
    frozen = 1 / stream[layer]
    return (
        f"{said} From layer {layer} to the end the damage {changed(damage[layer])} and the stream "
        f"{changed(stream[layer])}, so the gain is {times(damage[layer] / stream[layer])}. If the damage had stayed "
        f"constant, drift would {'fall' if frozen < 1 else 'rise'} to {times(frozen)}."
    )


def harm(seeds: Seeds, layer: int) -> Chart:
    """Final drift, divergence and loss increase per injection layer, one above the other."""
    drift = propagation.curves(seeds)
    final = (drift.value[:, -1], drift.low[:, -1], drift.high[:, -1])
    kl, nll = (student(averaged(seeds, name)) for name in ("kl", "nll_increase"))
    layers = len(final[0])
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    titles = ("drift at the last layer", "divergence of the next token, nats (KL)", "loss increase, nats per token")
    lost = propagation.unreadable(kl[0])
    for row, (title, found) in enumerate(zip(titles, (final, kl, nll), strict=True), start=1):
        hues = np.full(layers, LIGHT.family[1])
        hues[layer] = LIGHT.accent
        points = go.Scatter(
            x=np.arange(layers),
            y=found[0],
            error_y=whiskers(*found, LIGHT.undecided, 1),
            mode="markers",
            marker={"size": 7, "color": np.where(lost & (found is kl), LIGHT.guide, hues).tolist()},
            hovertemplate=f"layer %{{x}}: %{{y:.3g}} ({title})<extra></extra>",
            name=title,
        )
        figure.add_trace(points, row=row, col=1)
        figure.update_yaxes(rangemode="tozero", row=row, col=1)
        above(figure, title, xref="x domain", yref=f"y{row if row > 1 else ''} domain", font={"size": 12})
    axis = layer_axis(layers, "perturbed layer")
    layout(figure, axis, log_axis("", final[0]).drawn, HIGH).update_xaxes(**(axis | {"title": None}))
    figure.update_xaxes(title=axis["title"], row=3, col=1)
    columns = {"injection layer": np.arange(layers), "final drift": final[0], "KL, nats": kl[0]}
    columns |= {"KL 95% low": kl[1], "KL 95% high": kl[2], "KL below noise floor": lost}
    columns |= {"loss increase, nats/token": nll[0]}
    said = _harm_finding(final[0], kl[0])
    return Chart("harm", "What happens to the output?", figure, said, pd.DataFrame(columns))


def _harm_finding(drift: Array, kl: Array) -> str:
    lost = int(propagation.unreadable(kl).sum())
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
