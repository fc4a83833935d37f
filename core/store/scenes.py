"""Answers of the lab, and those that are committed. Every number has four significant digits."""

import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.base import Spec
from core.requests.lab import Question
from core.store import cache

Word = tuple[str, float]  # a next word and its probability
Numbers = tuple[float, ...]
Words = tuple[tuple[Word, ...], ...]  # after each token, the likeliest first


class _Answer(Spec):
    tokens: tuple[str, ...]  # as text, their leading spaces kept
    norms: tuple[Numbers, ...]  # (layers, tokens) of the clean residual stream
    dense: Words  # what the undisturbed model says
    seconds: float


class Row(_Answer):
    """The effect of a perturbation at one layer on a sentence."""

    layer: int
    drift: tuple[Numbers | None, ...]  # (layers, tokens) ||h'_k - h_k|| / ||h_k||; None before the layer
    gain: float | None  # of the tokens after the first that were perturbed; None at the last layer, and without such
    perturbed: Words
    flipped: tuple[bool, ...]  # (tokens,) the likeliest next word is another
    kl: Numbers  # (tokens,) KL(dense || perturbed) of the next word, nats


class Scene(_Answer):
    """The effect of a perturbation on a sentence, at every layer in turn: each list holds one entry for each layer."""

    drift: tuple[tuple[Numbers | None, ...], ...]
    gain: tuple[float | None, ...]
    perturbed: tuple[Words, ...]
    flipped: tuple[tuple[bool, ...], ...]
    kl: tuple[Numbers, ...]

    @property
    def layers(self) -> int:
        return len(self.drift)

    def row(self, layer: int) -> Row:
        """The effect at one layer."""
        of_layer = {name: getattr(self, name)[layer] for name in ("drift", "gain", "perturbed", "flipped", "kl")}
        return Row(layer=layer, **{name: getattr(self, name) for name in _Answer.model_fields}, **of_layer)


class Lens(Spec):
    """The likeliest next word, alone in its list, that the final norm and head read off the stream (logit lens)."""

    dense: tuple[Words, ...]  # after each layer
    hurt: dict[int, tuple[Words, ...]]  # layer that is perturbed -> after it and after each later one


class Spoken(Spec):
    """A token that the dense and the damaged model write at once; None where one has ended."""

    at: int  # 0: the first after the prompt
    dense: str | None  # of the dense model's own text; empty where a sign is not whole yet
    hurt: str | None
    twin: str | None  # what the dense model would have said where the damaged one stands
    p: float | None  # the probability that the damaged one gave that


class Chunk(Spec):
    """A piece of what is being written."""

    steps: tuple[Spoken, ...]
    end: str | None  # None: it goes on; else why not, empty where all is written


def folder() -> Path:
    """The folder of the committed answers."""
    return cache.HOME / "demo" / "lab"


def examples() -> dict[Question, Scene]:
    """The committed scenes, the opening one first."""
    return _kept(folder(), "scene", Scene)


def lenses() -> dict[Question, Lens]:
    """The committed words of the opening scene, at every layer."""
    return _kept(folder(), "words", Lens)


@lru_cache(maxsize=4)
def _kept(folder: Path, what: str, form: type[Spec]) -> dict[Question, Any]:
    found = {}
    for path in sorted(folder.glob(f"{what}-*.json.gz")):
        held = json.loads(gzip.decompress(path.read_bytes()))
        found[Question.model_validate(held["question"])] = form.model_validate(held[what])
    return found


def rows() -> dict[tuple[Question, int], Row]:
    """Committed answers of single layers, beside the scenes."""
    return _rows(folder() / "rows.json.gz")


@lru_cache(maxsize=2)
def _rows(path: Path) -> dict[tuple[Question, int], Row]:
    held = json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else []
    found = [(Question.model_validate(question), Row.model_validate(row)) for question, row in held]
    return {(question, row.layer): row for question, row in found}
