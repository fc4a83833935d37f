"""The live picture of the lab: layers by tokens under the finger, without a call to the server."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import streamlit as st

from core.show.figures import Palette
from core.show.lessons import sentence as lessons
from core.show.lessons.sentence import Hit
from core.store.scenes import Row, Scene, Word
from pages.ui.live import component

COMPONENT = component("grid", "shared", "grid-picture", "grid-words")
KEY = "grid"


@dataclass(frozen=True)
class Stop:
    """One strength of a kind of damage."""

    value: str  # as perturbations are written
    label: str


@dataclass(frozen=True)
class Kind:
    """Something that can be done to a layer."""

    label: str
    enters: str  # stands where it enters
    size: str  # what its slider is called
    stops: Sequence[Stop]
    usual: int  # the stop that it begins with
    choosy: bool = False  # the first token may be left out


@dataclass(frozen=True)
class State:
    """What the reader holds in hand: what is told back is of this form."""

    layer: int
    token: int  # -1: the last
    kind: int
    size: int
    first: bool
    only: bool


@dataclass(frozen=True, eq=False)
class Answered:
    """A question's answer as far as it is known: of every layer, or of some."""

    shared: Scene | Row
    rows: Mapping[int, Row]
    hits: Mapping[int, Hit]

    @cached_property
    def plain(self) -> dict[str, object]:
        """As it travels."""
        found = lessons.sink(self.shared.norms)
        return {
            "layers": len(self.shared.norms),
            "tokens": [lessons.shown(token, first=at == 0) for at, token in enumerate(self.shared.tokens)],
            "after": lessons.contexts(self.shared.tokens),
            "sink": None if found is None else asdict(found),
            "dense": _words(self.shared.dense),
            "hit": {str(layer): _plain_hit(self.rows[layer], hit) for layer, hit in self.hits.items()},
        }


def draw(
    sentence: str,
    state: State,
    kinds: Sequence[Kind],
    answers: Mapping[str, Answered],
    fallback: str,
    look: Palette,
    moved: Callable[[State], None],
    drawn: Callable[[], None] | None,
) -> None:
    """Draw the picture.

    Args:
        sentence: what the keys of answers to it begin with.
        answers: by sentence, damage and place, as `key` makes them.
        fallback: of the answer that is shown while there is none to the question.
        moved: is called with what the reader holds once it is let go.
        drawn: is called once when the picture stands in the browser.
    """
    COMPONENT(
        key=KEY,
        data={
            "title": "Drift at every layer and token, the output at the top.",
            "sentence": sentence,
            "state": asdict(state),
            "kinds": [asdict(kind) for kind in kinds],
            "answers": {name: answer.plain for name, answer in answers.items()},
            "fallback": fallback,
            "colours": asdict(look),
            "waiting": drawn is not None,
        },
        on_moved_change=lambda: _moved(kinds, moved),
        on_drawn_change=drawn or (lambda: None),
    )


def key(sentence: str, word: str, first: bool, token: int | None) -> str:
    """The name of a question; the browser makes the same."""
    where = str(token) if token is not None else "all" if first else "after_first"
    return f"{sentence}|{word}|{where}"


def _moved(kinds: Sequence[Kind], moved: Callable[[State], None]) -> None:
    """Pass on what the browser tells; what cannot be is passed over."""
    told = getattr(st.session_state.get(KEY), "moved", None)  # None where the reader has left for another page
    if not isinstance(told, dict) or told.keys() != State.__annotations__.keys():
        return
    state = State(**told)
    if any(type(told[name]).__name__ != wanted for name, wanted in State.__annotations__.items()):
        return
    if 0 <= state.kind < len(kinds) and 0 <= state.size < len(kinds[state.kind].stops) and state.layer >= 0:
        moved(state)


def _plain_hit(row: Row, found: Hit) -> dict[str, object]:
    return {
        "ratio": [[_short(each) for each in line] for line in found.ratio.tolist()],
        "entered": [_short(each) for each in found.entered.tolist()],
        "mean": [_short(each) for each in found.mean.tolist()],
        "words": _words(row.perturbed),
        "flipped": list(row.flipped),
        "says": found.said,
    }


def _words(after: Sequence[Sequence[Word]]) -> list[list[tuple[str, float]]]:
    return [[(lessons.shown(word), round(share, 4)) for word, share in each] for each in after]


def _short(value: float) -> float | None:
    return float(f"{value:.3g}") if math.isfinite(value) else None
