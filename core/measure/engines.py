"""Two engines with equal results: one walk that carries all streams, or a full forward per injection layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, nn
from transformers import PreTrainedModel

from core.ask.measurements import Measurement
from core.measure.perturb import Moments, perturbed
from core.measure.reading import Dense, Reader, harm_tokens
from core.models.loading import Loaded
from core.models.placement import at_hand, walk
from core.models.replay import Call, called, record, replay_error, tail
from core.store.results import Array, Perturbed

Step = Callable[[int], None]  # told the layer that was just run; may raise Cancelled


@dataclass(frozen=True, eq=False)
class Group:
    """Clean calls of every layer for a batch of sequences, which both engines perturb."""

    model: PreTrainedModel
    sequences: Sequence[int]
    ids: Tensor  # (sequences, tokens)
    calls: list[Call]
    moments: Moments
    read_at: Tensor  # positions where harm is read

    @cached_property
    def dense(self) -> Dense:
        """The clean output at the read tokens."""
        return Dense(self.logits(self.calls[-1].exit), self.ids[:, self.read_at + 1])

    def logits(self, stream: Tensor) -> Tensor:
        """Logits of a last-layer stream at the read tokens."""
        chosen = stream[:, self.read_at.to(stream.device)]
        return tail(self.model, self.calls, self.ids[:, : chosen.shape[1]], chosen)


def prepare(loaded: Loaded, tokens: Tensor, sequences: Sequence[int], moments: Moments, stride: int) -> Group:
    """Record the clean run of some sequences. tokens: (all sequences, length)."""
    ids = tokens[list(sequences)].to(loaded.model.device)
    calls = record(loaded.model, loaded.layers, ids)
    return Group(loaded.model, sequences, ids, calls, moments, harm_tokens(ids.shape[1], stride))


def largest_replay_error(group: Group, step: Step) -> float:
    """Largest relative difference between a replayed layer and the model's own forward, on two streams in turn.

    The clean one, and the same tokens the wrong way round: what layers are told beside their stream must serve both, so
    it may be neither what earlier layers made of theirs nor a store that layers fill for later ones.
    """
    turned = group.calls[0].entry.flip(1)
    others = record(group.model, [call.layer for call in group.calls], group.ids, turned)
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


def wavefront(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The fast engine: one measurement at every injection layer of a group in one walk over the layers.

    At layer l the streams injected below l are run through it, then the one injected here joins them: L (L - 1) / 2
    layer runs in all, about half of what a full forward per injection costs, and each layer's weights are needed once.
    """
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    streams: list[Tensor] = []

    def join(index: int) -> None:
        call = group.calls[index]
        streams.append(perturbed(measurement, index, call, group.sequences, group.moments))
        for injection, stream in enumerate(streams):
            reader.read(injection, index, stream, call.exit)
        step(index)

    walk([call.layer for call in group.calls], [[call] for call in group.calls], streams, join)
    for injection, stream in enumerate(streams):
        reader.harm(injection, group.logits(stream), group.dense)
        step(len(group.calls) - 1)
    return reader.result()


def hooks(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The plain engine, which is the fallback too: one full forward of the model under hooks per injection layer."""
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    for injection in range(len(group.calls)):
        streams = _forward(group, measurement, injection)
        for layer in range(injection, len(group.calls)):
            reader.read(injection, layer, streams[layer], group.calls[layer].exit)
        reader.harm(injection, group.logits(streams[-1]), group.dense)
        step(injection)
    return reader.result()


def _forward(group: Group, measurement: Measurement, injection: int) -> list[Tensor]:
    """The stream after every layer of a forward that is perturbed at one of them."""

    def inject(layer: nn.Module, args: tuple, kwargs: dict, output: Tensor | tuple) -> Tensor | tuple:
        handle.remove()  # the layer may be run again in here, pruned
        call = called(layer, args, kwargs, output)
        with at_hand(layer):
            return call.output(perturbed(measurement, injection, call, group.sequences, group.moments))

    handle = group.calls[injection].layer.register_forward_hook(inject, with_kwargs=True)
    layers = [call.layer for call in group.calls]
    try:
        streams = {call.layer: call.exit for call in record(group.model, layers, group.ids)}  # the last run of each
    finally:
        handle.remove()
    return [streams[layer] for layer in layers]


ENGINES = {"wavefront": wavefront, "hooks": hooks}
