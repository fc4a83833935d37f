"""One group of sequences on one device: the recorded clean run that both engines perturb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from core.measure.perturb import Moments
from core.measure.reading import Dense, harm_tokens
from core.models.loading import Loaded
from core.models.replay import Call, moved, on_device, record, replay_error, tail
from core.store.results import Array

Step = Callable[[int], None]  # told the layer that was just run; may raise Cancelled


@dataclass(frozen=True, eq=False)
class Group:
    """Clean calls of every layer for a batch of sequences, and the clean output."""

    model: PreTrainedModel
    device: torch.device  # where layers run; the model itself may live elsewhere and be streamed there
    sequences: Sequence[int]
    ids: Tensor  # (sequences, tokens), on the model's device
    calls: list[Call]
    moments: Moments
    dense: Dense
    read_at: Tensor  # positions where harm is read

    def logits(self, stream: Tensor) -> Tensor:
        """Logits of a last-layer stream at the read tokens, on the layers' device."""
        return _logits(self.model, self.calls, self.ids, stream, self.read_at).to(self.device)


def prepare(
    loaded: Loaded, device: torch.device, tokens: Tensor, sequences: Sequence[int], moments: Moments, stride: int
) -> Group:
    """Record the clean run of some sequences. tokens: (all sequences, length)."""
    home = loaded.model.device
    ids = tokens[list(sequences)].to(home)
    calls, last = record(loaded.model, loaded.layers, ids)
    read_at = harm_tokens(ids.shape[1], stride)
    clean = _logits(loaded.model, calls, ids, last, read_at)
    dense = Dense(clean.to(device), ids[:, read_at + 1].to(device))
    if home != device:
        calls = moved(calls, device)
    return Group(loaded.model, device, sequences, ids, calls, moments, dense, read_at)


def largest_replay_error(group: Group, step: Step) -> float:
    """Largest relative difference between a replayed layer and the model's own forward, on two streams in turn.

    The clean one, and the same tokens the wrong way round: what layers are told beside their stream must serve both, so
    it may be neither what earlier layers made of theirs nor a store that layers fill for later ones.
    """
    turned = group.calls[0].entry.flip(1).to(group.model.device)
    others, _ = record(group.model, [call.layer for call in group.calls], group.ids, turned)
    worst = 0.0
    for index, (call, other) in enumerate(zip(group.calls, others, strict=True)):
        with on_device(call.layer, group.device):
            there = moved([replace(other, args=(), kwargs={})], group.device)[0]
            worst = max(worst, replay_error(call), replay_error(call, there))
        step(index)
    return worst


def half_precision_distance(group: Group) -> Array:
    """Relative distance of a half-precision stream from the same layers run in float32: (layers,), one sequence."""
    distance = []
    stream = group.calls[0].entry.float()
    for call in group.calls:
        with on_device(call.layer, group.device):
            weights = {name: value.float() for name, value in call.layer.named_parameters()}
            stream = call.in_float32()(stream, weights)
        distance.append(float((call.exit.float() - stream)[:, 1:].norm() / stream[:, 1:].norm()))
    return np.array(distance)


def _logits(model: PreTrainedModel, calls: Sequence[Call], ids: Tensor, stream: Tensor, read_at: Tensor) -> Tensor:
    chosen = stream[:, read_at.to(stream.device)].to(model.device)
    return tail(model, calls, ids[:, : chosen.shape[1]], chosen)
