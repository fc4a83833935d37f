"""The live texts of the lab: what the dense and the pruned models write, under a slider of sparsity."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from core.base.formats import several
from core.show.figures import Palette
from pages.ui import live
from pages.ui.live.figure import Control, choices

COMPONENT = live.component("texts")


@dataclass(frozen=True)
class Continued:
    """A prompt and what was written after it, as far as it is known."""

    text: str
    dense: str | None
    written: Mapping[str, Sequence[str | None]]  # by method, at each sparsity
    own: bool = False  # the reader's


def draw(
    prompts: Sequence[Continued],
    zeros: Sequence[float],
    methods: Mapping[str, str],
    state: Mapping[str, int],
    told: Callable[[dict[str, int]], None],
    look: Palette,
) -> None:
    """Draw the texts.

    Args:
        methods: name of a way to spread the budget -> what it is called.
        state: number of the prompt and of the sparsity that are shown.
        told: called with what the reader chose.
    """
    texts = [f"Yours: {each.text}" if each.own else each.text for each in prompts]
    shares = [f"{100 * share:.0f} %" for share in zeros]
    controls = [
        Control("prompt", "Words to continue", texts, state["prompt"], (), kind="choice"),
        Control("zeros", "Weights removed by Wanda", shares, state["zeros"], ()),
    ]
    cards = [[_cards(prompt, methods, at) for at in range(len(zeros))] for prompt in prompts]
    data = {"controls": live.plain(controls), "cards": cards}
    live.draw(COMPONENT, "texts", data, choices(controls), look, told)


def _cards(prompt: Continued, methods: Mapping[str, str], at: int) -> list[dict[str, object]]:
    """The dense text, and that of every method at a sparsity."""
    dense, waits = prompt.dense or "", "The model writes…" if prompt.own else ""
    unknown = {"prompt": waits, "text": "", "same": 0, "said": ""}
    texts = {"Dense": prompt.dense} | {label: prompt.written[name][at] for name, label in methods.items()}
    cards: list[dict[str, object]] = []
    for label, text in texts.items():
        same = common(dense, text or "")
        said = _compared(dense, text, same) if cards else "nothing removed"
        known = {"prompt": prompt.text, "text": text or " (nothing)", "same": same, "said": said}
        cards.append({"label": label} | (unknown if text is None else known))
    return cards


def _compared(dense: str, text: str | None, same: int) -> str:
    """How long a text is the dense model's."""
    if not same:
        return "differs from the first word on"
    words = several(len(dense[:same].split()), "word")
    return "word for word the dense text" if text == dense else f"leaves the dense text after {words}"


def common(one: str, other: str) -> int:
    """Characters of the whole words that two texts begin with."""
    pairs = zip(*(re.findall(r"\s*\S+", text) for text in (one, other)), strict=False)
    return sum(len(word) for word, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
