"""What all charts share: colours that mean the same everywhere, axes of ratios, labels at the lines."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.labels import digits
from core.store.results import Array


@dataclass(frozen=True)
class Palette:
    """Colours by meaning, safe for the colour-blind: blue absorbs, red amplifies, grey is neither."""

    amplify: str
    absorb: str
    undecided: str
    accent: str  # the highlighted layer
    ink: str  # text and the strongest lines
    faint: str  # the bundle of other lines
    guide: str  # lines that mark a value
    diverging: tuple[tuple[float, str], ...]  # absorb - neutral - amplify
    hidden: str  # cells that say nothing


LIGHT = Palette(
    amplify="#C8321E",
    absorb="#0072B2",
    undecided="#8A8F98",
    accent="#A63D7D",
    ink="#31333F",
    faint="#C3C7CE",
    guide="#8A8F98",
    diverging=((0, "#00507D"), (0.25, "#4A9BCB"), (0.5, "#E9E9E9"), (0.75, "#E8836B"), (1, "#A62017")),
    hidden="#BFC3C9",
)
DARK = Palette(
    amplify="#F2674A",
    absorb="#4BA3DA",
    undecided="#8A8F98",
    accent="#E78BC4",
    ink="#FAFAFA",
    faint="#4A4F5A",
    guide="#8A8F98",
    diverging=((0, "#7CC6F2"), (0.25, "#2F7DB0"), (0.5, "#5A5D64"), (0.75, "#B8462F"), (1, "#FF8E73")),
    hidden="#23262E",
)


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with everything that must stand beside it."""

    name: str  # for files
    title: str
    figure: go.Figure
    finding: str  # one sentence
    table: pd.DataFrame

    @property
    def alt(self) -> str:
        """The text alternative: title and finding, each a sentence."""
        return f"{self.title}{'' if self.title.endswith('?') else '.'} {self.finding}"


def layout(figure: go.Figure, height: int = 380, right: int = 16) -> go.Figure:
    """Room for labels, no legend, no box to zoom by accident while scrolling."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": right, "t": 12, "b": 8},
        showlegend=False,
        hovermode="closest",
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False)
    return figure


def layer_axis(layers: int, title: str) -> dict:
    """A linear axis of layer numbers with whole ticks."""
    step = next(s for s in (1, 2, 5, 10, 20, 50) if layers / s <= 8)
    ticks = list(range(0, layers, step))
    return {"title": title, "tickvals": ticks, "range": [-0.6, layers - 0.4], "showgrid": False}


def factor_axis(values: Array, title: str) -> dict:
    """A log axis of ratios around 1× with ticks at powers of two, closer or wider where the range asks for it."""
    low, high = limits(values)
    low, high = min(low, 1 / 1.5), max(high, 1.5)
    base = math.sqrt(2) if high / low < 6 else 2 if high / low < 200 else 10
    powers = np.arange(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    every = max(1, math.ceil(len(powers) / 9))
    ticks = [p for p in powers if p % every == 0]
    return {
        "title": title,
        "type": "log",
        "range": padded(low, high),
        "tickvals": [float(base) ** p for p in ticks],
        "ticktext": [factor(float(base) ** p) for p in ticks],
    }


def log_axis(values: Array, title: str) -> dict:
    """A log axis of plain numbers with ticks at 1, 2, 5, closer or wider where the range asks for it."""
    low, high = limits(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    densities = ((2, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)), (10, (1, 1.5, 2, 3, 5, 7)), (200, (1, 2, 5)))
    steps = next((steps for spread, steps in densities if high / low < spread), (1,))
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "title": title,
        "type": "log",
        "range": padded(low, high),
        "tickvals": ticks,
        "ticktext": [f"{tick:,g}" for tick in ticks],
    }


def padded(low: float, high: float) -> list[float]:
    """The range of a log axis, in log10, with a little room at both ends."""
    room = 0.06 * math.log10(high / low) + 0.01
    return [math.log10(low) - room, math.log10(high) + room]


def limits(values: Array) -> tuple[float, float]:
    """Smallest and largest positive finite value; 0.1 and 10 where there is none."""
    usable = np.asarray(values, float).ravel()
    usable = usable[np.isfinite(usable) & (usable > 0)]
    return (float(usable.min()), float(usable.max())) if usable.size else (0.1, 10.0)


def factor(value: float) -> str:
    """A tick of a ratio: `1/4×`, `1×`, `2×`, `1.4×`."""
    inverse = 1 / value
    if value < 1 and abs(inverse - round(inverse)) < 1e-6:
        return f"1/{round(inverse):,}×"
    return f"{round(value):,}×" if abs(value - round(value)) < 1e-6 else f"{digits(value)}×"


def band(x: Sequence[float], low: Array, high: Array, colour: str, opacity: float = 0.2) -> go.Scatter:
    """The area between two curves, where both are known."""
    usable = np.isfinite(low) & np.isfinite(high)
    x = np.asarray(x, float)[usable]
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low[usable], high[usable][::-1]]),
        fill="toself",
        fillcolor=see_through(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="95% interval",
    )


def line_labels(
    x: float, ys: Sequence[float], texts: Sequence[str], colours: Sequence[str], gap: float, side: str = "right"
) -> go.Scatter:
    """Names at the ends of lines on a log axis, moved apart by `gap` (in ln) a line where they would overlap."""
    return go.Scatter(
        x=[x] * len(ys),
        y=np.exp(apart(np.log(ys), gap * np.array([1 + text.count("<br>") for text in texts]))),
        text=list(texts),
        textfont={"color": list(colours), "size": 12},
        mode="text",
        textposition=f"middle {side}",
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )


def wrapped(name: str, width: int) -> str:
    """A name over lines of so many characters, broken after a comma where it can be; no markup but the breaks."""
    parts = [part.replace(" ", "\u00a0") if len(part) < width else part for part in name.split(", ")]
    lines = [name] if len(name) <= width else textwrap.wrap(", ".join(parts), width)
    return "<br>".join(map(escape, lines))


def row_axis(names: Sequence[str], width: int = 17) -> dict:
    """An axis of rows, the first at the top, whose names leave a phone room for the rows."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": [wrapped(name, width) for name in names]}
    return ticks | {"autorange": "reversed", "showgrid": False, "title": None}


def rule(figure: go.Figure, y: float, since: float, to: float, **line: object) -> None:
    """A line that marks a value from one x to another, so that names beyond are not struck through."""
    figure.add_shape(type="line", x0=since, x1=to, y0=y, y1=y, line=line)


def apart(wanted: Array, gap: float | Array) -> Array:
    """Positions near the wanted ones that keep their order and are at least `gap` from each other.

    Args:
        gap: one for all, or the room that each needs around its middle.
    """
    order = np.argsort(wanted, kind="stable")
    placed = np.asarray(wanted, float)[order]
    room = np.broadcast_to(np.asarray(gap, float), placed.shape)[order]
    steps = np.concatenate([[0.0], np.cumsum((room[1:] + room[:-1]) / 2)])[: len(placed)]
    rising = np.maximum.accumulate(placed - steps) + steps  # pushed up only
    falling = np.minimum.accumulate((placed - steps)[::-1])[::-1] + steps  # pushed down only
    result = np.empty(len(placed))
    result[order] = (rising + falling) / 2  # both keep the gap, so their mean does
    return result


def see_through(colour: str, opacity: float) -> str:
    """`#rrggbb` as rgba."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
