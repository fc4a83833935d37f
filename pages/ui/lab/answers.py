"""Answers to the lab's question: the committed ones at once, all others from the model that is kept warm."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import uuid4

import streamlit as st

from core.base import several
from core.lab import scheduler
from core.requests import Question
from core.show.lessons import sentence
from core.store import Scene, SceneRow, examples, lenses, rows
from pages.ui.lab.question import KINDS, View
from pages.ui.live.grid import Answered, lens_text
from pages.ui.server import browser

KEPT_QUESTIONS = 8  # questions of each kind that a tab remembers: a layer at every size
LOOK_SECONDS = 0.2  # between two looks at an unanswered question
LOADING_SECONDS = 1.0  # the same while the model loads and needs the processor
EXAMPLE = "example"
REFUSED = "refused"
MODEL = {
    "cold": "The model loads once you type.",
    "loading": "The model is loading, usually less than a minute.",
    "ready": "The model is ready for your own sentence.",
}


@dataclass
class Tab:
    """Questions of this tab, and their answers."""

    asker: tuple[str, str] = field(default_factory=lambda: (_reader(), uuid4().hex))  # and the tab itself
    futures: dict[tuple[str, Question, int | None], Future] = field(default_factory=dict)  # the newest last

    def ask(self, kind: str, question: Question, layer: int | None = None, beside: str = "") -> Future:
        """The future of a question, submitted again if another replaced it; the oldest of a kind are forgotten.

        Args:
            beside: what does not take the place of what the tab itself asks for, by this name.
        """
        key = kind, question, layer
        future = self.futures.pop(key, None)
        if future is None or future.cancelled():
            future = scheduler.ask(*key, self.asker[0], beside or self.asker[1])
        self.futures[key] = future
        for old in [each for each in self.futures if each[0] == kind][:-KEPT_QUESTIONS]:
            del self.futures[old]
        return future

    def answer(self, *key: object) -> Any:
        """The answer to a question by kind, question and layer; None until it has come."""
        future = self.futures.get(key)
        return future.result() if future and _come(future) and not future.exception() else None

    def ask_sizes(self, view: View) -> bool:
        """Ask for the layer in view at the next size that is not known; True once none is left."""
        layer = view.state.layer
        wanted = [(each.question(), layer) for each in view.sizes]
        done = {key[1:] for key, each in self.futures.items() if key[0] == "row" and _come(each)}  # refused among them
        left = [each for each in wanted if each not in done and self.row(*each) is None]
        if left and scheduler.state() == "ready":
            self.ask("row", *left[0], "sizes")
        return not left or scheduler.state() == "cold"

    def scene(self, question: Question) -> Scene | None:
        """All layers of a question."""
        return examples().get(question) or self.answer("scene", question, None)

    def row(self, question: Question, layer: int) -> SceneRow | None:
        """One layer of a question, from any source; None if unknown."""
        scene = self.scene(question)
        return scene.row(layer) if scene else self.answer("row", question, layer) or rows().get((question, layer))

    def rows_of(self, question: Question, layer: int) -> dict[int, SceneRow]:
        """The layers of a question that are known while not all are."""
        layers = [layer, *(at for kind, of, at in self.futures if (kind, of) == ("row", question))]
        return {at: row for at in layers if (row := self.row(question, at))}


def _come(future: Future) -> bool:
    return future.done() and not future.cancelled()


def _reader() -> str:
    """Identity of the reader: the IP address; on this computer, or behind a proxy that hides it, the browser."""
    return st.context.ip_address or browser(st.context.cookies)


def tab() -> Tab:
    """The state of this tab."""
    return st.session_state.setdefault("lab tab", Tab())


def answers(view: View) -> tuple[dict[str, Answered], str]:
    """Answers to the question and to its twin, with the first token damaged or not, as far as known; and the stage.

    Raises:
        UserError: what is wrong with the question.
    """
    here, question, layer = tab(), view.question(), view.state.layer
    if here.scene(question) is None:
        wanted = [("scene", None)] if here.row(question, layer) else [("row", layer), ("scene", None)]
        for come in filter(_come, [here.ask(kind, question, at) for kind, at in wanted]):
            come.result()  # raises the error of a refused question
    stage, by_name = _stage(view), {}  # the stage first: an answer that comes in between is seen at the next look
    for each in view.sizes:
        if row := here.row(own := each.question(), layer):
            by_name[name(each)] = _assembled(own, row, {layer: row})
    for flipped in range(1 + view.is_choosy):
        own = view.question(flipped)
        twin = here.scene(view.question(not flipped)) if view.is_choosy else None
        if scene := here.scene(own):
            by_name[name(view, flipped)] = _whole(own, scene, twin)
        elif partial := here.rows_of(own, layer):
            by_name[name(view, flipped)] = _assembled(own, next(iter(partial.values())), partial, twin)
    return by_name, stage


def words(view: View) -> dict[str, str] | None:
    """The words in the cells by the name of the question; None while they are waited for.

    Raises:
        UserError: what is wrong with the question.
    """
    if not view.state.words:
        return {}
    question = view.question()
    if (lens := lenses().get(question)) is None:
        coming = tab().ask("lens", question, view.state.layer)
        lens = coming.result() if _come(coming) else None
    return {name(view): lens_text(lens)} if lens else None


def name(view: View, flipped: bool = False) -> str:
    """The name of a question in the picture; the browser makes the same."""
    everywhere = view.state.first != flipped or not KINDS[view.state.kind].choosy
    where = view.only if view.only is not None else "all" if everywhere else "after_first"
    return f"{view.sentence}|{view.word}|{where}"


def example() -> Answered | None:
    """The answer to the opening question, if it is here."""
    return next((_whole(question, scene, None) for question, scene in examples().items()), None)


@lru_cache(maxsize=16)
def _whole(question: Question, scene: Scene, twin: Scene | None) -> Answered:
    """The answer of every layer, put together once for all runs of the page and all readers of the same sentence."""
    return _assembled(question, scene, {layer: scene.row(layer) for layer in range(scene.layers)}, twin, scene.gain)


def _assembled(
    question: Question,
    shared: Scene | SceneRow,
    rows: dict[int, SceneRow],
    twin: Scene | None = None,
    gains: Sequence = (),
) -> Answered:
    hits = {at: sentence.hit(question, row, gains, twin and twin.row(at)) for at, row in rows.items()}
    return Answered(shared, rows, hits)


# --- how far it is --------------------------------------------------------------------------------------------------


def status(view: View, stage: str, waits: bool) -> None:
    """Draw the progress of the answer, again until it has come; then draw the page anew.

    Args:
        waits: for words.
    """
    if stage == REFUSED:
        st.caption("The last answer stays until the sentence can be measured.")
    elif waits or stage != "sized" or scheduler.state() == "loading":  # the line still changes by itself
        every = LOOK_SECONDS if scheduler.state() == "ready" else LOADING_SECONDS
        st.fragment(run_every=every)(_looking)(view, stage, scheduler.state(), waits)
    else:
        st.caption(_said(view, stage))


def _looking(view: View, stage: str, state: str, waits: bool) -> None:
    has_words = waits and tab().ask("lens", view.question(), view.state.layer).done()
    if has_words or (_stage(view), scheduler.state()) != (stage, state):
        st.rerun()
    st.caption(_said(view, stage))


def _stage(view: View) -> str:
    """`none`, `layer`, `whole` or `sized`, with the layer at all other sizes: how much of the question is answered."""
    here, question = tab(), view.question()
    if here.scene(question) is not None:
        return "sized" if here.ask_sizes(view) else "whole"
    scene, row = (here.futures.get(key) for key in (("scene", question, None), ("row", question, view.state.layer)))
    if scene and scene.done():
        return "whole"
    return "layer" if here.row(question, view.state.layer) or (row and row.done()) else "none"


def _said(view: View, stage: str) -> str:
    here, question, state = tab(), view.question(), scheduler.state()
    if question in examples():
        return f":material/inventory_2: Stored answer. {MODEL[state]}"
    if stage in ("whole", "sized"):
        scene = here.scene(question)
        took = f"Measured live in {scene.seconds:.1f} s: {several(len(scene.tokens), 'token')}, every layer."
        return f":material/bolt: {took}"
    if state != "ready":
        return f":material/hourglass: {MODEL['loading']} Your sentence is next."
    if stage == "layer":
        return f":material/bolt: Layer {view.state.layer} is measured; the other layers follow."
    ahead = scheduler.count_ahead(here.futures["row", question, view.state.layer])
    progress = f"{several(ahead, 'question')} ahead of yours" if ahead else f"Measuring layer {view.state.layer}"
    return f":material/hourglass: {progress}."
