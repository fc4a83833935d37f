"""Answers of the lab with a model in memory: scenes, rows and lenses. What serves several questions is kept."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache, partial

import torch
from torch import Tensor

from core.lab import scene
from core.measure.first_pass import statistics
from core.measure.perturb import Moments
from core.methods import Statistic
from core.models.anatomy import prunable
from core.models.loading import Loaded
from core.models.windows import windows
from core.prune.linears import Masks
from core.requests import WindowRequest
from core.requests.lab import REMOVED, Question, check_layer
from core.store.scenes import Lens, Row, Scene, Word

CALIBRATION = WindowRequest(source="demo", sequences=8, length=128)  # what pruning in the lab looks at
SENTENCES = 16  # whose undisturbed runs are kept
DIGITS = 4


class Lab:
    """A model with all that answering about it needs."""

    def __init__(self, loaded: Loaded):
        self.loaded = loaded
        self.clean = lru_cache(SENTENCES)(partial(scene.clean, loaded))

    def scene(self, question: Question) -> Scene:
        """What the perturbation does at every layer in turn.

        Raises:
            UserError: too many tokens, no such token, or numbers that overflow.
        """
        return Scene(**self._answer(question, None))

    def row(self, question: Question, layer: int) -> Row:
        """What it does at one layer.

        Raises:
            UserError: as `scene`; or there is no such layer.
        """
        return Row(layer=layer, **self._answer(question, layer))

    def lens(self, question: Question, layer: int) -> Lens:
        """The next word that the streams would say after each layer, damaged at one layer and not.

        Raises:
            UserError: as `row`.
        """
        seen = []
        self._answer(question, layer, seen)
        run = self.clean(question.sentence)
        return Lens(dense=self._words(run.lens), hurt={layer: self._words(scene.lens(run, torch.cat(seen)))})

    def _answer(self, question: Question, layer: int | None, seen: list[Tensor] | None = None) -> dict[str, object]:
        """The fields of an answer: of one layer, or lists of all layers'; `seen` as `scene.hits`."""
        began, run = time.perf_counter(), self.clean(question.sentence)
        if layer is not None:
            check_layer(layer, len(run.calls))
        layers = range(len(run.calls)) if layer is None else [layer]
        moments = self.covariance if question.perturbation.covariance else Moments()
        found = scene.hits(run, question, layers, moments, self.masks, seen)
        first = [words.ids[..., 0] for words in (found.words, run.words)]
        each = {
            "drift": tuple(
                (None,) * layer + _numbers(rows[layer:]) for layer, rows in zip(layers, found.drift, strict=True)
            ),
            "gain": tuple(gain(rows, layer) for layer, rows in zip(layers, found.drift, strict=True)),
            "perturbed": self._words(found.words),
            "flipped": tuple(map(tuple, (first[0] != first[1]).tolist())),
            "kl": _numbers(found.kl),
        }
        return (each if layer is None else {name: values[0] for name, values in each.items()}) | {
            "tokens": tuple(self.loaded.tokenizer.decode([each]) for each in run.ids[0].tolist()),
            "norms": _numbers(torch.cat([call.exit.float().norm(dim=-1) for call in run.calls])),
            "dense": self._words(run.words)[0],
            "seconds": _rounded(time.perf_counter() - began),
        }

    def _words(self, words: scene.Words) -> tuple[tuple[tuple[Word, ...], ...], ...]:
        """Per row and token the next words with their probabilities."""
        text = {each: self.loaded.tokenizer.decode([each]) for each in set(words.ids.flatten().tolist())}
        return tuple(
            tuple(tuple((text[i], _rounded(p)) for i, p in zip(*each, strict=True)) for each in zip(*row, strict=True))
            for row in zip(words.ids.tolist(), words.probability.tolist(), strict=True)
        )

    # -- kept ---------------------------------------------------------------------------------------------------------

    def ahead(self) -> Iterator[None]:
        """Find the masks that the page can ask for, a linear's in a step: who asks meanwhile waits so long.

        Raises:
            UserError: the model cannot be pruned.
        """
        for share in REMOVED:
            for index, layer in enumerate(self.loaded.layers):
                for linear in prunable(layer):
                    with torch.inference_mode():
                        self.masks.find(linear, index, "wanda", share)
                    yield

    @cached_property
    def masks(self) -> Masks:
        """Masks of the dense model's linears; the norms they need are found when they are first asked for."""
        return Masks(lambda layer: self.norms.norm[layer])

    @cached_property
    def norms(self) -> Moments:
        """Norms of what every linear reads of the calibration text, in the dense model."""
        return self._moments(("norm",), False)

    @cached_property
    def covariance(self) -> Moments:
        """The covariance of the residual stream over that text."""
        return self._moments((), True)

    @torch.inference_mode()
    def _moments(self, wanted: Collection[Statistic], covariance: bool) -> Moments:
        length = min(CALIBRATION.length, self.loaded.longest or CALIBRATION.length)
        text = windows(CALIBRATION.replace(length=length), self.loaded)
        return statistics(self.loaded, text.tokens, wanted, covariance, lambda _: None)[1]


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
