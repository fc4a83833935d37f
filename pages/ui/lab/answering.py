"""The lab's answers: the committed ones at once, all others from the model that is kept warm."""

from __future__ import annotations

from core.lessons import lab
from core.specs.lab import Question
from core.store.scenes import Row, Scene
from pages.ui.lab import asking
from pages.ui.lab.asking import Asked
from pages.ui.live.lab import Answered, key


def found(question: Question) -> Scene | None:
    return asking.examples().get(question)


def answers(asked: Asked) -> dict[str, Answered]:
    """What is known of the question and, where one token more or less can be hit, of its twin."""
    here = {}
    for flipped in (False, True) if asked.is_choosy else (False,):
        question = asked.question(flipped)
        known, twin = found(question), found(asked.question(not flipped)) if asked.is_choosy else None
        if known is not None:
            here[name(asked, flipped)] = answered(question, known, twin)
    return here


def name(asked: Asked, flipped: bool = False) -> str:
    first = asked.state.first != flipped or not asking.KINDS[asked.state.kind].choosy
    return key(asked.sentence, asked.word, first, asked.only)


def answered(question: Question, known: Scene | Row, twin: Scene | None = None) -> Answered:
    """An answer, ready to be drawn."""
    if isinstance(known, Row):
        rows, gains = {known.layer: known}, ()
    else:
        rows, gains = {layer: known.row(layer) for layer in range(known.layers)}, known.gain
    twins = {layer: twin.row(layer) for layer in rows} if twin else {}
    hits = {layer: lab.hit(question, row, gains, twins.get(layer)) for layer, row in rows.items()}
    return Answered(known, rows, hits)
