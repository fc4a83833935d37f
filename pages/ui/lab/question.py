"""The question to the lab: the sentence, the damage and where it enters, held in the URL."""

from typing import NamedTuple

import streamlit as st

from core.ask.lab import MOST_TOKENS, REMOVED, Question, question
from core.base.formats import per_cent
from pages.ui import view
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
OPENING = "The old clockmaker opened the door of her shop and found the street empty."
PROMPT = "The old clockmaker opened the door of her shop and"  # to write on from
USUAL = "gaussian:0.3"
LAYERS = 30  # of the bundled model
LAYER = 16
LAST = -1  # the token that is marked unasked


class Asked(NamedTuple):
    """The view, as the URL tells it."""

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
    def only(self) -> int | None:
        """The token that is damaged alone."""
        return self.state.token if self.state.only and self.state.token >= 0 else None

    @property
    def is_choosy(self) -> bool:
        """True where the first token may be left out."""
        return KINDS[self.state.kind].choosy and self.only is None


def sentence() -> str:
    """The field for the sentence."""
    typed = view.text("sentence", OPENING)
    st.text_input(
        "Your sentence",
        key="sentence",
        label_visibility="collapsed",
        placeholder=f"Type a sentence of at most {MOST_TOKENS} tokens",
    )
    return typed


def asked(typed: str) -> Asked:
    """The rest of the view, which the picture tells."""
    word = view.sync("perturbation", list(WORDS), USUAL)
    layer = view.sync("layer", range(LAYERS), LAYER)
    token = view.sync("token", range(LAST, MOST_TOKENS), LAST)
    first = view.sync("first", [False, True], False)
    only = view.sync("only", [False, True], False)
    return Asked(typed, State(layer, token, *WORDS[word], first, only and token != LAST))


def moved(state: State) -> None:
    """Keep what the picture tells."""
    told = {
        "perturbation": Asked("", state).word,
        "layer": state.layer,
        "token": state.token,
        "first": state.first,
        "only": state.only,
    }
    st.session_state.update(told)
