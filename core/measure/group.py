"""One group of sequences on one device: the recorded clean run that both engines perturb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from core.measure.perturb import Moments
from core.measure.reading import Dense, harm_tokens
from core.models.loading import Loaded
from core.models.placement import at_hand
from core.models.replay import Call, record, replay_error, tail
from core.store.results import Array

Step = Callable[[int], None]  # told the layer that was just run; may raise Cancelled


@dataclass(frozen=True, eq=False)
class Group:
    """Clean calls of every layer for a batch of sequences, and the clean output."""

    model: PreTrainedModel
    sequences: Sequence[int]
    ids: Tensor  # (sequences, tokens)
    calls: list[Call]
    moments: Moments
    dense: Dense
    read_at: Tensor  # positions where harm is read

    def logits(self, stream: Tensor) -> Tensor:
        """Logits of a last-layer stream at the read tokens."""
        return _logits(self.model, self.calls, self.ids, stream, self.read_at)


def prepare(loaded: Loaded, tokens: Tensor, sequences: Sequence[int], moments: Moments, stride: int) -> Group:
    """Record the clean run of some sequences. tokens: (all sequences, length)."""
    ids = tokens[list(sequences)].to(loaded.model.device)
    calls, last = record(loaded.model, loaded.layers, ids)
    read_at = harm_tokens(ids.shape[1], stride)
    clean = _logits(loaded.model, calls, ids, last, read_at)
    dense = Dense(clean, ids[:, read_at + 1])
    return Group(loaded.model, sequences, ids, calls, moments, dense, read_at)


def largest_replay_error(group: Group, step: Step) -> float:
    """Largest relative difference between a replayed layer and the model's own forward, on two streams in turn.

    The clean one, and the same tokens the wrong way round: what layers are told beside their stream must serve both, so
    it may be neither what earlier layers made of theirs nor a store that layers fill for later ones.
    """
    turned = group.calls[0].entry.flip(1)
    others, _ = record(group.model, [call.layer for call in group.calls], group.ids, turned)
    worst = 0.0
    for index, (call, other) in enumerate(zip(group.calls, others, strict=True)):
        with at_hand(call.layer):
            worst = max(worst, replay_error(call), replay_error(call, other))
        step(index)
    return worst


def half_precision_distance(group: Group) -> Array:
    """Relative distance of a half-precision stream from the same layers run in float32: (layers,), one sequence."""
    distance = []
    stream = group.calls[0].entry.float()
    for call in group.calls:
        with at_hand(call.layer):
            weights = {name: value.float() for name, value in call.layer.named_parameters()}
            stream = call.in_float32()(stream, weights)
        distance.append(float((call.exit.float() - stream)[:, 1:].norm() / stream[:, 1:].norm()))
    return np.array(distance)


def _logits(model: PreTrainedModel, calls: Sequence[Call], ids: Tensor, stream: Tensor, read_at: Tensor) -> Tensor:
    chosen = stream[:, read_at.to(stream.device)]
    return tail(model, calls, ids[:, : chosen.shape[1]], chosen)
