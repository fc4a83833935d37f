"""Gain per layer: by size, and against another model or another way of disturbing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import digits, profile_names, times
from core.plan import Gains, crossing, gains_of
from core.results import spearman
from core.show.figures.axes import VERDICT_COLOURS, colour_key, layer_axis, line_labels, margin, ratio_axis, wrapped
from core.show.figures.palette import LIGHT, see_through, shades, verdict_colour
from core.show.figures.style import Chart, band, curve, layout, mark_layer, value_line, whiskers
from core.show.words import beside_curves, described, gain_sentences, perturbation
from core.store import Array, Profile

WIDEST = 14  # characters of a line of a name beside its curve: a phone has room for no more
DEPTH = {
    "title": "relative depth of the injection layer: layer / (layers - 1)",
    "tickvals": [0, 0.25, 0.5, 0.75, 1],
    "range": [-0.02, 1.02],
    "showgrid": False,
}


def gains(
    lines: Mapping[str, Gains], finding: str, strong: str, layer: int | None,
    title: str = "Gain of each layer",
) -> Chart:  # fmt: skip
    """Gain over injection layers with 95% intervals, over relative depth where models are not equally deep.

    Args:
        strong: the line that carries its verdicts in colour.
        layer: the highlighted injection layer; None: none is.
    """
    relative = len({len(each.value) for each in lines.values()}) > 1
    values = np.concatenate([each.value for each in lines.values()])
    places = {name: depth(each) if relative else np.arange(len(each.value)) for name, each in lines.items()}
    colours = dict(zip(lines, shades(len(lines)), strict=True)) | {strong: LIGHT.ink}
    traces = []
    for name, each in lines.items():
        if name != strong:
            hue, x = colours[name], places[name]
            traces += [band(x, each.low, each.high, hue, 0.15), _curve(name, each, x, hue, {"size": 5})]
    main = lines[strong]
    marker = {"size": 9, "color": [verdict_colour(verdict) for verdict in main.verdicts]}
    bars = whiskers(main.value, main.low, main.high, see_through(LIGHT.ink, 0.55), 1)
    traces.append(_curve(strong, main, places[strong], LIGHT.ink, marker, error_y=bars))
    axis: dict[str, Any] = DEPTH if relative else layer_axis(len(main.value), "perturbed layer")
    shapes = [value_line(1, 0, axis["range"][1], color=LIGHT.guide, width=1)]
    shapes += [] if layer is None else mark_layer(layer)
    y = ratio_axis("gain: drift at the end ÷ where it began", values).drawn
    figure = layout(traces, axis, y, shapes=shapes, annotations=colour_key(VERDICT_COLOURS))
    if len(lines) > 1:
        name_lines(figure, {name: each.value for name, each in lines.items()}, [*colours.values()], strong)
    return Chart("gain-per-layer", title, figure, finding, table(lines))


def _curve(called: str, each: Gains, x: Array, colour: str, marker: dict, **more: Any) -> go.Scatter:
    name, count = escape(called), len(each.value)
    texts = [f"layer {layer} of {count}, {verdict or 'by definition 1'}" for layer, verdict in enumerate(each.verdicts)]
    return curve(x, each.value, name, f"{name}, %{{text}}: %{{y:.3g}}×", colour, marker=marker, text=texts, **more)


def name_lines(
    figure: go.Figure, lines: Mapping[str, Array], colours: Sequence[str], strong: str | None = None
) -> None:
    """Add the names of lines in the left margin, for at the right all meet; the axis goes there."""
    values = np.concatenate(list(lines.values()))
    heights = [next(iter(each[np.isfinite(each)]), 1.0) for each in lines.values()]
    names = [f"<b>{wrapped(name, WIDEST)}</b>" if name == strong else wrapped(name, WIDEST) for name in lines]
    figure.add_trace(line_labels(figure.layout.xaxis.range[0], heights, names, colours, values, "left"))
    figure.update_layout(margin_l=margin(names), yaxis_side="right")


def depth(line: Gains) -> Array:
    """`layer / (layers - 1)`, 0 at the first layer and 1 at the last."""
    layers = len(line.value)
    return np.arange(layers) / max(1, layers - 1)


def table(lines: Mapping[str, Gains]) -> pd.DataFrame:
    """Every gain with its interval and verdict, a row each."""
    frames = [
        pd.DataFrame({"line": name, "injection layer": np.arange(len(each.value))} | columns(each))
        for name, each in lines.items()
    ]
    return pd.concat(frames, ignore_index=True)


def columns(gains: Gains) -> dict[str, Any]:
    """Column -> gain of every layer with its interval and verdict, also without the correction for many layers.

    Beside it stand the paper's coefficient, the mean of ratios, and their median.
    """
    named = {"verdict": gains.verdicts, "verdict without correction": gains.uncorrected}
    verdicts = {name: [each or "none: 1 by definition" for each in verdicts] for name, verdicts in named.items()}
    others = {"mean of ratios": gains.mean_ratio, "median": gains.median}
    return {"gain": gains.value, "95% low": gains.low, "95% high": gains.high} | others | verdicts


# --- size of the noise --------------------------------------------------------------------------------------------


def of_sizes(profile: Profile, name: str) -> str:
    """Sentence: the layers where the size of noise decides; empty for all but noise of several sizes."""
    noise = profile.perturbations[name]
    sizes = profile.noise(getattr(noise, "positions", "all")) if noise.isotropic else {}
    if len(sizes) < 2:
        return ""
    lines = [gains_of(profile.seeds(each)) for each in sizes.values()]
    cross = crossing(np.array([*sizes]), np.log([each.value for each in lines]))
    return crossing_sentence([each.verdicts for each in lines], cross)


def crossing_sentence(verdicts: Sequence[Sequence[str | None]], cross: Array) -> str:
    """Sentence: layers that absorb or amplify every size, and layers where the size decides.

    Args:
        verdicts: (sizes, layers), sizes ascending.
        cross: (layers,) crossing sizes of the mean; NaN without one.
    """
    layers = list(zip(*verdicts, strict=True))[:-1]
    turning = [  # where a small size is certainly amplified and a larger one absorbed
        i
        for i, every in enumerate(layers)
        if np.isfinite(cross[i]) and "amplifies" in every and "absorbs" in every[every.index("amplifies") :]
    ]
    clauses = []
    for verdict, verb in (("absorbs", "absorbed"), ("amplifies", "amplified")):
        always = [i for i, every in enumerate(layers) if set(every) == {verdict}]
        clauses += [f"every measured size is {verb} at {gain_sentences.named(always)}"] if always else []
    if turning:
        low, high = digits(cross[turning].min()), digits(cross[turning].max())
        where = f"size {low}" if low == high else f"sizes between {low} and {high}"
        at = gain_sentences.named(turning)
        clauses.append(f"small sizes are amplified and large ones absorbed at {at}, switching at {where}")
    return f"Gaussian noise: {'; '.join(clauses) or 'no layer certainly switches from amplifying to absorbing'}."


# --- one line against another -------------------------------------------------------------------------------------


def compared(lines: Mapping[str, Gains], layer: int | None, title: str, between: str) -> Chart:
    """Two lines of gains, and in how many layers the first is absorbed more.

    Args:
        between: what is compared, as the beginning of the sentence `... in 3 of 29 layers`.
    """
    return gains(lines, against(lines, between), next(iter(lines)), layer, title)


def against(lines: Mapping[str, Gains], between: str) -> str:
    """Sentence on how alike two lines are, at the layers of the first and equal relative depth of the other.

    The last layer, 1 by definition, is left out.
    """
    first, other = lines.values()
    ours = np.log(first.value)[:-1]
    theirs = np.interp(depth(first), depth(other), np.log(other.value))[:-1]
    finite = np.isfinite(ours) & np.isfinite(theirs)
    if not finite.any():
        return f"Nothing can be compared: no layer has both {' and '.join(lines)}."
    most = int(np.where(finite, np.abs(ours - theirs), -1).argmax())
    unlike = "" if len(first.value) == len(other.value) else " at equal relative depth"
    alike = spearman(ours, theirs)
    rank = f" Their rank correlation along depth is {alike:.2f}." if np.isfinite(alike) else ""
    gaps = " against ".join(times(float(np.exp(row[most]))) for row in (ours, theirs))
    where = f"in {(ours < theirs)[finite].sum()} of {finite.sum()} layers{unlike}"
    return f"{between} {where}. The largest gap is at layer {most}: {gaps}.{rank}"


def of_profiles(profile: Profile, twin: Profile, name: str, layer: int) -> Chart:
    """Gains under one perturbation in two profiles, each named; unlike texts are said, unlike depths drawn alike."""
    titles = beside_curves([profile, twin])
    both = zip(titles, (profile, twin), strict=True)
    lines = {title: gains_of(each.seeds(name)) for title, each in both}
    highlighted = layer if profile.layers == twin.layers else None
    between = f"{perturbation(profile.perturbations[name])}. The gain of {titles[0]} is lower than that of {titles[1]}"
    chart = compared(lines, highlighted, "Gain of each layer", between)
    if len({(text.content, text.sequences, text.length) for text in (profile.spec.text, twin.spec.text)}) == 1:
        return chart
    descriptions = [described(each.entry) for each in (profile, twin)]
    read = "; ".join(
        f"{profile_names.text(each.text)}, {each.sequences} × {each.length} tokens" for each in descriptions
    )
    remark = f"They read different texts ({read}), so a difference may come from the text."
    return replace(chart, finding=f"{chart.finding} {remark}")
