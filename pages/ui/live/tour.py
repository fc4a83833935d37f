"""The live figure of the tour: bars and lines over layers that follow the finger, without a call to the server."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.show.figures import Palette
from core.show.figures.labels import digits
from core.show.lessons.marks import plain
from core.store.results import Array
from pages.ui.live import component

COMPONENT = component("tour", "shared", "words")
TICKS = 6
FEWEST_TICKS = 3  # of a log axis, where round values allow it
APART = 0.1  # of the axis, the least between two ticks: a line of text on the lowest figure
# Round values of a decade, from few to many: an axis takes the first that give it enough ticks.
EVEN = [[n / parts for n in range(parts, 10 * parts)] for parts in (1, 2, 5, 10)]
ROUND = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), *EVEN)
RATIOS = ((1,), (1, 2, 5), (1, 2, 3, 5), (1, 1.25, 1.5, 2, 3, 5, 6, 8))


@dataclass(frozen=True)
class Control:
    """A slider, or a choice among few, over named stops."""

    name: str  # the state holds the value chosen under it
    label: str
    stops: Sequence[str]
    index: int
    values: Sequence  # what the stops stand for
    marks: Sequence[tuple[int, str]] = ()  # stops with a word below the slider
    choice: bool = False


@dataclass(frozen=True)
class Pick:
    """The slider of layers, which a click into the picture moves too; the state holds its index under `key`."""

    label: str
    index: int
    key: str = "layer"


@dataclass(frozen=True)
class Axis:
    """The vertical axis: its ends, and the values that are written at it."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False


@dataclass(frozen=True, eq=False)
class Bars:
    """A bar per layer in every frame. Tones are fields of the palette; without them the picked layer stands out."""

    values: Array  # (frames, layers)
    tones: Sequence[Sequence[str]] | None = None  # (frames)(layers)
    base: Array | None = None  # (layers,) outlined behind


@dataclass(frozen=True, eq=False)
class Line:
    """A line over layers in every frame: one for all, or one for each picked layer that begins there.

    Its mark is a name that sentences refer to; `NAME-start` and `NAME-end` are its ends.
    """

    values: Array  # (frames, layers), or (frames, picked, layers) with NaN before the picked layer
    tone: str
    dash: bool = False
    bundle: bool = False  # the lines of all other layers stand behind
    mark: str = ""
    ends: tuple[str, str] | None = None  # slots written at its ends


@dataclass(frozen=True)
class Gauge:
    """One number of every frame, drawn as a curve below the picture."""

    title: str
    values: Array
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    zero: int | None = None  # the frame that is marked
    points: Sequence[int] = ()  # frames that sentences refer to, as `gauge-NUMBER`


@dataclass(frozen=True)
class Slot:
    """Words that depend on the frame, on the picked layer, on both or on nothing: a table of them."""

    by: str  # frame, layer, both, nothing
    table: Sequence


def written(write: Callable[[float], str], table: Iterable[Iterable[float]]) -> Slot:
    """Words for every number of a table of (frames, layers)."""
    return Slot("both", [[write(value) for value in row] for row in table])


def fixed(said: str) -> Slot:
    """Words that stay."""
    return Slot("nothing", [said])


@dataclass(frozen=True)
class Ask:
    """A question with buttons, to be answered before the answer is shown."""

    question: str
    options: Mapping[str, str]  # answer -> what its button says
    answered: Callable[[str], None]  # what an answer changes
    waiting: str = ""  # why it cannot be answered yet


class Key(NamedTuple):
    """An entry of the legend; shape is line, dash, block or outline, and the text may name slots in braces."""

    tone: str
    shape: str
    text: str


TONES = {"amplifies": "amplify", "absorbs": "absorb"}  # of verdicts; any other is undecided
FATES = {
    "amplifies": "the rest of the network amplifies it",
    "absorbs": "the rest of the network absorbs it",
    None: "it is the last layer, so its gain is [1×](foot) by definition",
}
VERDICTS = (
    Key("amplify", "block", "amplifies"),
    Key("absorb", "block", "absorbs"),
    Key("undecided", "block", "undecided: within 5 % of 1×, or uncertain"),
)


def tones(verdicts: Sequence[str | None]) -> list[str]:
    """The colour of each verdict."""
    return [TONES.get(each, "undecided") for each in verdicts]


def fates(verdicts: Sequence[str | None]) -> list[str]:
    """Each verdict in words; the last layer has none."""
    return [FATES.get(each, "whether it is amplified or absorbed is undecided") for each in verdicts]


@dataclass(frozen=True, eq=False)
class Figure:
    """Everything the picture may show. Frames are all settings of the controls, the last control running fastest."""

    name: str
    title: str
    says: str  # the sentence above, with slots in braces, {layer} being the picked one, and references to marks
    slots: dict[str, Slot]
    y: Axis | Sequence[Axis]  # one for all frames, or one for each
    controls: Sequence[Control] = ()
    pick: Pick | None = None
    bars: Bars | None = None
    lines: Sequence[Line] = ()
    gauge: Gauge | None = None
    key: Sequence[Key] = ()
    finding: str = ""  # what it shows, for those who cannot see it; the sentence above is added
    foot: float | None = None  # where bars begin, and the line that is drawn strong
    x: str = "layer"
    height: int = 240  # px, axes included
    lead: str = ""  # what stands above all
    notes: Sequence[Slot] = ()  # what stands beside the picture, or below it where there is no room
    ask: Ask | None = None
    large: bool = False  # for a room
    first: bool = False  # the picture comes before its words and controls, as that of a chart beside it

    @property
    def layers(self) -> int:
        return (self.bars or self.lines[0]).values.shape[-1]


