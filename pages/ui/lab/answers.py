"""Answers to the lab's question: the committed ones at once, all others from the model that is kept warm."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import uuid4

import streamlit as st

from core.ask.lab import Question
from core.base.formats import several
from core.jobs import warm
from core.show.lessons import sentence
from core.store.scenes import Lens, Row, Scene, examples, lenses, rows
from pages.ui import frame
from pages.ui.lab.question import KINDS, Asked
from pages.ui.live.grid import Answered, key, lens_text

KEPT = 6  # scenes of this tab
LOOK = 0.2  # seconds between two looks at what is not answered yet
LOADING = 1.0  # the same while the model loads, which needs the processor
EXAMPLE = "example"
REFUSED = "refused"
MODEL = {"cold": "The model loads once you type.", "ready": "The model is ready for your own sentence."}


@dataclass
class Tab:
    """Questions of this tab, and their answers."""

    asker: tuple[str, str] = field(default_factory=lambda: (_reader(), uuid4().hex))  # and the tab itself
    scenes: dict[Question, Scene] = field(default_factory=dict)  # the newest last
    question: Question | None = None  # that is being answered
    scene: Future | None = None
    rows: dict[int, Future] = field(default_factory=dict)
    sizes: dict[tuple[Question, int], Future] = field(default_factory=dict)  # of the damage in view, at its layer
    read: tuple[Question, int] | None = None  # whose words are asked for
    lens: Future | None = None

    def ask(self, question: Question, layer: int) -> None:
        """Ask for one layer, which comes first, and for all of them; what was asked before is kept or forgotten."""
        if question != self.question:
            self.question, self.scene, self.rows = question, None, {}
        if self.row(question, layer) is None and _open(self.rows.get(layer)):
            self.rows[layer] = warm.ask("row", question, layer, *self.asker)
        if _open(self.scene):
            self.scene = warm.ask("scene", question, None, *self.asker)

    def words(self, question: Question, layer: int) -> Lens | None:
        """The words where one layer is damaged, once they have come.

        Raises:
            UserError: what is wrong with the question.
        """
        if (question, layer) != self.read or _open(self.lens):
            self.read, self.lens = (question, layer), warm.ask("lens", question, layer, *self.asker)
        return self.lens.result() if _come(self.lens) else None

    def take(self) -> None:
        """Keep a scene that has come.

        Raises:
            UserError: what is wrong with the question.
        """
        if self.scene is not None and _come(self.scene):
            self.scenes[self.question] = self.scene.result()
            while len(self.scenes) > KEPT:
                del self.scenes[next(iter(self.scenes))]

    def ask_sizes(self, asked: Asked) -> bool:
        """Ask for the layer in view at the next other size that is not known; True once none is left."""
        layer = asked.state.layer
        wanted = [(each.question(), layer) for each in asked.sizes]
        self.sizes = {each: self.sizes[each] for each in wanted if each in self.sizes}
        left = [each for each in wanted if self.row(*each) is None and not _failed(self.sizes.get(each))]
        if left and warm.state() == "ready" and _open(self.sizes.get(left[0])):
            self.sizes[left[0]] = warm.ask("row", *left[0], self.asker[0], "sizes")
        return not left or warm.state() == "cold"

    def known(self, question: Question) -> Scene | None:
        """All layers of a question."""
        return examples().get(question) or self.scenes.get(question)

    def row(self, question: Question, layer: int) -> Row | None:
        """One layer of a question, however it is known."""
        scene, asked = self.known(question), self.sizes.get((question, layer))
        if scene is not None:
            return scene.row(layer)
        return asked.result() if asked and _come(asked) and not _failed(asked) else rows().get((question, layer))

    def known_rows(self, question: Question, layer: int) -> dict[int, Row]:
        """The layers of a question that are known while not all are.

        Raises:
            UserError: what is wrong with the question.
        """
        row, asked = self.row(question, layer), self.rows if question == self.question else {}
        return ({layer: row} if row else {}) | {at: each.result() for at, each in asked.items() if _come(each)}


def _come(asked: Future) -> bool:
    return asked.done() and not asked.cancelled()


def _failed(asked: Future | None) -> bool:
    return asked is not None and _come(asked) and asked.exception() is not None


def _open(asked: Future | None) -> bool:
    """True for a question that was never asked, or was superseded."""
    return asked is None or asked.cancelled()


def _reader() -> str:
    """Who looks at this tab: an address, and on this computer or behind a proxy that tells none, a browser."""
    return st.context.ip_address or st.context.cookies.get("_streamlit_xsrf", "")


def tab() -> Tab:
    """The state of this tab."""
    return st.session_state.setdefault("lab tab", Tab())


def answers(asked: Asked) -> tuple[dict[str, Answered], str]:
    """Answers to the question and to its twin, with the first token damaged or not, as far as known; and the stage.

    Raises:
        UserError: what is wrong with the question.
    """
    here, question = tab(), asked.question()
    if here.known(question) is None:
        here.ask(question, asked.state.layer)
    stage = _stage(asked)  # before it is looked for: what comes in between is found at the next look
    here.take()
    layer = asked.state.layer
    sizes = [(name(each), each.question()) for each in asked.sizes]
    alone = {at: (own, row) for at, own in sizes if (row := here.row(own, layer))}
    found = {at: _assembled(own, row, {layer: row}, (), None) for at, (own, row) in alone.items()}
    for flipped in (False, True) if asked.is_choosy else (False,):
        own = asked.question(flipped)
        twin = here.known(asked.question(not flipped)) if asked.is_choosy else None
        if scene := here.known(own):
            found[name(asked, flipped)] = _whole(own, scene, twin)
        elif known := here.known_rows(own, layer):
            found[name(asked, flipped)] = _assembled(own, next(iter(known.values())), known, (), twin)
    return found, stage


def words(asked: Asked) -> dict[str, str] | None:
    """The words in the cells by the name of the question; None while they are waited for.

    Raises:
        UserError: what is wrong with the question.
    """
    if not asked.state.words:
        return {}
    question = asked.question()
    lens = lenses().get(question) or tab().words(question, asked.state.layer)
    return {name(asked): lens_text(lens)} if lens else None


def name(asked: Asked, flipped: bool = False) -> str:
    """The name of a question in the picture."""
    first = asked.state.first != flipped or not KINDS[asked.state.kind].choosy
    return key(asked.sentence, asked.word, first, asked.only)


def example() -> Answered | None:
    """The answer to the opening question, if it is here."""
    return next((_whole(question, scene, None) for question, scene in examples().items()), None)


@lru_cache(maxsize=16)
def _whole(question: Question, scene: Scene, twin: Scene | None) -> Answered:
    """The answer of every layer, put together once for all runs of the page and all readers of the same sentence."""
    return _assembled(question, scene, {layer: scene.row(layer) for layer in range(scene.layers)}, scene.gain, twin)


def _assembled(
    question: Question, shared: Scene | Row, rows: dict[int, Row], gains: tuple[float | None, ...], twin: Scene | None
) -> Answered:
    twins = {layer: twin.row(layer) for layer in rows} if twin else {}
    hits = {layer: sentence.hit(question, row, gains, twins.get(layer)) for layer, row in rows.items()}
    return Answered(shared, rows, hits)


def drawn() -> None:
    """The picture stands in a browser: the rest of the page follows, and the model gets ready."""
    frame.go_on()
    warm.wake()


# --- how far it is --------------------------------------------------------------------------------------------------


def status(asked: Asked, stage: str, waits: bool) -> None:
    """Draw the progress of the answer, again until it has come; then draw the page anew.

    Args:
        waits: for words.
    """
    if stage == REFUSED:
        st.caption("The last answer stays until the sentence can be measured.")
    elif waits or stage != "sized" or warm.state() == "loading":  # the line still changes by itself
        every = LOOK if warm.state() == "ready" else LOADING
        st.fragment(run_every=every)(_looking)(asked, stage, warm.state(), waits)
    else:
        st.caption(_said(asked, stage))


def _looking(asked: Asked, stage: str, state: str, waits: bool) -> None:
    if (_stage(asked), warm.state()) != (stage, state) or (waits and tab().lens.done()):
        st.rerun()
    st.caption(_said(asked, stage))


def _stage(asked: Asked) -> str:
    """`none`, `layer`, `whole` or `sized`, with the layer at all other sizes: how much of the question is answered."""
    here, question = tab(), asked.question()
    if here.known(question) is not None:
        return "sized" if here.ask_sizes(asked) else "whole"
    if here.question == question and here.scene is not None and here.scene.done():
        return "whole"
    row = here.rows.get(asked.state.layer)
    return "layer" if here.row(question, asked.state.layer) or (row is not None and row.done()) else "none"


def _loading() -> str:
    """How long the model has been loading, and how long it took here before."""
    past, before = warm.loading()
    usual = f"it took {before:.0f} s last time" if before else "usually less than a minute"
    return f"The model is loading, {past:.0f} s so far; {usual}."


def _said(asked: Asked, stage: str) -> str:
    here, question = tab(), asked.question()
    if question in examples():
        return f":material/inventory_2: Stored answer. {MODEL.get(warm.state()) or _loading()}"
    if stage in ("whole", "sized"):
        scene = here.scenes[question]
        tokens = several(len(scene.tokens), "token")
        return f":material/bolt: Measured live in {scene.seconds:.1f} s: {tokens}, every layer."
    if warm.state() != "ready":
        return f":material/hourglass: {_loading()} Your sentence is next."
    if stage == "layer":
        return f":material/bolt: Layer {asked.state.layer} is measured; the other layers follow."
    ahead = warm.ahead(here.rows[asked.state.layer])
    said = f"{several(ahead, 'question')} ahead of yours" if ahead else f"Measuring layer {asked.state.layer}"
    return f":material/hourglass: {said}."
