"""The live texts of the lab: what the dense and the pruned models write, under a slider of sparsity."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile

import streamlit as st

from core.base.formats import several
from pages.ui.live import component

COMPONENT = component("texts", "shared")
KEY = "texts"


@dataclass(frozen=True)
class Method:
    """A way to spread the budget over layers."""

    word: str
    label: str


@dataclass(frozen=True)
class Continued:
    """A prompt and what was written after it, as far as it is known."""

    text: str
    dense: str | None
    written: Mapping[str, Sequence[str | None]]  # by method, at each sparsity
    own: bool = False  # the reader's


@dataclass(frozen=True)
class Chosen:
    """What the reader holds in hand."""

    prompt: int
    zeros: int


def draw(
    prompts: Sequence[Continued],
    zeros: Sequence[float],
    methods: Sequence[Method],
    chosen: Chosen,
    told: Callable[[Chosen], None],
) -> None:
    """Draw the texts; `told` is called with what the reader chose."""
    COMPONENT(
        key=KEY,
        data={
            "prompts": [_plain(each) for each in prompts],
            "zeros": [f"{100 * share:.0f} %" for share in zeros],
            "methods": [asdict(each) for each in methods],
            "state": asdict(chosen),
        },
        on_chosen_change=lambda: _chosen(len(prompts), len(zeros), told),
    )


def _chosen(prompts: int, zeros: int, told: Callable[[Chosen], None]) -> None:
    """Pass on what the browser tells; what cannot be is passed over."""
    found = getattr(st.session_state.get(KEY), "chosen", None)  # None where the reader has left for another page
    if not isinstance(found, dict) or found.keys() != Chosen.__annotations__.keys():
        return
    chosen = Chosen(**found)
    if all(type(each) is int for each in found.values()) and 0 <= chosen.prompt < prompts and 0 <= chosen.zeros < zeros:
        told(chosen)


def _plain(prompt: Continued) -> dict[str, object]:
    written = {
        method: [None if text is None else _beside(prompt.dense or "", text) for text in texts]
        for method, texts in prompt.written.items()
    }
    return {"text": prompt.text, "own": prompt.own, "dense": prompt.dense, "written": written}


def _beside(dense: str, text: str) -> dict[str, object]:
    """A text, and how far it is the dense model's."""
    same = common(dense, text)
    if same == len(text) == len(dense):
        said = "word for word the dense text"
    else:
        said = f"leaves the dense text after {several(len(text[:same].split()), 'word')}"
    if not same:
        said = "differs from the first word on"
    return {"text": text or " (nothing)", "same": same, "said": said}


def common(one: str, other: str) -> int:
    """Characters of the whole words that two texts begin with."""
    pairs = zip(*(re.findall(r"\s*\S+", text) for text in (one, other)), strict=False)
    return sum(len(word) for word, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
