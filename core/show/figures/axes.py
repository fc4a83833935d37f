"""Axes with round ticks, and words inside figures: names beside points and lines, kept apart and wrapped, and keys."""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from core.base import digits
from core.show.figures.palette import readable, verdict_colour
from core.store import Array

LETTER = 7  # pixels of a character of a name, at most
TICKS = 7
FEWEST_TICKS = 3  # of a log axis, where round values allow it
APART = 0.1  # of the axis, the least between two ticks: a line of text on the lowest figure
# Round values of a decade, from few to many: an axis takes the first that give it enough ticks.
EVEN = [[n / parts for n in range(parts, 10 * parts)] for parts in (1, 2, 5, 10)]
ROUND = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), *EVEN)


@dataclass(frozen=True)
class Axis:
    """An axis: its ends, and the values that are written at it."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    @property
    def drawn(self) -> dict:
        """A log axis as plotly takes it."""
        values, texts = zip(*self.ticks, strict=True) if self.ticks else ((), ())
        ends = [math.log10(self.low), math.log10(self.high)]
        return {"title": self.title, "type": "log", "range": ends, "tickvals": values, "ticktext": texts}


def limits(*values: ArrayLike) -> tuple[float, float]:
    """Smallest and largest positive finite value; 0.1 and 10 where there is none."""
    every = np.concatenate([np.asarray(each, float).ravel() for each in values])
    usable = every[np.isfinite(every) & (every > 0)]
    return (float(usable.min()), float(usable.max())) if usable.size else (0.1, 10.0)


def log_axis(title: str, *values: Array) -> Axis:
    """A log axis around positive values."""
    low, high = limits(*values)
    low, high = low / 1.15, high * 1.15
    return Axis(title, low, high, [(each, _tick(each)) for each in log_ticks(low, high)], log=True)


def ratio_axis(title: str, *values: Array) -> Axis:
    """A log axis of ratios with 1 in it."""
    low, high = limits(*values, np.ones(1))
    low, high = min(0.8, low / 1.08), max(1.25, high * 1.08)
    return Axis(title, low, high, [(each, f"{_tick(each)}×") for each in log_ticks(low, high)], log=True)


def log_ticks(low: float, high: float) -> list[float]:
    """Round values in a log axis, of which no two are so near that their words touch: enough, else as many as fit."""
    span = math.log10(high / low)
    stride = max(1, math.ceil(APART * span))
    decades = [e for e in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1) if e % stride == 0]
    ticks = []
    for choice in ROUND:
        every = [float(f"{m}e{e}") for e in decades for m in choice]
        inside = [each for each in every if low <= each <= high]
        if all(math.log10(above / below) >= APART * span - 1e-9 for below, above in pairwise(inside)):
            ticks = max(ticks, inside, key=len)
        if len(ticks) >= FEWEST_TICKS:
            break
    return ticks


def _tick(value: float) -> str:
    """A tick with as few digits as it has: `1.25`, `0.6`, `1,000`."""
    return next(text for count in (1, 2, 3) if float((text := digits(value, count)).replace(",", "")) == value)


def linear_axis(title: str, low: float, high: float, write: Callable[[float], str] = "{:,g}".format) -> Axis:
    """A linear axis with round ticks."""
    span = high - low
    step = next(m * 10.0**e for e in range(-8, 9) for m in (1, 2, 5) if span / (m * 10.0**e) <= TICKS)
    steps = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    values = [float(f"{step * n:.6g}") for n in steps]
    return Axis(title, low, high, [(value, write(value)) for value in values])


def padded_axis(title: str, room: float, *values: Array, write: Callable[[float], str] = "{:,g}".format) -> Axis:
    """A linear axis around values.

    Args:
        room: beyond each end, as a share of the span.
    """
    every = np.concatenate([np.ravel(each) for each in values])
    beyond = room * float(np.ptp(every))
    return linear_axis(title, float(every.min()) - beyond, float(every.max()) + beyond, write)


def layer_axis(layers: int, title: str, room: float = 0.0) -> dict:
    """A linear axis of layer numbers with whole ticks, and room for names right of it, in layers."""
    step = next(s for s in (1, 2, 5, 10, 20, 50) if layers / s <= 8)
    ends = [-0.6, layers - 0.4 + room]
    return {"title": title, "tickvals": list(range(0, layers, step)), "range": ends, "showgrid": False}


def share_axis(title: str, shares: Sequence[float]) -> dict:
    """An axis of per cents at some shares, with room beside them."""
    ticks = [round(100 * each, 6) for each in shares]
    first, last = 100 * shares[0], 100 * shares[-1]
    span = max(last - first, 5.0)
    return {"title": title, "tickvals": ticks, "range": [first - 0.06 * span, last + 0.06 * span], "showgrid": False}


def row_axis(names: Sequence[str]) -> dict:
    """An axis of rows, the first at the top, whose names leave a phone room for the rows."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": [wrapped(name, 17) for name in names]}
    return ticks | {"range": [len(names) - 0.5, -0.5], "showgrid": False, "title": None}


# --- words inside figures -------------------------------------------------------------------------------------------


def labels(
    x: ArrayLike, y: ArrayLike, texts: Sequence[str], colours: Sequence[str], at: str = "middle right"
) -> go.Scatter:
    """Text beside points that are not drawn; it may stand outside the axes."""
    return go.Scatter(
        x=x,
        y=y,
        text=texts,
        textfont={"color": [*map(readable, colours)], "size": 12},
        mode="text",
        textposition=at,
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )


def line_labels(
    x: float, ys: Sequence[float], texts: Sequence[str], colours: Sequence[str], values: Array, side: str = "right"
) -> go.Scatter:
    """Names at the ends of lines on a log axis, moved apart where they would overlap.

    Args:
        values: all that the axis shows: about 18 lines of text fit beside them.
    """
    low, high = limits(values)
    gap = 0.055 * (math.log(high / low) + 0.8)
    room = gap * np.array([1 + text.count("<br>") for text in texts])
    return labels([x] * len(ys), np.exp(apart(np.log(ys), room)), texts, colours, f"middle {side}")


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
    result[order] = (rising + falling) / 2  # both keep the gap, so this does
    return result


def margin(names: Iterable[str]) -> int:
    """Pixels beside a picture that hold names, which may have several lines: as many in a wide one as on a phone."""
    return 16 + LETTER * max((len(line) for name in names for line in name.split("<br>")), default=0)


def wrapped(name: str, width: int) -> str:
    """A name over lines of so many characters, broken after a comma where it can be; no markup but the breaks."""
    parts = [part.replace(" ", "\u00a0") if len(part) < width else part for part in name.split(", ")]
    lines = [name] if len(name) <= width else textwrap.wrap(", ".join(parts), width)
    return "<br>".join(map(escape, lines))


def note_above(text: str, **more: object) -> dict:
    """A remark over the picture, inside which something would cross it."""
    place = {"x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return place | {"text": text, "showarrow": False} | more


def colour_key(hues: Mapping[str, str]) -> list[dict]:
    """Key to the colours of a picture, above it."""
    key = "   ".join(f'<span style="color:{readable(hue)}">● {name}</span>' for name, hue in hues.items())
    return [note_above(key, x=1, xanchor="right", yshift=24)]


VERDICT_COLOURS = {word: verdict_colour(word) for word in ("amplifies", "undecided", "absorbs")}
