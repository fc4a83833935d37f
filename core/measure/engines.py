"""Two engines with equal results: one walk with all streams, or a full forward per injection layer.

Both compare perturbed streams with the clean ones, layer by layer, and their logits at the end.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from core.base import Array, frozen
from core.measure.perturb import Moments, perturbed
from core.models import Call, Loaded, Step, by_tokens, call_from_hook, replay_error, tail, walk, weights_on_device
from core.requests import Measurement
from core.store import Perturbed, axes_of


class Reader:
    """Readings of one measurement on one group of sequences; numbers stay on the device until the end."""

    def __init__(self, layers: int, sequences: int, device: torch.device):
        self.layers = layers
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        shape = {"injection": layers, "read": layers, "sequence": sequences}
        self.values = {
            name: torch.full([shape[axis] for axis in axes], torch.nan, dtype=wide, device=device)
            for name, axes in axes_of(Perturbed).items()
        }
        self.first = {}  # injection layer -> drift there, (sequences, tokens)
        self.sizes = {}  # read layer -> squared norms of the clean stream, (sequences, tokens)
        self.room = None  # memory for the change of a stream, taken once: it costs more than its reading

    def read(self, injection: int, layer: int, stream: Tensor, clean: Tensor) -> None:
        """Read drift at a layer. stream, clean: (sequences, tokens, width)."""
        damage, size, along = self._products(layer, stream.float(), clean.float())
        drift = (damage / size).sqrt()
        cosine = (size + along) / (size * (size + 2 * along + damage)).sqrt()
        orthogonal = (1 - along.square() / (damage * size)).clamp(min=0).sqrt()
        here = {
            "log_drift": drift[:, 1:].log().mean(1),
            "drift": drift[:, 1:].mean(),
            "drift_first": drift[:, 0].mean(),
            "cosine": cosine[:, 1:].mean(),
            "orthogonal": orthogonal[:, 1:].nanmean(),
        }
        for name, value in here.items():
            self.values[name][injection, layer] = value
        if layer == injection:
            self.first[injection] = drift
        if layer == self.layers - 1:
            ratio = (drift / self.first.pop(injection))[:, 1:]
            self.values["final_squared"][injection] = drift[:, 1:].square().mean(1)
            self.values["ratio"][injection] = ratio.nanmean(1)
            for share in (25, 50, 75):
                self.values[f"ratio_q{share}"][injection] = ratio.nanquantile(share / 100, dim=1)

    def _products(self, layer: int, stream: Tensor, clean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Per token, (sequences, tokens): products of the change with itself, of the clean stream, and of the two."""
        wide = self.values["log_drift"].dtype
        if layer not in self.sizes:
            self.sizes[layer] = (clean * clean).sum(-1, dtype=wide)
        if self.room is None or self.room.shape[1:] != clean.shape:
            self.room = clean.new_empty(2, *clean.shape)
        change = torch.sub(stream, clean, out=self.room[0])
        along = torch.mul(change, clean, out=self.room[1]).sum(-1, dtype=wide)
        return change.mul_(change).sum(-1, dtype=wide), self.sizes[layer], along

    def harm(self, injection: int, logits: Tensor, dense: "Dense") -> None:
        """Read the harm to the output. logits: (sequences, read tokens, vocabulary)."""
        for name, value in zip(("kl", "nll_increase", "flips"), dense.harm(logits), strict=True):
            self.values[name][injection] = value.to(self.values[name].dtype).mean(1)

    def result(self) -> Perturbed:
        """Everything read, in float64 on the CPU."""
        return Perturbed(**{name: value.cpu().double().numpy() for name, value in self.values.items()})


class Dense:
    """The clean model's next-token distribution at the read tokens."""

    def __init__(self, logits: Tensor, targets: Tensor):
        """logits: (sequences, read tokens, vocabulary); targets: (sequences, read tokens) ids."""
        self.log_p = logits.float().log_softmax(-1)
        self.p = self.log_p.exp()
        self.top = self.log_p.argmax(-1)
        self.targets = targets.unsqueeze(-1)

    def harm(self, logits: Tensor) -> tuple[Tensor, ...]:
        """KL and loss increase, in nats, and top-1 flip at every read token: three of (sequences, read tokens).

        Args:
            logits: (sequences, read tokens, vocabulary).
        """
        return by_tokens(_suffered, logits, self.log_p, self.p, self.top, self.targets)


