"""The live picture of the lab: layers by tokens under the finger, without a call to the server."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from core.base import frozen
from core.requests import MOST_TOKENS
from core.show.lessons import sentence as lessons
from core.show.lessons.sentence import Hit
from core.store import Lens, NextWord, Scene, SceneRow
from pages.ui import live

COMPONENT = live.component("lab")
KEY = "grid"
SWITCHES = ("first", "only", "words")  # of a state
LEGEND = (  # a title, ends and middle of the colours, two marks; the rest is of next words
    "Drift compared with where it entered",
    "⅓×, absorbs",
    "1×",
    "3×, amplifies",
    "◆ the predicted next word changes",
    "· nothing has arrived",
    "A word: what the final norm and head read off the stream there (logit lens); the line below it: its probability",
    "Bold: another word than the dense model's",
    "┃ from here up the hurt model's next word stays; ┆ the dense model's",
)
WORDS = {
    "grid": "Drift at every layer and token, the output at the top. Up and down move the layer, left and right the "
    "token, space plays.",
    "at": "layer {layer}; token {token} of {tokens}, “{word}” {fate}",
    "flips": "ends at {ratio} times what entered, its next word changes",
    "stays": "ends at {ratio} times what entered, its next word stays",
    "spared": "is untouched",
    "layer": "layer",
    "sink": "▾ attention sink: every later token reads this one, so damage",
    "longer": "here reaches them all. Its vector is up to {longer}× as long as theirs.",
    "token": "“{word}”",  # under the mouse, from here on
    "untouched": "after layer {layer}, “{word}”: untouched",
    "drift": "after layer {layer}, “{word}”: drift {drift}, {ratio}× what entered",
    "becomes": "after “{word}”: “{before}” becomes “{after}”",
    "remains": "after “{word}”: “{before}” stays",
    "next": "Next word after **“{word}”**",
    "new": "“{before}” {was} becomes “{after}” {now}",
    "same": "“{before}” stays: {was}, then {now}",
    "dense": "as it is",
    "hurt": "after the damage",
    "transport": "The wave through the layers",
    "play": "Play",
    "pause": "Pause",
    "wave": "{word} the wave",
    "space": "{word} (space)",
    "enters": "enters",
    "reached": "layer {layer}: {said}",
    "kind": "What is done to the layer",
    "tokens": "Damaged tokens",
    "every": "Damage every token",
    "only": "Only “{word}”",
    "first": "The first token",
    "spare": "Without the first token",
    "hurts": "With it",
    "cells": "What the cells show",
    "plain": "Drift alone",
    "worded": "Next words too",
    "after": "after “{word}”",
    "reads": "next word after “{word}”: “{hurt}” {share}; undamaged “{dense}” {other}",
    "unchanged": "next word after “{word}”: “{dense}” {other}",
    "parted": "After “{word}” the dense model decides on “{dense}” at layer {early}, the hurt one on “{hurt}” at layer "
    "{late}.",
    "agreed": "After “{word}” both models decide on “{dense}”: the dense one at layer {early}, the hurt one at {late}.",
    "together": "After “{word}” both models decide on “{dense}” at layer {early}.",
}


@frozen
class Kind:
    """Something that can be done to a layer."""

    label: str
    enters: str  # stands where it enters
    size: str  # what its slider is called
    stops: Mapping[str, str]  # its strengths as perturbations are written -> as they are shown
    usual: int  # the stop that it begins with
    choosy: bool = False  # the first token may be left out


class State(NamedTuple):
    """Choices of the reader in the picture, which the browser sends back in this form."""

    layer: int
    token: int  # -1: the last
    kind: int
    size: int
    first: bool
    only: bool
    words: bool = False  # in the cells


@frozen
class Answered:
    """A question's answer as far as it is known: of every layer, or of some."""

    shared: Scene | SceneRow
    rows: Mapping[int, SceneRow]
    hits: Mapping[int, Hit]

    @cached_property
    def text(self) -> str:
        """JSON, as it travels, written once for all readers: a text is passed on faster than what it holds."""
        return json.dumps({
            "layers": len(self.shared.norms),
            "tokens": [lessons.token_word(token, first=at == 0) for at, token in enumerate(self.shared.tokens)],
            "after": lessons.contexts(self.shared.tokens),
            "sink": live.plain(lessons.sink(self.shared.norms)),
            "dense": _words(self.shared.dense),
            "hit": {str(layer): _plain(self.rows[layer], hit) for layer, hit in self.hits.items()},
        })  # fmt: skip


def lens_text(lens: Lens) -> str:
    """JSON of the words that were read off the streams of a question."""
    hurt = {layer: list(map(_words, after)) for layer, after in lens.hurt.items()}
    return json.dumps({"dense": list(map(_words, lens.dense)), "hurt": hurt})


def draw(
    sentence: str,
    state: State,
    kinds: Sequence[Kind],
    answers: Mapping[str, Answered],
    lenses: Mapping[str, str],
    fallback: str,
    moved: Callable[[State], None],
) -> None:
    """Draw the picture.

    Args:
        sentence: what the keys of answers to it begin with.
        answers: by sentence, damage and place, as the browser names them.
        lenses: by the same names, as `lens_text` writes them.
        fallback: of the answer that is shown while there is none to the question.
        moved: called with what the reader chose, once it is let go.
    """

    def told(chosen):
        if chosen["size"] < len(kinds[chosen["kind"]].stops):
            moved(State(**chosen | {name: bool(chosen[name]) for name in SWITCHES}))

    data = {
        "sentence": sentence,
        "kinds": live.plain(kinds),
        "answers": {name: answer.text for name, answer in answers.items()},
        "lenses": lenses,
        "fallback": fallback,
        "words": WORDS,
        "legend": LEGEND,
    }
    choices = {
        "layer": (state.layer, range(max(len(each.shared.norms) for each in answers.values()))),
        "token": (state.token, range(-1, MOST_TOKENS)),
        "kind": (state.kind, range(len(kinds))),
        "size": (state.size, range(max(len(kind.stops) for kind in kinds))),
        **{name: (int(getattr(state, name)), range(2)) for name in SWITCHES},
    }
    live.draw(COMPONENT, KEY, data, choices, told)


def _plain(row: SceneRow, hit: Hit) -> dict[str, object]:
    numbers = {"ratio": hit.ratio, "entered": hit.entered, "mean": hit.mean}
    return live.plain(numbers, 3) | {"words": _words(row.perturbed), "flipped": row.flipped, "says": hit.sentence}


def _words(after: Sequence[Sequence[NextWord]]) -> list[list[tuple[str, float]]]:
    """A list for each token; words that are written alike stand once, where the likeliest of them does."""
    by_token = [{} for _ in after]
    for shares, each in zip(by_token, after, strict=True):
        for word, share in each:
            shares[lessons.token_word(word)] = round(shares.get(lessons.token_word(word), 0) + share, 4)
    return [list(shares.items()) for shares in by_token]
