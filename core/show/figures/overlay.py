"""Gains of several models on one axis: by layer where all are equally deep, else by relative depth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np
import plotly.graph_objects as go

from core.base import profile_names
from core.results.comparison import spearman
from core.show.figures.axes import factor_axis, layer_axis
from core.show.figures.gain import Line, line, table
from core.show.figures.labels import beside_curves, described, percent, perturbation, times
from core.show.figures.marks import DASHES, band, curve, line_gap, line_labels, margin, rule
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.profiles import Profile
from core.store.results import Array

GREEN, YELLOW, PINK = "#009E73", "#E69F00", "#CC79A7"  # of Okabe and Ito's, those that mean nothing on other charts
LONGEST, WIDEST = 36, 14  # characters of a name beside its curve, and of a line of it: a phone has room for no more
STEPS = 101  # points at which models of different depth are compared
RELATIVE = "relative depth of the injection layer: layer / (layers - 1)"


def of_profiles(profiles: Sequence[Profile], name: str, statistic: str = "geometric", look: Palette = LIGHT) -> Chart:
    """Gains under one perturbation in several profiles, each named; unlike texts are marked, and said."""
    titles = beside_curves(profiles)
    lines = [line(title, each.seeds(name), statistic) for title, each in zip(titles, profiles, strict=True)]
    chart = overlay(lines, perturbation(profiles[0].perturbations[name]), look)
    return replace(chart, finding=f"{chart.finding} {_texts(profiles)}".strip())


def _texts(profiles: Sequence[Profile]) -> str:
    """That profiles read different texts, and which; empty where they did not."""
    if len({(text.content, text.sequences, text.length) for text in (each.spec.text for each in profiles)}) == 1:
        return ""
    known = [described(each.entry) for each in profiles]
    told = [f"{profile_names.text(each.text)}, {each.sequences} × {each.length} tokens" for each in known]
    return f"They read different texts ({'; '.join(told)}), so a difference may come from the text."


def overlay(lines: Sequence[Line], what: str, look: Palette = LIGHT) -> Chart:
    """Gain over injection layers, a line per model, with 95% intervals.

    Args:
        lines: one per model; all names differ.
        what: the perturbation, in words.
    """
    depths = {len(each.value) for each in lines}
    relative = len(depths) > 1
    values = np.concatenate([each.value for each in lines])
    figure = go.Figure()
    colours = [colour(index, look) for index in range(len(lines))]
    for index, each in enumerate(lines):
        x = depth(each) if relative else np.arange(len(each.value))
        figure.add_trace(band(x, each.low, each.high, colours[index], 0.15))
        figure.add_trace(_curve(each, x, colours[index], DASHES[index % len(DASHES)]))
    axis = _axis(max(depths), relative)
    rule(figure, 1, 0, axis["range"][1], color=look.guide, width=1)
    figure.update_layout(xaxis=axis, yaxis=factor_axis(values, "gain: drift at the end / injected"))
    layout(figure, height=460)
    if len(lines) > 1:
        _name(figure, lines, values, colours)
    title = "Gain over relative depth" if relative else "Gain of each layer"
    finding = f"{what}. {_finding(lines)}"
    found = table(lines, "model")
    found.insert(2, "relative depth", np.concatenate([depth(each) for each in lines]))
    return Chart("overlay", title, figure, finding, found)


def depth(line: Line) -> Array:
    """`layer / (layers - 1)`, 0 at the first layer and 1 at the last."""
    layers = len(line.value)
    return np.arange(layers) / max(1, layers - 1)


def colour(index: int, look: Palette) -> str:
    """Of the line at a place; after five they begin again, with another dash."""
    return (look.ink, look.accent, GREEN, YELLOW, PINK)[index % 5]


def _axis(layers: int, relative: bool) -> dict:
    if not relative:
        return layer_axis(layers, "injection layer")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    return {"title": RELATIVE, "tickvals": ticks, "range": [-0.02, 1.02], "showgrid": False}


def _curve(line: Line, x: Array, colour: str, dash: str) -> go.Scatter:
    layers = len(line.value)
    name, places = escape(line.name), [f"layer {layer} of {layers}" for layer in range(layers)]
    said = f"{name}, %{{customdata}}: %{{y:.3g}}×"
    return curve(x, line.value, name, said, colour, 2, dash, {"size": 5}, customdata=places)


def _name(figure: go.Figure, lines: Sequence[Line], values: Array, colours: Sequence[str]) -> None:
    """Names in the left margin, for at the right all curves meet at 1; the axis makes room for them."""
    heights = [next((float(value) for value in each.value if np.isfinite(value)), 1.0) for each in lines]
    names = [label(each.name) for each in lines]
    first = figure.layout.xaxis.range[0]
    figure.add_trace(line_labels(first, heights, names, colours, line_gap(values), side="left"))
    figure.update_layout(margin_l=margin(names), yaxis_side="right")


def label(name: str) -> str:
    """A name beside its curve, over lines that end where its words do; files without what says how they are written."""
    words = re.sub(r"\.(jsonl?|txt|raw|parquet|gguf|safetensors)\b", "", name)
    return escape(_broken(short(words))).replace("\n", "<br>")


def _broken(name: str) -> str:
    """Lines of no more than `WIDEST` characters, ended at signs that part words; a longer word is left whole."""
    lines = [""]
    for word in re.findall(r"[^\s,_/·-]*[\s,_/·-]*", name):
        if lines[-1] and len((lines[-1] + word).rstrip()) > WIDEST:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def short(name: str) -> str:
    """A name that leaves room for its curve: its beginning and its end, which tells twins apart."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 10]}…{name[-9:]}"


def _finding(lines: Sequence[Line]) -> str:
    if len(lines) == 1:
        return "One model: pick another to compare it with."
    return " ".join(_against(lines[0], each) for each in lines[1:])


def _against(first: Line, other: Line) -> str:
    """How alike two curves are: layer by layer, or at equal relative depths where one model is deeper.

    The last layer, 1 by definition, is left out.
    """
    layers = len(first.value) == len(other.value)
    at = depth(first)[:-1] if layers else np.linspace(0, 1, STEPS)[:-1]
    logs = [np.log(each.value) for each in (first, other)]
    logs = [
        row[:-1] if layers else np.interp(at, depth(each), row) for each, row in zip((first, other), logs, strict=True)
    ]
    known = np.isfinite(logs[0]) & np.isfinite(logs[1])
    if not known.any():
        return f"{first.name} and {other.name} have no depth in common."
    gap = np.where(known, np.abs(logs[0] - logs[1]), -1)
    most = int(gap.argmax())
    lower = (logs[0] < logs[1])[known]
    if layers:
        where, widest = f"in {lower.sum()} of {lower.size} layers", f"at layer {most}"
    else:
        where, widest = f"over {percent(float(lower.mean()))} of the depth", f"at {percent(at[most])} of the depth"
    alike = spearman(*logs)
    rank = f" Their rank correlation along depth is {alike:.2f}." if np.isfinite(alike) else ""
    gaps = " against ".join(times(float(np.exp(row[most]))) for row in logs)
    return (
        f"The gain of {first.name} is lower than that of {other.name} {where}. "
        f"The largest gap is {widest}: {gaps}.{rank}"
    )
