"""The two engines, which give the same: one walk that carries all streams, or a full forward per injection layer."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from torch import Tensor, nn

from core.ask.measurements import Measurement
from core.measure.group import Group, Step
from core.measure.perturb import perturbed
from core.measure.reading import Reader
from core.models.placement import at_hand
from core.models.replay import hidden, with_hidden
from core.store.results import Perturbed


def wavefront(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The fast engine: one measurement at every injection layer of a group in one walk over the layers.

    At layer l the streams injected below l are run through it, then the one injected here joins them: L (L - 1) / 2
    layer runs in all, about half of what a full forward per injection costs, and each layer's weights are needed once.
    """
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    streams: list[Tensor] = []
    for index, call in enumerate(group.calls):
        with at_hand(call.layer):
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


def hooks(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """The plain engine, which is the fallback too: one full forward of the model under hooks per injection layer."""
    reader = Reader(len(group.calls), len(group.sequences), group.ids.device)
    for injection in range(len(group.calls)):
        streams, logits = _forward(group, measurement, injection)
        for layer in range(injection, len(group.calls)):
            reader.read(injection, layer, streams[layer], group.calls[layer].exit)
        reader.harm(injection, logits[:, group.read_at], group.dense)
        step(injection)
    return reader.result()


def _forward(group: Group, measurement: Measurement, injection: int) -> tuple[dict[int, Tensor], Tensor]:
    streams: dict[int, Tensor] = {}

    def inject(layer: nn.Module, args: tuple, kwargs: dict, output: Tensor | tuple) -> Tensor | tuple:
        handle.remove()  # the layer may be run again in here, pruned
        recorded = group.calls[injection]
        entry = kwargs[recorded.entry_name] if recorded.entry_name else args[0]
        call = replace(recorded, entry=entry, exit=hidden(output), args=args[1:], kwargs=kwargs)
        with at_hand(layer):
            return with_hidden(output, perturbed(measurement, injection, call, group.sequences, group.moments))

    def keep(index: int, output: Tensor | tuple) -> None:
        streams[index] = hidden(output)

    with ExitStack() as stack:
        handle = group.calls[injection].layer.register_forward_hook(inject, with_kwargs=True)
        stack.callback(handle.remove)
        for index, call in enumerate(group.calls):
            hook = call.layer.register_forward_hook(lambda _m, _a, output, index=index: keep(index, output))
            stack.callback(hook.remove)
        logits = group.model(input_ids=group.ids, use_cache=False).logits
    return streams, logits


ENGINES = {"wavefront": wavefront, "hooks": hooks}
