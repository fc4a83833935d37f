"""Perturb one sentence at each layer, or at one, and read the effect on every token. See `wavefront`."""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from core.base import UserError, frozen
from core.lab.injections import MaskedInjection, Masks
from core.measure import Dense, Injection, Moments, Stream
from core.models import REPLAY_TOLERANCE, Call, Loaded, by_tokens, tail, walk
from core.requests import MOST_TOKENS, WORDS, Question

HEAD_ROWS = 128  # tokens whose logits are computed at once: more would not fit the processor's cache


@frozen
class NextWords:
    """Likeliest next words after each token, the likeliest first, (..., tokens, words)."""

    ids: Tensor
    probability: Tensor


@frozen
class CleanRun:
    """A recorded run of a sentence without perturbation."""

    loaded: Loaded
    ids: Tensor  # (1, tokens)
    calls: list[Call]
    dense: Dense
    words: NextWords

    @property
    def tokens(self) -> int:
        return self.ids.shape[1]

    @cached_property
    def can_batch(self) -> bool:
        """True if recorded calls can run several streams: the clean one, doubled, comes out as it does alone."""
        for call in self.calls:
            try:
                out = call(call.entry.expand(2, -1, -1))
            except (RuntimeError, ValueError, TypeError):  # a mask or bias of the recorded batch: one at a time then
                return False
            wrong = (out - call.exit).float().norm(dim=-1) / call.exit.float().norm(dim=-1)
            if not wrong.max() <= REPLAY_TOLERANCE[self.loaded.spec.dtype]:
                return False
        return True

    @cached_property
    def lens(self) -> NextWords:
        """Next words read off the clean stream after every layer, (layers, tokens, 1)."""
        return read_lens(self, torch.cat([call.exit for call in self.calls]))


@frozen
class PerturbedRuns:
    """Readings of streams perturbed at some layers, one row a layer."""

    drift: Tensor  # (rows, layers, tokens), NaN before the layer
    words: NextWords
    kl: Tensor  # (rows, tokens) nats


@torch.inference_mode()
def run_clean(loaded: Loaded, sentence: str) -> CleanRun:
    """Run a sentence without perturbation and record it.

    Raises:
        UserError: it has no tokens or too many.
    """
    ids = loaded.tokenizer([sentence], return_tensors="pt", verbose=False)["input_ids"]
    longest = min(MOST_TOKENS, loaded.longest or MOST_TOKENS)
    if not 1 <= ids.shape[1] <= longest:
        raise UserError(f"the sentence has {ids.shape[1]} tokens and the lab takes 1 to {longest}: shorten it")
    calls = loaded.record(ids)
    dense = Dense(tail(loaded.model, calls, calls[-1].exit), ids)
    return CleanRun(loaded, ids, calls, dense, _top_words(dense.log_p))


@torch.inference_mode()
def perturb_layers(
    run: CleanRun,
    question: Question,
    layers: Sequence[int],
    moments: Moments,
    masks: Masks,
    recorded: list[Stream] | None = None,
) -> PerturbedRuns:
    """Perturb the sentence at some layers, each by itself, and follow every stream to the end.

    Args:
        layers: ascending.
        recorded: receives the streams after each layer, from the first of the layers on.

    Raises:
        UserError: the sentence lacks the token, or numbers overflow.
    """
    drift = torch.full((len(layers), len(run.calls), run.tokens), torch.nan)
    streams = []

    def join(index):
        if index in layers:  # with the seed and the sequence of a measurement of this text alone
            streams.append(_perturbed(question, MaskedInjection(0, index, run.calls[index], [0], moments, masks)))
        if streams:
            rows = torch.cat(streams)
            if recorded is not None:
                recorded.append(rows)
            clean = run.calls[index].exit.float()
            squared = [(each * each).sum(-1, dtype=torch.float64) for each in (rows.float() - clean, clean)]
            drift[: len(rows), index] = (squared[0] / squared[1]).sqrt().float()
            if run.can_batch:
                streams[:] = [rows]

    walk(run.loaded.layers, [[call] for call in run.calls], streams, join)
    *words, kl = _read(run, torch.cat(streams), _words_and_kl, run.dense.log_p, run.dense.p)
    if not (kl.isfinite().all() and drift[:, -1].isfinite().all()):
        raise UserError(f"the numbers overflow with {question.perturbation.name}: choose a smaller size")
    return PerturbedRuns(drift, NextWords(*words), kl)


@torch.inference_mode()
def read_lens(run: CleanRun, streams: Stream) -> NextWords:
    """Likeliest next word by the model's own final norm and head, as if each stream were the last layer's.

    Args:
        streams: (rows, tokens, width).

    Returns:
        (rows, tokens, 1).
    """

    def read(logits):
        top, at = logits.float().max(-1, keepdim=True)
        return at, (top - logits.float().logsumexp(-1, keepdim=True)).exp()

    return NextWords(*_read(run, streams, read))


def _perturbed(question: Question, injection: Injection) -> Stream:
    changed = question.perturbation.apply(injection)
    tokens = injection.exit.shape[1]
    if question.token is None:
        return changed
    if question.token >= tokens:
        raise UserError(f"there is no token {question.token}: the sentence has tokens 0 to {tokens - 1}")
    return torch.where((torch.arange(tokens) == question.token)[:, None], changed, injection.exit)


def _read(run: CleanRun, streams: Stream, read: Callable[..., tuple], *beside: Tensor) -> tuple[Tensor, ...]:
    """Apply `read` to the logits of some last-layer streams, as `by_tokens` does, and to what lies beside them."""
    parts = (tail(run.loaded.model, run.calls, part) for part in streams.split(max(1, HEAD_ROWS // run.tokens)))
    rows = [by_tokens(read, row, *beside) for part in parts for row in part.split(1)]
    return tuple(map(torch.cat, zip(*rows, strict=True)))


def _words_and_kl(logits: Tensor, dense_log_p: Tensor, dense_p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Next words, their probabilities, (tokens, words), and KL(dense || perturbed)."""
    log_p = logits.float().log_softmax(-1)
    words = _top_words(log_p)
    return words.ids, words.probability, (dense_p * (dense_log_p - log_p)).sum(-1, dtype=torch.float64)


def _top_words(log_p: Tensor) -> NextWords:
    top = log_p.topk(WORDS, dim=-1)
    return NextWords(top.indices, top.values.exp())
