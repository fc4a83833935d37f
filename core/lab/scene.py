"""One sentence in the lab: what a perturbation at each layer, or at one, does to every token. See `wavefront`."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from core.base import UserError, frozen
from core.measure.engines import Dense
from core.measure.perturb import Injection, Moments, Stream, chosen
from core.methods import Treatment
from core.models.loading import Loaded
from core.models.placement import walk
from core.models.replay import REPLAY_TOLERANCE, Call, Tensors, by_tokens, tail
from core.prune.linears import Masks
from core.requests.lab import MOST_TOKENS, WORDS, Question

HEAD_ROWS = 128  # tokens whose logits are held at once: more would not stay in the processor's cache


@frozen
class Words:
    """The likeliest next words after each token, the likeliest first, (..., tokens, words)."""

    ids: Tensor
    probability: Tensor


@frozen
class Clean:
    """The undisturbed run of a sentence."""

    loaded: Loaded
    ids: Tensor  # (1, tokens)
    calls: list[Call]
    dense: Dense
    words: Words

    @property
    def tokens(self) -> int:
        return self.ids.shape[1]

    @cached_property
    def batched(self) -> bool:
        """Whether what was recorded of one stream serves several: the clean one, twice over, comes out as alone."""
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
    def lens(self) -> Words:
        """What it would say after every layer, (layers, tokens, 1)."""
        return lens(self, torch.cat([call.exit for call in self.calls]))


@frozen
class Hits:
    """What was read of the streams that were perturbed at some layers, a row each."""

    drift: Tensor  # (rows, layers, tokens), NaN before the layer
    words: Words
    kl: Tensor  # (rows, tokens) nats


@frozen
class Pruning(Injection):
    """An injection that prunes by masks which are kept."""

    masks: Masks

    def _weights(self, treatment: Treatment, sparsity: float, linear: str | None) -> Tensors:
        return {
            f"{each.name}.weight": self.masks.weight(each, self.layer, treatment.pruner, sparsity)
            for each in chosen(self.call.layer, linear)
        }


@torch.inference_mode()
def clean(loaded: Loaded, sentence: str) -> Clean:
    """Run a sentence undisturbed.

    Raises:
        UserError: it has no tokens or too many.
    """
    ids = loaded.tokenizer([sentence], return_tensors="pt", verbose=False)["input_ids"]
    most = min(MOST_TOKENS, loaded.longest or MOST_TOKENS)
    if not 1 <= ids.shape[1] <= most:
        raise UserError(f"the sentence has {ids.shape[1]} tokens and the lab takes 1 to {most}: shorten it")
    calls = loaded.record(ids)
    dense = Dense(tail(loaded.model, calls, calls[-1].exit), ids)
    return Clean(loaded, ids, calls, dense, _likeliest(dense.log_p))


@torch.inference_mode()
def hits(
    run: Clean,
    question: Question,
    layers: Sequence[int],
    moments: Moments,
    masks: Masks,
    seen: list[Stream] | None = None,
) -> Hits:
    """Perturb the sentence at some layers, each by itself, and follow every stream to the end.

    Args:
        layers: ascending.
        seen: takes the streams after each layer, from the first of the layers on.

    Raises:
        UserError: a token that the sentence has not, or numbers that overflow.
    """
    drift = torch.full((len(layers), len(run.calls), run.tokens), torch.nan)
    streams = []

    def join(index):
        if index in layers:  # with the seed and the sequence of a measurement of this text alone
            streams.append(_perturbed(question, Pruning(0, index, run.calls[index], [0], moments, masks)))
        if streams:
            rows = torch.cat(streams)
            if seen is not None:
                seen.append(rows)
            wide = run.calls[index].exit.float()
            squared = [(each * each).sum(-1, dtype=torch.float64) for each in (rows.float() - wide, wide)]
            drift[: len(rows), index] = (squared[0] / squared[1]).sqrt().float()
            if run.batched:
                streams[:] = [rows]

    walk(run.loaded.layers, [[call] for call in run.calls], streams, join)
    parts = [_read(run, part) for part in torch.cat(streams).split(max(1, HEAD_ROWS // run.tokens))]
    *words, kl = (torch.cat(each) for each in zip(*parts, strict=True))
    if not (kl.isfinite().all() and drift[:, -1].isfinite().all()):
        raise UserError(f"the numbers overflow with {question.perturbation.name}: choose a smaller size")
    return Hits(drift, Words(*words), kl)


@torch.inference_mode()
def lens(run: Clean, streams: Stream) -> Words:
    """The likeliest next word by the model's own final norm and head, as if each stream were the last layer's.

    Args:
        streams: (rows, tokens, width).

    Returns:
        (rows, tokens, 1).
    """

    def read(logits):
        top, at = logits.float().max(-1, keepdim=True)
        return at, (top - logits.float().logsumexp(-1, keepdim=True)).exp()

    logits = (tail(run.loaded.model, run.calls, part) for part in streams.split(max(1, HEAD_ROWS // run.tokens)))
    return Words(*map(torch.cat, zip(*(by_tokens(read, each) for each in logits), strict=True)))


def _perturbed(question: Question, at: Injection) -> Stream:
    changed = question.perturbation.apply(at)
    tokens = at.exit.shape[1]
    if question.token is None:
        return changed
    if question.token >= tokens:
        raise UserError(f"there is no token {question.token}: the sentence has tokens 0 to {tokens - 1}")
    return torch.where((torch.arange(tokens) == question.token)[:, None], changed, at.exit)


def _read(run: Clean, streams: Stream) -> tuple[Tensor, Tensor, Tensor]:
    """Of some last-layer streams: next words and their probabilities, (rows, tokens, words), and the divergence."""

    def read(logits, dense_log_p, dense_p):
        log_p = logits.float().log_softmax(-1)
        words = _likeliest(log_p)
        return words.ids, words.probability, (dense_p * (dense_log_p - log_p)).sum(-1, dtype=torch.float64)

    logits = tail(run.loaded.model, run.calls, streams)
    rows = [by_tokens(read, row, run.dense.log_p, run.dense.p) for row in logits.split(1)]
    return tuple(map(torch.cat, zip(*rows, strict=True)))


def _likeliest(log_p: Tensor) -> Words:
    top = log_p.topk(WORDS, dim=-1)
    return Words(top.indices, top.values.exp())
