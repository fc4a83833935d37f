"""The plain engine: one full forward per injection layer. The reference, and the fallback."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from torch import Tensor, nn

from core.measure.group import Group, Step
from core.measure.perturb import perturbed
from core.measure.reading import Reader
from core.models.replay import hidden, with_hidden
from core.specs.measurements import Measurement
from core.store.results import Perturbed


def hooks(group: Group, measurement: Measurement, step: Step) -> Perturbed:
    """One measurement at every injection layer of a group, by the model's own forward under hooks."""
    reader = Reader(len(group.calls), len(group.sequences), group.device)
    for injection in range(len(group.calls)):
        streams, logits = _forward(group, measurement, injection)
        for layer in range(injection, len(group.calls)):
            reader.read(injection, layer, streams[layer].to(group.device), group.calls[layer].exit)
        reader.harm(injection, logits[:, group.read_at].to(group.device), group.dense)
        step(injection)
    return reader.result()


def _forward(group: Group, measurement: Measurement, injection: int) -> tuple[dict[int, Tensor], Tensor]:
    streams: dict[int, Tensor] = {}

    def inject(layer: nn.Module, args: tuple, kwargs: dict, output: Tensor | tuple) -> Tensor | tuple:
        handle.remove()  # the layer may be run again in here, pruned
        recorded = group.calls[injection]
        entry = kwargs[recorded.entry_name] if recorded.entry_name else args[0]
        call = replace(recorded, entry=entry, exit=hidden(output), args=args[1:], kwargs=kwargs)
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