def figure(shown: Figure, look: Palette, drawn: Callable[[], None] | None = None) -> None:
    """Draw a figure. On release the picked layer and the value of every control are in the state under their names.

    Args:
        drawn: is called once when the figure stands in the browser.
    """
    key = f"tour-{shown.name}"
    colours = {name: colour for name, colour in asdict(look).items() if isinstance(colour, str)}
    COMPONENT(
        key=key,
        data=_plain(shown)
        | {"layers": shown.layers, "colours": colours, "waiting": drawn is not None, "finding": plain(shown.finding)},
        on_moved_change=lambda: _moved(key, shown),
        on_answered_change=lambda: _answered(key, shown),
        on_drawn_change=drawn or (lambda: None),
    )


def _moved(key: str, shown: Figure) -> None:
    """Keep what the browser tells; a layer or a stop that does not exist is passed over."""
    told = getattr(st.session_state.get(key), "moved", None)  # None where the reader has left for another page
    if not isinstance(told, dict):
        return
    layer, at = told.get("layer"), list(told.get("at", ()))
    fits = len(at) == len(shown.controls) and all(
        isinstance(index, int) and 0 <= index < len(control.stops)
        for index, control in zip(at, shown.controls, strict=True)
    )
    known = layer is None if shown.pick is None else isinstance(layer, int) and 0 <= layer < shown.layers
    if not (fits and known):
        return
    if shown.pick:
        st.session_state[shown.pick.key] = layer
    for index, control in zip(at, shown.controls, strict=True):
        st.session_state[control.name] = control.values[index]


def _answered(key: str, shown: Figure) -> None:
    """Act on the answer that the browser tells, if it is one of those asked for."""
    answer = getattr(st.session_state.get(key), "answered", None)
    if shown.ask and answer in shown.ask.options:
        shown.ask.answered(answer)


def _plain(value: object) -> object:
    """As it travels: numbers of arrays no longer than is seen, None for what is not known. Functions stay here."""
    if isinstance(value, np.ndarray):
        return [_plain(row) for row in value] if value.ndim > 1 else [_short(each) for each in value.tolist()]
    if is_dataclass(value):
        known = {each.name: getattr(value, each.name) for each in fields(value)}
        return {name: _plain(each) for name, each in known.items() if not callable(each)}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def log_axis(title: str, *values: Array) -> Axis:
    """A log axis around positive values."""
    every = _positive(values)
    low, high = (float(every.min()), float(every.max())) if every.size else (0.1, 10.0)
    low, high = low / 1.15, high * 1.15
    return Axis(title, low, high, [(each, _tick(each)) for each in log_ticks(low, high, ROUND)], log=True)


def ratio_axis(title: str, *values: Array) -> Axis:
    """A log axis of ratios with 1 in it."""
    every = np.append(_positive(values), 1.0)
    low, high = min(0.8, float(every.min()) / 1.08), max(1.25, float(every.max()) * 1.08)
    return Axis(title, low, high, [(each, f"{_tick(each)}×") for each in log_ticks(low, high, RATIOS)], log=True)


def _positive(values: Iterable[Array]) -> Array:
    every = np.concatenate([np.ravel(each) for each in values])
    return every[np.isfinite(every) & (every > 0)]


def log_ticks(low: float, high: float, choices: Sequence[Sequence[float]]) -> list[float]:
    """Round values in a log axis, of which no two are so near that their words touch.

    Args:
        choices: round values of a decade, from few to many; the first that give enough ticks are taken, else those
            that give most.
    """
    span = math.log10(high / low)
    stride = max(1, math.ceil(APART * span))
    decades = [e for e in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1) if e % stride == 0]
    found = []
    for choice in choices:
        every = [float(f"{m}e{e}") for e in decades for m in choice]
        ticks = [each for each in every if low <= each <= high]
        if all(math.log10(above / below) >= APART * span - 1e-9 for below, above in pairwise(ticks)):
            found = max(found, ticks, key=len)
        if len(found) >= FEWEST_TICKS:
            break
    return found


def _tick(value: float) -> str:
    """A tick with as few digits as it has: `1.25`, `0.6`, `1,000`."""
    return next(text for count in (1, 2, 3) if float((text := digits(value, count)).replace(",", "")) == value)


def linear_axis(title: str, low: float, high: float, write: Callable[[float], str] = "{:g}".format) -> Axis:
    """A linear axis with round ticks."""
    span = high - low
    step = next(m * 10.0**e for e in range(-8, 9) for m in (1, 2, 5) if span / (m * 10.0**e) <= TICKS)
    steps = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    values = [float(f"{step * n:.6g}") for n in steps]
    return Axis(title, low, high, [(value, write(value)) for value in values])
