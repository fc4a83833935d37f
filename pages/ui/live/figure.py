"""A live figure over layers: bars and lines that follow the finger, without a call to the server."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import NamedTuple

import streamlit as st

from core.base import frozen
from core.show.figures import in_palette
from core.show.figures.axes import Axis
from core.show.lessons.shared import plain
from core.store import Array
from pages.ui import live, url_state

COMPONENT = live.component("figure")


@frozen
class Control:
    """A slider, or a choice among few, over named stops."""

    name: str  # the state holds the value chosen under it
    label: str
    stops: Sequence[str]
    index: int
    values: Sequence  # what the stops stand for: a value, or several by their names
    marks: Sequence[tuple[int, str]] = ()  # stops with a word below the slider
    kind: str = "slider"  # or choice
    spoken: Sequence[str] = ()  # what a screen reader says of the stops, where that is more


def pick(label: str, layers: int, index: int) -> Control:
    """The slider of layers, which a click into the picture moves too."""
    numbers = [str(layer) for layer in range(layers)]
    return Control("layer", label, numbers, index, range(layers), spoken=[f"layer {each}" for each in numbers])


@frozen
class Bars:
    """A bar per layer in every frame; the picked layer stands out. Tones are colours, or fields of the palette."""

    values: Sequence[Array]  # (frames, layers)
    tones: Sequence[Sequence[str]] | None = None  # (frames)(layers)
    tone: str = "undecided"  # of all where there are none of their own
    base: Array | None = None  # (layers,) outlined behind
    edge: str = "guide"  # tone of that outline
    bound: Sequence[Sequence[int]] | None = None  # (frames) layers on a bound; arrows lead from the base to the values


@frozen
class Hand:
    """Bars whose ends are dragged: a layer stays where it is let go, and the others make up for it."""

    rows: Array | None  # (frames, layers) means before any is held; None: none is, and they are the bars
    base: Array  # (layers, linears) before any shift; a layer that has one sparsity counts as one linear
    fixed: Mapping[int, float]  # layer -> mean sparsity
    weights: Array  # (layers, linears)
    target: float
    bounds: tuple[float, float]
    curves: Mapping[str, object] | None  # what predicts, as `hand.js` names it
    moved: Callable[[dict[int, float]], None]  # takes the layers held

    @property
    def state(self) -> dict[str, tuple[int, range]]:
        """Thousandths of every layer's sparsity; -1 where it is free."""
        at = [round(1000 * self.fixed[layer]) if layer in self.fixed else -1 for layer in range(len(self.weights))]
        return {f"hand{layer}": (each, range(-1, 1000)) for layer, each in enumerate(at)}


@frozen
class Line:
    """A line over layers in every frame: one for all, or one for each picked layer that begins there.

    Its mark is a name that sentences refer to; `NAME-start` and `NAME-end` are its ends.
    """

    values: Sequence[Array]  # (frames, layers), or (frames, picked, layers) with NaN before the picked layer
    tone: str
    dash: bool = False
    bundle: bool = False  # the lines of all other layers stand behind
    mark: str = ""
    ends: Sequence[str] = ()  # slots written at its ends


class Curve(NamedTuple):
    """A thin curve beside that of a gauge, with its name at the end."""

    frames: Sequence[float]
    values: Array
    text: str = ""


class Mark(NamedTuple):
    """A point that was measured."""

    frame: float
    value: float
    tone: str = "ink"


@frozen
class Gauge:
    """One number of every frame, drawn as a curve below the picture."""

    y: Axis
    values: Array
    zero: int | None = None  # the frame that is marked
    points: Sequence[int] = ()  # frames that sentences refer to, as `gauge-NUMBER`
    band: Sequence[Array] = ()  # the ends of an interval around it
    curves: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    height: int = 104  # px


