"""Placement of a model's layers: on the device, or in the machine's memory or in files until they run.

The layer is the unit. The forward of an offloaded layer fetches its weights and drops them afterwards, so callers need
not tell the kinds apart. Code that reads the weights, or calls a layer several times, does so inside
`weights_on_device`, which fetches them once. A layer that lies where it runs is left as it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import torch
from accelerate.utils import OffloadedWeightsLoader
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from core.base import UserError
from core.models import machine
from core.models.progress import Step
from core.models.replay import Call, Layers, Tensors


@dataclass(eq=False)
class OffloadedWeights:
    """Storage of a layer's weights while it does not run."""

    stored: Mapping[str, Tensor]  # by their names inside the layer; those in files are read as they are needed
    device: torch.device = torch.device("cpu")  # where it runs
    scratch: Path | None = None  # a file for changed weights; None: they stay in memory
    changed: Mapping[str, Tensor] | None = None  # in place of `stored`
    open: bool = False

    def fetch(self) -> Tensors:
        """Copies of the weights, where the layer runs."""
        there = self.changed or self.stored
        return {name: there[name].to(self.device, copy=True) for name in there}

    def keep(self, weights: Tensors) -> None:
        """Replace the stored weights, until `forget`."""
        if self.scratch is None:
            self.changed = {name: each.to("cpu", copy=True) for name, each in weights.items()}
            return
        save_file({name: each.contiguous() for name, each in weights.items()}, self.scratch)
        self.changed = OffloadedWeightsLoader(index={name: {"safetensors_file": self.scratch} for name in weights})

    def forget(self) -> None:
        """Go back to the first weights."""
        self.changed = None
        if self.scratch:
            self.scratch.unlink(missing_ok=True)


def offload(layer: nn.Module, storage: OffloadedWeights) -> None:
    """Move the weights of a layer out of it, into its storage."""
    for name, parameter in list(layer.named_parameters()):
        tensors, leaf = slot(layer, name)
        tensors[leaf] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    if offloaded(layer) is None:
        layer.forward = partial(_forward, layer, layer.forward)
    layer.storage = storage


def _forward(layer: nn.Module, own: Callable, *args: object, **kwargs: object) -> object:
    with weights_on_device(layer):
        return own(*args, **kwargs)


def offloaded(layer: nn.Module) -> OffloadedWeights | None:
    """The storage of an offloaded layer; None for a layer that holds its weights."""
    return vars(layer).get("storage")


def is_streamed(layers: Layers) -> bool:
    """True if some layers get their weights only when they run."""
    return any(map(offloaded, layers))


@contextmanager
def weights_on_device(layer: nn.Module, keep: bool = False) -> Iterator[None]:
    """Hold the weights of an offloaded layer where it runs. Nested blocks, and other layers, do nothing.

    Args:
        keep: store the weights that the layer has at the end; else changes are lost with the block.
    """
    storage = offloaded(layer)
    if storage is None or storage.open:
        yield
        return
    away = []
    for name, weight in storage.fetch().items():
        tensors, leaf = slot(layer, name)
        if tensors[leaf].is_meta:  # else somebody runs the layer with a weight of their own
            away.append((tensors, leaf, tensors[leaf]))
            tensors[leaf] = nn.Parameter(weight, requires_grad=False)
    storage.open = True
    try:
        yield
        if keep:
            storage.keep(dict(layer.named_parameters()))
    finally:
        storage.open = False
        for tensors, leaf, empty in away:
            tensors[leaf] = empty


def walk(
    layers: Layers,
    runs: Iterable[Sequence[Call]],
    streams: list[Tensor],
    leave: Step,
    enter: Step = lambda _: None,
    keep: bool = False,
) -> None:
    """Run streams through layers, one layer after another, in place; the weights of each layer are brought once.

    Args:
        runs: the calls of every layer: one for all streams, or one for each.
        streams: (sequences, tokens, width) each; `leave` may add to them, and ends with what the last layer gives.
        leave: called with a layer's index once the streams have passed it, while its weights are there.
        enter: the same before they do.
        keep: as for `weights_on_device`.
    """
    for index, (layer, calls) in enumerate(zip(layers, runs, strict=True)):
        with weights_on_device(layer, keep):
            enter(index)
            for place, (stream, call) in enumerate(zip(streams, cycle(calls), strict=False)):
                streams[place] = call(stream)  # one by one: two whole sets would not fit
            leave(index)


def restore(layers: Layers) -> None:
    """Undo stored changes of streamed layers."""
    for storage in filter(None, map(offloaded, layers)):
        storage.forget()


def checkpoint_tensors(model: nn.Module) -> Tensors:
    """Tensors of a checkpoint of the model by name, without values where they are offloaded; tied weights once."""
    saved = model.state_dict().keys()
    return {name: each for name, each in (*model.named_parameters(), *model.named_buffers()) if name in saved}


def slot(module: nn.Module, name: str) -> tuple[Tensors, str]:
    """The dictionary that holds a parameter or buffer of a module, and its key there."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    return (owner._parameters if leaf in owner._parameters else owner._buffers), leaf


def device(name: str) -> torch.device:
    """A torch device by name; `auto` is the best there is.

    Raises:
        UserError: this machine has no such device.
    """
    best = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    chosen = best if name == "auto" else torch.device(machine.device_named(name))
    if chosen.type == "cpu":
        return chosen
    if chosen.type != best.type or (chosen.index or 0) >= torch.accelerator.device_count():
        raise UserError(f"this machine has no {name}: use cpu")
    return torch.device("cuda", chosen.index or 0) if chosen.type == "cuda" else chosen


def free_memory(where: torch.device) -> int:
    """Free bytes of a device, measured; on the CPU within the limits of this process."""
    if where.type == "cuda":
        return torch.cuda.mem_get_info(where)[0]
    if where.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return machine.free_memory()


def place(model: PreTrainedModel, layers: Layers, where: torch.device) -> None:
    """Move a model to a device if it fits there; else its layers are streamed there as they run."""
    if model.device == where:
        return
    size = sum(each.nbytes for each in model.parameters())
    if is_streamed(layers) or size >= machine.HEADROOM * free_memory(where):
        stream(layers, where)
    model._apply(lambda each: each if each.is_meta else each.to(where))


def stream(layers: Layers, where: torch.device) -> None:
    """Run layers on a device, each fetched from where its weights lie now."""
    for layer in layers:
        if offloaded(layer) is None:
            offload(layer, OffloadedWeights({name: each.data for name, each in layer.named_parameters()}))
        offloaded(layer).device = where