def _suffered(logits: Tensor, dense_log_p: Tensor, dense_p: Tensor, top: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    wide = torch.float32 if logits.device.type == "mps" else torch.float64  # MPS has no float64
    log_p = logits.float().log_softmax(-1)
    divergence = (dense_p * (dense_log_p - log_p)).sum(-1, dtype=wide)
    loss = dense_log_p.gather(-1, targets) - log_p.gather(-1, targets)
    return divergence, loss.squeeze(-1), log_p.argmax(-1) != top


def harm_tokens(length: int, stride: int) -> Tensor:
    """Positions where harm is read: 1, 1 + stride, ... up to the last that has a next token."""
    return torch.arange(1, length - 1, stride)


@frozen
class Group:
    """Clean calls of every layer for a batch of sequences, which both engines perturb."""

    loaded: Loaded
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
        return tail(self.loaded.model, self.calls, stream[:, self.read_at.to(stream.device)])


def prepare(loaded: Loaded, tokens: Tensor, sequences: Sequence[int], moments: Moments, stride: int) -> Group:
    """Record the clean run of some sequences. tokens: (all sequences, length)."""
    ids = tokens[list(sequences)].to(loaded.model.device)
    return Group(loaded, sequences, ids, loaded.record(ids), moments, harm_tokens(ids.shape[1], stride))


def largest_replay_error(group: Group, step: Step) -> float:
    """Largest relative difference between a replayed layer and the model's own forward, on two streams in turn.

    The clean one, and the same tokens the wrong way round: what layers are told beside their stream must serve both, so
    it may be neither what earlier layers made of theirs nor a store that layers fill for later ones.
    """
    turned = group.calls[0].entry.flip(1)
    worst = 0.0
    for index, (call, other) in enumerate(zip(group.calls, group.loaded.record(group.ids, turned), strict=True)):
        with weights_on_device(call.layer):
            worst = max(worst, replay_error(call), replay_error(call, other))
        step(index + 1)
    return worst


def half_precision_distance(group: Group) -> Array:
    """Relative distance of a stream from the same layers run in float32: (layers,), one sequence; 0 in float32."""
    if group.loaded.spec.dtype == "float32":
        return np.zeros(len(group.calls))
    distance = []
    stream = group.calls[0].entry.float()
    for call in group.calls:
        with weights_on_device(call.layer):
            stream = call.in_float32()(stream, {name: each.float() for name, each in call.layer.named_parameters()})
        distance.append(float((call.exit.float() - stream)[:, 1:].norm() / stream[:, 1:].norm()))
    return np.array(distance)


def wavefront(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The fast engine: one measurement at every injection layer of a group in one walk over the layers.

    At layer l the streams injected below l are run through it, then the one injected here joins them: L (L - 1) / 2
    layer runs in all, about half of what a full forward per injection costs, and each layer's weights are needed once.
    """
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    streams = []

    def join(index):
        call = group.calls[index]
        streams.append(perturbed(measurement, index, call, group.sequences, group.moments))
        for injection, stream in enumerate(streams):
            reader.read(injection, index, stream, call.exit)
        step(index + 1)

    walk(group.loaded.layers, [[call] for call in group.calls], streams, join)
    for injection, stream in enumerate(streams):
        reader.harm(injection, group.logits(stream), group.dense)
        step(len(group.calls))
    return reader.result()


def hooks(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The plain engine, which is the fallback too: one full forward of the model under hooks per injection layer."""
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    for injection in range(len(group.calls)):
        streams = _forward(group, measurement, injection)
        for layer in range(injection, len(group.calls)):
            reader.read(injection, layer, streams[layer], group.calls[layer].exit)
        reader.harm(injection, group.logits(streams[-1]), group.dense)
        step(injection + 1)
    return reader.result()


def _forward(group: Group, measurement: Measurement, injection: int) -> list[Tensor]:
    """The stream after every layer of a forward that is perturbed at one of them."""

    def inject(layer, args, kwargs, output):
        handle.remove()  # the layer may be run again in here, pruned
        call = call_from_hook(layer, args, kwargs, output)
        with weights_on_device(layer):
            return call.output(perturbed(measurement, injection, call, group.sequences, group.moments))

    with group.calls[injection].layer.register_forward_hook(inject, with_kwargs=True) as handle:
        streams = {call.layer: call.exit for call in group.loaded.record(group.ids)}  # the last run of each
    return [streams[call.layer] for call in group.calls]


ENGINES = {"wavefront": wavefront, "hooks": hooks}