@frozen
class Hero:
    """The number that a picture is about, large, with its interval and what it is compared with; (frames,) each."""

    values: Array
    low: Array
    high: Array
    says: str  # with {now}, {low}, {high}, and {change} from `beside`: one of `changes`
    beside: float
    changes: Sequence[str]  # less and more, with {share}
    unknown: str  # where there is no number
    measured: Mapping[int, float] = field(default_factory=dict)  # frame -> number, which stands there instead
    fact: str = ""  # what is said of that, with {now} and {change}


@frozen
class Slot:
    """Words that depend on the frame, on the picked layer, on both or on nothing: a table of them."""

    table: Sequence
    by: str = "frame"  # or layer, both, nothing; bar: the bar of the layer, in per cent


def written(write: Callable[[float], str], table: Iterable[Iterable[float]]) -> Slot:
    """Words for every number of a table of (frames, layers)."""
    return Slot([[write(value) for value in row] for row in table], "both")


def fixed(text: str) -> Slot:
    """Words that stay."""
    return Slot([text], "nothing")


class Key(NamedTuple):
    """An entry of the legend, hidden where it says nothing; the text may name slots in braces."""

    tone: str
    text: str
    shape: str = "block"  # line, dash, outline, arrow or dot


@frozen
class Figure:
    """Everything the picture may show. Frames are all settings of the controls, the last control running fastest."""

    name: str
    title: str
    says: str  # the sentence above, with slots in braces, {layer} being the picked one, and references to marks
    slots: dict[str, Slot]
    y: Axis | Sequence[Axis]  # one for all frames, or one for each
    controls: Sequence[Control] = ()
    pick: Control | None = None  # of a layer
    bars: Bars | None = None
    lines: Sequence[Line] = ()
    gauge: Gauge | None = None
    hero: Hero | None = None
    hand: Hand | None = None
    key: Sequence[Key] = ()
    finding: str = ""  # what it shows, for those who cannot see it; the sentence above is added
    foot: float | None = None  # where bars begin, and the line that is drawn strong
    x: str = "layer"
    height: int = 240  # px, axes included
    right: int = 14  # px beside its plots, for the names of curves
    lead: str = ""  # what stands above all, with slots in braces
    idle: str = ""  # the sentence above where no layer is picked or pointed at
    notes: Sequence[Slot] = ()  # what stands beside the picture, or below it where there is no room
    first: bool = False  # the picture comes before its words and controls, as that of a chart beside it

    @cached_property
    def text(self) -> str:
        """JSON, as it travels: written once where a figure is drawn for many, and a text is passed on fastest."""
        layers = len((self.bars or self.lines[0]).values[0])
        return json.dumps(live.plain(self) | {"layers": layers, "finding": plain(self.finding)})


def draw(figure: Figure, drawn: Callable[[], None] | None = None, at: Mapping[str, int] | None = None) -> None:
    """Draw a figure. On release the picked layer and the value of every control are in the state under their names.

    Args:
        drawn: is called once when the figure stands in the browser.
        at: stops of controls that stand elsewhere than where the figure says.
    """
    controls = {each.name: each for each in (figure.pick, *figure.controls) if each}
    hand = figure.hand.state if figure.hand else {}
    usual = {name: at for name, (at, _) in hand.items()}

    def moved(chosen):
        if figure.hand and (layers := {name: chosen.pop(name) for name in hand}) != usual:
            figure.hand.moved({layer: at / 1000 for layer, at in enumerate(layers.values()) if at >= 0})
        for name, at in chosen.items():
            value = controls[name].values[at]
            st.session_state.update(value if isinstance(value, Mapping) else {name: value})

    positions = {each.name: (each.index, range(len(each.stops))) for each in controls.values()} | hand
    stops = positions | {name: (stop, positions[name][1]) for name, stop in (at or {}).items()}
    data = {"fixed": in_palette(figure.text, url_state.look()), "room": bool(st.session_state.get("present"))}
    live.draw(COMPONENT, f"figure-{figure.name}", data, stops, moved, drawn)
