"""Answer types of the lab, and its committed answers. Every number has four significant digits."""

import gzip
import json
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from core.base import Spec
from core.requests import Question, Talk
from core.store import entries

NextWord = tuple[str, float]  # a word and its probability
Values = tuple[float, ...]
NextWords = tuple[tuple[NextWord, ...], ...]  # after each token, the likeliest first


class _Answer(Spec):
    tokens: tuple[str, ...]  # as text, with leading spaces
    norms: tuple[Values, ...]  # (layers, tokens) of the clean residual stream
    dense: NextWords  # of the undisturbed model
    seconds: float


class SceneRow(_Answer):
    """The effect of a perturbation at one layer on a sentence."""

    layer: int
    drift: tuple[Values | None, ...]  # (layers, tokens) ||h'_k - h_k|| / ||h_k||; None before the layer
    gain: float | None  # of the tokens after the first that were perturbed; None at the last layer, and without such
    perturbed: NextWords
    flipped: tuple[bool, ...]  # (tokens,) the likeliest next word is another
    kl: Values  # (tokens,) KL(dense || perturbed) of the next word, nats


class Scene(_Answer):
    """The effect of a perturbation on a sentence, at every layer in turn: each list holds one entry for each layer."""

    drift: tuple[tuple[Values | None, ...], ...]
    gain: tuple[float | None, ...]
    perturbed: tuple[NextWords, ...]
    flipped: tuple[tuple[bool, ...], ...]
    kl: tuple[Values, ...]

    @property
    def layers(self) -> int:
        return len(self.drift)

    def row(self, layer: int) -> SceneRow:
        """The effect at one layer."""
        of_layer = {name: getattr(self, name)[layer] for name in ("drift", "gain", "perturbed", "flipped", "kl")}
        return SceneRow(layer=layer, **{name: getattr(self, name) for name in _Answer.model_fields}, **of_layer)


class Lens(Spec):
    """Likeliest next word, alone in its list, that the final norm and head read off the stream (logit lens)."""

    dense: tuple[NextWords, ...]  # after each layer
    hurt: dict[int, tuple[NextWords, ...]]  # perturbed layer -> after it and after each later one


class WrittenToken(Spec):
    """One token each of the dense and the damaged model; None where a text has ended."""

    at: int  # 0: the first after the prompt
    dense: str | None  # of the dense model's own text; empty while a character is incomplete
    hurt: str | None
    twin: str | None  # the dense model's choice after the damaged one's text
    p: float | None  # probability that the damaged model gives `twin`


class Chunk(Spec):
    """Consecutive tokens of a text being written."""

    steps: tuple[WrittenToken, ...]
    end: str | None  # None: it continues; else the reason it stopped, empty if complete


def folder() -> Path:
    """The folder of the committed answers."""
    return entries.HOME / "demo" / "lab"


def examples() -> dict[Question, Scene]:
    """The committed scenes, the opening one first."""
    return _read_answers(folder(), "scene", Scene)


def lenses() -> dict[Question, Lens]:
    """Committed words of the opening scene, at every layer."""
    return _read_answers(folder(), "words", Lens)


def talks() -> dict[Talk, Chunk]:
    """The committed talks, from their first token on."""
    return _read_answers(folder(), "talk", Chunk, Talk)


def written(talk: Talk) -> list[WrittenToken]:
    """The tokens from a talk's start on that a committed one shares with it."""
    for committed, chunk in talks().items():
        alike = sum(1 for _ in takewhile(partial(talk.agrees, committed), range(len(chunk.steps))))
        if alike > talk.start:
            return list(chunk.steps[talk.start : min(alike, talk.tokens)])
    return []


@lru_cache(maxsize=6)
def _read_answers(folder: Path, name: str, answer: type[Spec], question: type[Spec] = Question) -> dict[Any, Any]:
    contents = (json.loads(gzip.decompress(path.read_bytes())) for path in sorted(folder.glob(f"{name}-*.json.gz")))
    return {question.model_validate(each["question"]): answer.model_validate(each[name]) for each in contents}


def rows() -> dict[tuple[Question, int], SceneRow]:
    """Committed answers of single layers, beside the scenes."""
    return _read_rows(folder() / "rows.json.gz")


@lru_cache(maxsize=2)
def _read_rows(path: Path) -> dict[tuple[Question, int], SceneRow]:
    content = json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else []
    pairs = [(Question.model_validate(question), SceneRow.model_validate(row)) for question, row in content]
    return {(question, row.layer): row for question, row in pairs}
