"""Answers of the lab with a model in memory: scenes and rows. What serves several questions is kept."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property

import torch
from torch import Tensor

from core.ask.inputs import WindowRequest
from core.ask.lab import REMOVED, Question, check_layer
from core.measure import scene
from core.measure.first_pass import statistics
from core.measure.linears import Masks, Sums, watched
from core.measure.perturb import Moments
from core.measure.scene import Clean, Hits
from core.models.anatomy import prunable
from core.models.loading import Loaded
from core.models.windows import windows
from core.store.scenes import Row, Scene, Word

CALIBRATION = WindowRequest(source="demo", sequences=8, length=128)  # what pruning in the lab looks at
SENTENCES = 16  # whose undisturbed runs are kept
DIGITS = 4


class Lab:
    """A model with all that answering about it needs."""

    def __init__(self, loaded: Loaded):
        self.loaded = loaded
        self.runs: OrderedDict[str, Clean] = OrderedDict()
        self.batched: bool | None = None  # not known before the first sentence

    def scene(self, question: Question) -> Scene:
        """What the perturbation does at every layer in turn.

        Raises:
            UserError: too many tokens, no such token, or numbers that overflow.
        """
        began, run = time.perf_counter(), self._run(question.sentence)
        layers = range(len(run.calls))
        found = self._hits(run, question, layers)
        told = {name: tuple(values) for name, values in self._told(found, layers).items()}
        return Scene(**self._shared(run), **told, seconds=_rounded(time.perf_counter() - began))

    def row(self, question: Question, layer: int) -> Row:
        """What it does at one layer.

        Raises:
            UserError: as `scene`; or there is no such layer.
        """
        began, run = time.perf_counter(), self._run(question.sentence)
        check_layer(layer, len(run.calls))
        told = self._told(self._hits(run, question, [layer]), [layer])
        first = {name: values[0] for name, values in told.items()}
        return Row(layer=layer, **self._shared(run), **first, seconds=_rounded(time.perf_counter() - began))

    def _run(self, sentence: str) -> Clean:
        if sentence not in self.runs:
            self.runs[sentence] = scene.clean(self.loaded, sentence)
            while len(self.runs) > SENTENCES:
                self.runs.popitem(last=False)
        self.runs.move_to_end(sentence)
        if self.batched is None:
            self.batched = scene.can_be_batched(self.runs[sentence])
        return self.runs[sentence]

    def _hits(self, run: Clean, question: Question, layers: Sequence[int]) -> Hits:
        kind = question.perturbation
        moments = self._spread if kind.covariance else Moments()
        return scene.hits(run, question, layers, moments, self.masks, bool(self.batched))

    # -- kept ---------------------------------------------------------------------------------------------------------

    def ahead(self) -> Iterator[None]:
        """Find the masks that the page can ask for, a fraction of a second a step: who asks meanwhile waits so long.

        Raises:
            UserError: the model cannot be pruned.
        """
        while self._unread:
            self._read()
            yield
        for share in REMOVED:
            for index, layer in enumerate(self.loaded.layers):
                with torch.inference_mode():
                    for linear in prunable(layer):
                        self.masks.find(linear, index, "wanda", share)
                yield

    @cached_property
    def masks(self) -> Masks:
        """Masks of the dense model's linears; the norms they need are found when they are first asked for."""
        return Masks(lambda layer: self.norms.input_norm[layer])

    @cached_property
    def norms(self) -> Moments:
        """Norms of what every linear reads of the calibration text, in the dense model."""
        while self._unread:
            self._read()
        return Moments(input_norm=tuple(sums.norms() for sums in self._sums))

    @cached_property
    def _sums(self) -> list[Sums]:
        """Per layer what its linears read of the calibration text so far."""
        return [Sums(("norm",)) for _ in self.loaded.layers]

    @cached_property
    def _unread(self) -> list[Tensor]:
        """The rest of the calibration text."""
        return list(self._calibration)

    @torch.inference_mode()
    def _read(self) -> None:
        """Let the dense model read one more sequence of it."""
        with ExitStack() as hooks:
            for layer, sums in zip(self.loaded.layers, self._sums, strict=True):
                hooks.enter_context(watched(layer, prunable(layer), sums.add))
            self.loaded.model(input_ids=self._unread[0][None], use_cache=False)
        del self._unread[0]

    @cached_property
    def _spread(self) -> Moments:
        """The covariance of the residual stream over that text."""
        with torch.inference_mode():
            return statistics(self.loaded, self._calibration, (), True, lambda _: None)[1]

    @property
    def _calibration(self) -> Tensor:
        length = min(CALIBRATION.length, self.loaded.longest or CALIBRATION.length)
        return windows(CALIBRATION.model_copy(update={"length": length}), self.loaded).tokens

    # -- told ---------------------------------------------------------------------------------------------------------

    def _shared(self, run: Clean) -> dict[str, object]:
        return {
            "tokens": tuple(self.loaded.tokenizer.decode([each]) for each in run.ids[0].tolist()),
            "norms": _numbers(run.norms),
            "dense": self._words(run.words)[0],
        }

    def _told(self, found: Hits, layers: Sequence[int]) -> dict[str, list]:
        drift = [(None,) * layer + _numbers(rows[layer:]) for layer, rows in zip(layers, found.drift, strict=True)]
        return {
            "drift": drift,
            "gain": [gain(rows, layer) for layer, rows in zip(layers, found.drift, strict=True)],
            "perturbed": self._words(found.words),
            "flipped": [tuple(row) for row in found.flipped.tolist()],
            "kl": list(_numbers(found.kl)),
        }

    def _words(self, words: scene.Words) -> list[tuple[tuple[Word, ...], ...]]:
        """Per row and token the next words with their probabilities."""
        text = {each: self.loaded.tokenizer.decode([each]) for each in set(words.ids.flatten().tolist())}
        return [
            tuple(tuple((text[i], _rounded(p)) for i, p in zip(*each, strict=True)) for each in zip(*row, strict=True))
            for row in zip(words.ids.tolist(), words.probability.tolist(), strict=True)
        ]


def gain(drift: Tensor, layer: int) -> float | None:
    """`exp(mean ln(R[L-1] / R[i]))` over the tokens after the first that were perturbed; None without any, or at L-1.

    Args:
        drift: (layers, tokens) of a perturbation at `layer`.
    """
    first, last = drift[layer, 1:].double(), drift[-1, 1:].double()
    hit = (first > 0) & (last > 0)
    if layer == len(drift) - 1 or not hit.any():
        return None
    return _rounded(float((last[hit] / first[hit]).log().mean().exp()))


def _numbers(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(_rounded, row)) for row in values.tolist())


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
