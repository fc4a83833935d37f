"""The question to the lab: sentence, damage, layer and tokens, kept equal to the URL."""

from typing import NamedTuple

import streamlit as st

from core.base import per_cent
from core.requests import MOST_TOKENS, REMOVED, Question, question
from pages.ui import choices, form, layout, url_state
from pages.ui.live.grid import Kind, State

SIZES = ("0.01", "0.03", "0.1", "0.2", "0.3", "0.5", "0.7", "1")
SHARES = tuple(f"{share:g}" for share in sorted(REMOVED))
KINDS = (
    Kind(
        "Noise",
        "noise enters here",
        "Size, as a share of each token's vector",
        {f"gaussian:{size}": size for size in SIZES},
        SIZES.index("0.3"),
        choosy=True,
    ),
    Kind(
        "Pruned",
        "this layer is pruned",
        "Weights removed by Wanda",
        {f"residual:wanda:{share}": per_cent(float(share)) for share in SHARES},
        SHARES.index("0.7"),
    ),
    Kind("Left out", "this layer is left out", "", {"skip": ""}, 0),
)
WORDS = {word: (at, n) for at, kind in enumerate(KINDS) for n, word in enumerate(kind.stops)}
OPENING = "The quick brown fox jumps over the lazy"
DEFAULT_DAMAGE = "gaussian:0.3"
LAYERS = 30  # of the bundled model
LAYER = 16
LAST_TOKEN = -1  # the token that is marked unasked
FIRST = True  # the first token is damaged too


class View(NamedTuple):
    """The sentence and damage in view, as the URL has them."""

    sentence: str
    state: State

    @property
    def word(self) -> str:
        """The damage, as perturbations are written."""
        return list(KINDS[self.state.kind].stops)[self.state.size]

    def question(self, flipped: bool = False) -> Question:
        """The question; flipped: with the first token damaged where it is not, and the other way round.

        Raises:
            UserError: nothing that can be done.
        """
        return question(self.sentence, self.word, self.state.first != flipped, self.only)

    @property
    def sizes(self) -> list["View"]:
        """The same damage of every other size, the nearest first."""
        nearest = sorted(range(len(KINDS[self.state.kind].stops)), key=lambda n: abs(n - self.state.size))
        return [self._replace(state=self.state._replace(size=n)) for n in nearest[1:]]

    @property
    def only(self) -> int | None:
        """The token that is damaged alone."""
        return self.state.token if self.state.only and self.state.token >= 0 else None

    @property
    def is_choosy(self) -> bool:
        """True where the first token may be left out."""
        return KINDS[self.state.kind].choosy and self.only is None


def _example(sentence: str, word: str, layer: int, first: bool = False, only: int | None = None) -> View:
    return View(sentence, State(layer, LAST_TOKEN if only is None else only, *WORDS[word], first, only is not None))


COUNT = "One, two, three, four, five, six, seven,"
CAPITAL = "The capital of France is Paris, and the capital of Italy is"
EXAMPLES = {  # each shows something else; their answers are committed (tests/bench/lab.py)
    "Dog becomes fish": _example(OPENING, DEFAULT_DAMAGE, LAYER, FIRST),
    "Noise that fades": _example(COUNT, DEFAULT_DAMAGE, 12),
    "Rome becomes Paris": _example(CAPITAL, "gaussian:1", 20, only=11),
    "A layer it needs": _example(CAPITAL, "skip", 11),
    "70 % pruned, unnoticed": _example(COUNT, "residual:wanda:0.7", 4),
}


def examples() -> None:
    """Buttons that bring an example into view."""
    with layout.row("top", gap="xsmall", key="examples"):
        for label, view in EXAMPLES.items():
            st.button(label, on_click=show, args=(view,))


def show(view: View) -> None:
    """Bring a sentence and its damage into view."""
    st.session_state["sentence"] = view.sentence
    moved(view.state._replace(words=url_state.last("words", False)))


def sentence() -> str:
    """The field for the sentence."""
    about = f"Type a sentence of at most {MOST_TOKENS} tokens"
    return form.words("Your sentence", "sentence", OPENING, label_visibility="collapsed", placeholder=about)


CHOICES = {  # of a state, and what each opens with
    "layer": (range(LAYERS), LAYER),
    "token": (range(LAST_TOKEN, MOST_TOKENS), LAST_TOKEN),
    "first": ([False, True], FIRST),
    "only": ([False, True], False),
    "words": ([False, True], False),
}


def current_view(typed: str) -> View:
    """The view of a sentence, with the choices made in the picture."""
    kind, size = WORDS[choices.sync("perturbation", list(WORDS), DEFAULT_DAMAGE)]
    chosen = {name: choices.sync(name, *each) for name, each in CHOICES.items()}
    chosen["only"] &= chosen["token"] != LAST_TOKEN
    return View(typed, State(kind=kind, size=size, **chosen))


def moved(state: State) -> None:
    """Keep the choices made in the picture."""
    st.session_state.update({name: getattr(state, name) for name in CHOICES}, perturbation=View("", state).word)
