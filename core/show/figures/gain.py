"""Gain per layer: by size, against another model, against another way of disturbing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.plan.gains import Gains, gains_of, student
from core.show.figures.axes import factor_axis, layer_axis
from core.show.figures.labels import times
from core.show.figures.marks import curve, here, line_gap, line_labels, rule, see_through, verdict_key, whiskers
from core.show.figures.style import LIGHT, Chart, Palette, layout, shades
from core.store.results import Array, Perturbed

STATISTICS = {"geometric": "geometric mean", "ratio": "mean of ratios", "median": "median"}


@dataclass(frozen=True, eq=False)
class Line:
    """One line of gains: what it is called, its values and intervals (layers,), and a verdict per layer."""

    name: str
    value: Array
    low: Array
    high: Array
    verdicts: tuple[str | None, ...]
    uncorrected: tuple[str | None, ...]  # the same by each layer's own interval


def line(name: str, seeds: Sequence[Perturbed], statistic: str = "geometric") -> Line:
    """Gains by a statistic with the 95% interval over sequences. Verdicts are the geometric mean's whatever is shown.

    Args:
        statistic: `geometric` exp(mean ln ratio), `ratio` mean ratio, `median` over tokens, then mean over sequences.
    """
    found = gains_of(seeds)
    if statistic == "geometric":
        return Line(name, found.value, found.low, found.high, found.verdicts, found.uncorrected)
    per_sequence = [each.ratio if statistic == "ratio" else each.ratio_q50 for each in seeds]
    mean, half = student(np.mean(per_sequence, axis=0))
    return Line(name, mean, np.maximum(mean - half, 1e-9), mean + half, found.verdicts, found.uncorrected)


def gains(
    lines: Sequence[Line],
    shown: int,
    layer: int,
    finding: str,
    title: str = "Gain of each layer",
    look: Palette = LIGHT,
) -> Chart:
    """Gain over injection layers; one line carries its verdicts in colour, the others are there to compare.

    Args:
        shown: index of the line with verdicts.
        layer: the highlighted injection layer.
    """
    layers = len(lines[shown].value)
    values = np.concatenate([each.value for each in lines])
    room = layers * 0.028 * max(len(each.name) for each in lines)
    figure = go.Figure()
    colours = shades(len(lines), look)
    for index, each in enumerate(lines):
        if index != shown:
            figure.add_traces(_other(each, colours[index]))
    figure.add_traces(_main(lines[shown], look))
    rule(figure, 1, 0, layers - 0.4, color=look.guide, width=1)
    here(figure, layer, look)
    verdict_key(figure, look)
    figure.add_trace(_names(lines, shown, values, look))
    figure.update_layout(
        xaxis=layer_axis(layers, "perturbed layer") | {"range": [-0.6 - room, layers - 0.4]},
        yaxis=factor_axis(values, "gain: drift at the end ÷ where it began"),
    )
    return Chart("gain-per-layer", title, layout(figure, height=420, top=28), finding, table(lines))


def _main(each: Line, look: Palette) -> list[go.Scatter]:
    colours = {"amplifies": look.amplify, "absorbs": look.absorb}
    verdicts = [verdict or "by definition 1" for verdict in each.verdicts]
    x, said = np.arange(len(each.value)), f"{each.name}, layer %{{x}}: %{{y:.3g}}×, %{{text}}"
    marker = {"size": 9, "color": [colours.get(verdict, look.undecided) for verdict in verdicts]}
    line = curve(x, each.value, each.name, said, look.ink, marker=marker, text=verdicts)
    return [_bars(x, each, see_through(look.ink, 0.55)), line]


def _other(each: Line, colour: str) -> list[go.Scatter]:
    x, said = np.arange(len(each.value)), f"{each.name}, layer %{{x}}: %{{y:.3g}}×"
    line = curve(x, each.value, each.name, said, colour)
    return [_bars(x, each, see_through(colour, 0.5)), line]


def _bars(x: Array, each: Line, colour: str) -> go.Scatter:
    """The intervals alone, so that they lie under the markers."""
    y = np.where(np.isfinite(each.high), each.value, np.nan)
    bars = whiskers(each.value, each.low, each.high, colour, 1)
    return go.Scatter(
        x=x, y=y, error_y=bars, mode="markers", marker={"opacity": 0}, hoverinfo="skip", name="95% interval"
    )


def _names(lines: Sequence[Line], shown: int, values: Array, look: Palette) -> go.Scatter:
    """Names at the left ends of the lines: at the right all meet at 1."""
    heights = [next(iter(each.value[np.isfinite(each.value)]), 1.0) for each in lines]
    shaded = shades(len(lines), look)
    colours = [look.ink if index == shown else shaded[index] for index in range(len(lines))]
    names = [f"<b>{each.name}</b>" if index == shown else each.name for index, each in enumerate(lines)]
    return line_labels(-0.4, heights, names, colours, line_gap(values), side="left")


def table(lines: Sequence[Line], named: str = "line") -> pd.DataFrame:
    """Every gain with its interval and verdict, a row each.

    Args:
        named: what the names of the lines are, for the head of their column.
    """
    frames = [
        pd.DataFrame({named: each.name, "injection layer": np.arange(len(each.value))} | columns(each))
        for each in lines
    ]
    return pd.concat(frames, ignore_index=True)


def columns(found: Gains | Line) -> dict[str, object]:
    """Column -> gain of every layer, its interval, and its verdict, also without the correction for many layers."""
    told = {"verdict": found.verdicts, "verdict without correction": found.uncorrected}
    verdicts = {name: [each or "none: 1 by definition" for each in verdicts] for name, verdicts in told.items()}
    return {"gain": found.value, "95% low": found.low, "95% high": found.high} | verdicts


def compared(first: Line, second: Line, layer: int, title: str, between: str, look: Palette = LIGHT) -> Chart:
    """Two lines over the same layers, and in how many layers the first is absorbed more.

    Args:
        between: what is compared, as the beginning of the sentence `... in 3 of 29 layers`.
    """
    known = np.isfinite(first.value[:-1]) & np.isfinite(second.value[:-1])
    if not known.any():
        finding = f"Nothing can be compared: no layer has both {first.name} and {second.name}."
        return gains([first, second], 0, layer, finding, title, look)
    lower = int((first.value[:-1] < second.value[:-1])[known].sum())
    apart = np.where(known, np.abs(np.log(first.value[:-1] / second.value[:-1])), np.nan)
    most = int(np.nanargmax(apart))
    finding = (
        f"{between} in {lower} of {known.sum()} layers. The largest gap is at layer {most}: "
        f"{times(first.value[most])} against {times(second.value[most])}."
    )
    return gains([first, second], 0, layer, finding, title, look)
