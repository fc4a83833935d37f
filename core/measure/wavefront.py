"""The fast engine: walk the layers once, carrying the streams injected at every layer so far."""

from __future__ import annotations

from torch import Tensor

from core.measure.group import Group, Step
from core.measure.perturb import perturbed
from core.measure.reading import Reader
from core.models.replay import on_device
from core.specs.measurements import Measurement
from core.store.results import Perturbed


def wavefront(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """One measurement at every injection layer of a group.

    At layer l the streams injected below l are run through it, then the one injected here joins them: L (L - 1) / 2
    layer runs in all, about half of what a full forward per injection costs, and each layer's weights are needed once.
    """
    reader = Reader(len(group.calls), len(group.sequences), group.device)
    streams: list[Tensor] = []
    for index, call in enumerate(group.calls):
        with on_device(call.layer, group.device):
            for injection, stream in enumerate(streams):  # one by one in place: two whole sets would not fit
                streams[injection] = call(stream)
            streams.append(perturbed(measurement, index, call, group.sequences, group.moments))
        for injection, stream in enumerate(streams):
            reader.read(injection, index, stream, call.exit)
        step(index)
    for injection, stream in enumerate(streams):
        reader.harm(injection, group.logits(stream), group.dense)
        step(len(group.calls) - 1)
    return reader.result()
