"""Answers of the lab with a model in memory: scenes, rows and lenses. Clean runs, masks and statistics are reused."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from functools import cache, cached_property, lru_cache, partial
from itertools import chain

import torch
from torch import Tensor

from core.base import UserError
from core.jobs.context import WorkContext
from core.lab import scene
from core.lab.continuation import Continuations
from core.lab.injections import Masks
from core.measure import Moments, clean_statistics
from core.methods import Statistic
from core.models import Loaded, device, is_streamed, prunable_linears, silent
from core.models.windows import windows
from core.requests import REMOVED, OfModel, Question, Task, WindowRequest, check_layer
from core.store import Chunk, Lens, NextWord, Scene, SceneRow, Store

CALIBRATION = WindowRequest(source="demo", sequences=8, length=128)  # text for pruning in the lab
MAX_SENTENCES = 16  # whose clean runs are kept in memory
SIGNIFICANT_DIGITS = 4
SIGN_BYTES = 4  # of UTF-8 at most, and so the most tokens that share a sign


DONE = object()


class ModelServer:
    """Answers tasks; keeps the last model in memory."""

    def __init__(self, model: str):
        self.context = WorkContext(Store(), device("cpu"), silent, {})
        self.loaded = None
        self._use(OfModel(model=model))

    def _use(self, model: OfModel) -> None:
        loaded = self.context.load(model)
        if is_streamed(loaded.layers):
            raise UserError(f"{loaded.source.label} is larger than the memory here: the lab needs a smaller model")
        if loaded is not self.loaded:
            self.loaded, self.lab = loaded, LabModel(loaded)
            self.continuations = Continuations(loaded, self.lab.masks)
            self.prefetching = chain(self.continuations.prefetch(), self.lab.prefetch())

    def prefetch(self) -> bool:
        """Prepare one step of likely questions; True if more remain."""
        return next(self.prefetching, DONE) is not DONE

    def answer(self, task: Task) -> SceneRow | Lens | Scene | Chunk:
        """Answer with a row, a lens, a scene or a chunk of a talk.

        Raises:
            UserError: the question cannot be answered.
        """
        request = task.request
        self._use(OfModel(model=request.model))
        if task.kind == "talk":
            return self.continuations.advance(request, task.listener)
        return getattr(self.lab, task.kind)(request, task.layer)


class LabModel:
    """A loaded model with the clean runs, masks and statistics that answers need."""

    def __init__(self, loaded: Loaded):
        self.loaded = loaded
        self.clean = lru_cache(MAX_SENTENCES)(partial(scene.run_clean, loaded))

    def scene(self, question: Question, layer: int | None = None, streams: list[Tensor] | None = None) -> Scene:
        """Measure the perturbation at every layer in turn, or at one; `streams` see `scene.perturb_layers`.

        Raises:
            UserError: too many tokens, no such token or layer, or numbers that overflow.
        """
        began, run = time.perf_counter(), self.clean(question.sentence)
        if layer is not None:
            check_layer(layer, len(run.calls))
        layers = range(len(run.calls)) if layer is None else [layer]
        moments = self.covariance if question.perturbation.covariance else Moments()
        perturbed = scene.perturb_layers(run, question, layers, moments, self.masks, streams)
        first = [words.ids[..., 0] for words in (perturbed.words, run.words)]
        return Scene(
            drift=tuple(
                (None,) * layer + _numbers(rows[layer:]) for layer, rows in zip(layers, perturbed.drift, strict=True)
            ),
            gain=tuple(gain(rows, layer) for layer, rows in zip(layers, perturbed.drift, strict=True)),
            perturbed=self._words(run, perturbed.words),
            flipped=tuple(map(tuple, (first[0] != first[1]).tolist())),
            kl=_numbers(perturbed.kl),
            tokens=tuple(self._texts(run)[0]),
            norms=_numbers(torch.cat([call.exit.float().norm(dim=-1) for call in run.calls])),
            dense=self._words(run, run.words)[0],
            seconds=_rounded(time.perf_counter() - began),
        )

    def row(self, question: Question, layer: int) -> SceneRow:
        """Measure it at one layer.

        Raises:
            UserError: see `scene`.
        """
        return self.scene(question, layer).row(0).replace(layer=layer)

    def lens(self, question: Question, layer: int) -> Lens:
        """Read the next word off the stream after each layer, damaged at one layer and clean.

        Raises:
            UserError: see `scene`.
        """
        streams = []
        self.scene(question, layer, streams)
        run = self.clean(question.sentence)
        hurt = scene.read_lens(run, torch.cat(streams))
        return Lens(dense=self._words(run, run.lens), hurt={layer: self._words(run, hurt)})

    def _texts(self, run: scene.CleanRun) -> tuple[list[str], list[tuple[int, ...]]]:
        """Text that each token adds, empty while a sign is incomplete; after each token, those of such a sign."""
        texts, pieces = [], [()]
        for token in run.ids[0].tolist():
            sign = *pieces[-1], token
            text = self.loaded.tokenizer.decode(sign)
            is_whole = not text.endswith("\ufffd") or len(sign) == SIGN_BYTES
            texts.append(text if is_whole else "")
            pieces.append(() if is_whole else sign)
        return texts, pieces[1:]

    def _words(self, run: scene.CleanRun, words: scene.NextWords) -> tuple[tuple[tuple[NextWord, ...], ...], ...]:
        """Next words with their probabilities, by row and token."""
        text = cache(lambda begun, token: self.loaded.tokenizer.decode([*begun, token]))
        begun = self._texts(run)[1]
        return tuple(
            tuple(
                tuple((text(sign, i), _rounded(p)) for i, p in zip(*each, strict=True))
                for sign, *each in zip(begun, *row, strict=True)
            )
            for row in zip(words.ids.tolist(), words.probability.tolist(), strict=True)
        )

    # -- reused -------------------------------------------------------------------------------------------------------

    def prefetch(self) -> Iterator[None]:
        """Compute the masks that the page can ask for, one linear a step, which is as long as a question waits.

        Raises:
            UserError: the model cannot be pruned.
        """
        for share in REMOVED:
            for index, layer in enumerate(self.loaded.layers):
                for linear in prunable_linears(layer):
                    with torch.inference_mode():
                        self.masks.find(linear, index, "wanda", share)
                    yield

    @cached_property
    def masks(self) -> Masks:
        """Masks of the dense model's linears; norms are measured on first use."""
        return Masks(lambda layer: self.norms.norm[layer])

    @cached_property
    def norms(self) -> Moments:
        """Norms of every linear's inputs on the calibration text, in the dense model."""
        return self._moments(("norm",), False)

    @cached_property
    def covariance(self) -> Moments:
        """Covariance of the residual stream on that text."""
        return self._moments((), True)

    @torch.inference_mode()
    def _moments(self, kinds: Collection[Statistic], covariance: bool) -> Moments:
        length = min(CALIBRATION.length, self.loaded.longest or CALIBRATION.length)
        text = windows(CALIBRATION.replace(length=length), self.loaded)
        return clean_statistics(self.loaded, text.tokens, kinds, covariance, lambda _: None)[1]


def gain(drift: Tensor, layer: int) -> float | None:
    """`exp(mean ln(R[L-1] / R[i]))` over the tokens after the first that were perturbed; None without any, or at L-1.

    Args:
        drift: (layers, tokens) of a perturbation at `layer`.
    """
    first, last = drift[layer, 1:].double(), drift[-1, 1:].double()
    is_perturbed = (first > 0) & (last > 0)
    if layer == len(drift) - 1 or not is_perturbed.any():
        return None
    return _rounded(float((last[is_perturbed] / first[is_perturbed]).log().mean().exp()))


def _numbers(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(_rounded, row)) for row in values.tolist())


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
