"""Where a model's layers lie and run: on a device, on several, in the machine's memory, or in files.

The layer is the unit. Its forward brings its weights to where it runs and drops them afterwards; who calls a layer need
not know which kind it is. Who looks at a layer's weights, or calls it several times, does so inside `at_hand`, which
brings them once. A layer that lies where it runs is not touched by any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path

import torch
from accelerate import infer_auto_device_map
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from core.base.errors import UserError
from core.models import machine
from core.models.machine import HEADROOM
from core.models.replay import Call, each_tensor


@dataclass(frozen=True)
class Place:
    """A tensor in a safetensors file."""

    path: Path
    name: str


Stored = Mapping[str, Tensor | Place]  # parameter, by its name inside the layer -> where it lies


@dataclass(eq=False)
class Home:
    """Where a layer runs, and where its weights lie meanwhile."""

    device: torch.device
    stored: Stored | None = None  # None: on that device
    dtype: torch.dtype | None = None
    scratch: Path | None = None  # a file for what `keep` is given; None: it stays in memory
    changed: Stored | None = field(default=None, init=False)  # in place of what is stored
    open: bool = field(default=False, init=False)

    def fetch(self) -> dict[str, Tensor]:
        """Copies of the weights, where the layer runs."""
        found: dict[str, Tensor] = {}
        there = self.changed or self.stored or {}
        for path in dict.fromkeys(each.path for each in there.values() if isinstance(each, Place)):
            with safe_open(path, framework="pt") as file:  # maps all of it, so that it is opened once
                for name, place in there.items():
                    if isinstance(place, Place) and place.path == path:
                        found[name] = self._here(file.get_tensor(place.name))
        return found | {name: self._here(each) for name, each in there.items() if isinstance(each, Tensor)}

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.dtype, copy=True)

    def keep(self, weights: dict[str, Tensor]) -> None:
        """Let these be the layer's weights from now on, until `forget`."""
        if self.scratch is None:
            self.changed = {name: each.to("cpu", copy=True) for name, each in weights.items()}
            return
        save_file({name: each.contiguous() for name, each in weights.items()}, self.scratch)
        self.changed = {name: Place(self.scratch, name) for name in weights}

    def forget(self) -> None:
        """Go back to the weights that were there first."""
        self.changed = None
        if self.scratch:
            self.scratch.unlink(missing_ok=True)


def settle(layer: nn.Module, home: Home) -> None:
    """Give a layer a home. What is stored elsewhere is no longer in the layer."""
    if home.stored is not None:
        for name, parameter in list(layer.named_parameters()):
            held, leaf = slot(layer, name)
            held[leaf] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    if home_of(layer) is None:
        layer.forward = partial(_forward, layer, layer.forward)
    layer.home = home


def unload(layer: nn.Module, device: torch.device) -> None:
    """Let a layer's home be a device on which it lies; `move` takes it there."""
    home = home_of(layer)
    if home is not None and home.stored is not None:
        for name, weight in replace(home, device=device).fetch().items():
            held, leaf = slot(layer, name)
            held[leaf] = nn.Parameter(weight, requires_grad=False)
    settle(layer, Home(device))


def move(model: nn.Module, layers: Sequence[nn.Module], device: torch.device) -> None:
    """Move every layer's tensors to its home, and what lies outside the layers to a device."""
    inside = {id(module) for layer in layers for module in layer.modules()}
    there: dict[int, tuple[Tensor, Tensor]] = {}
    for module in model.modules():
        if id(module) not in inside:
            _carry(module, device, there)
    for layer in layers:
        for module in layer.modules():
            _carry(module, layer.home.device, there)


def _carry(module: nn.Module, device: torch.device, there: dict[int, tuple[Tensor, Tensor]]) -> None:
    """Move a module's own tensors to a device where they are; what modules share stays shared.

    Args:
        there: what was moved so far, by the identity of what it was, which therefore has to stay alive.
    """
    for held in (module._parameters, module._buffers):
        for name, tensor in held.items():
            if tensor is None or tensor.is_meta:
                continue
            if id(tensor) not in there:
                new = tensor.detach().to(device)
                new = nn.Parameter(new, requires_grad=False) if isinstance(tensor, nn.Parameter) else new
                there[id(tensor)] = tensor, new
            held[name] = there[id(tensor)][1]


def _forward(layer: nn.Module, own: Callable, *args: object, **kwargs: object) -> object:
    """Run a layer where its home is, and bring back what it gives."""
    here = layer.home.device
    came: list[torch.device] = []
    each_tensor((args, kwargs), lambda tensor: came.append(tensor.device) or tensor)
    if came[0] == here:
        with at_hand(layer):
            return own(*args, **kwargs)
    args, kwargs = (each_tensor(given, lambda tensor: tensor.to(here)) for given in (args, kwargs))
    with at_hand(layer):
        return each_tensor(own(*args, **kwargs), lambda tensor: tensor.to(came[0]))


def home_of(layer: nn.Module) -> Home | None:
    """A layer's home, or None where it is the layer itself."""
    return vars(layer).get("home")


def streamed(layers: Iterable[nn.Module]) -> bool:
    """Whether weights of some layers are brought when they are needed."""
    return any(home is not None and home.stored is not None for home in map(home_of, layers))


@contextmanager
def at_hand(layer: nn.Module, keep: bool = False) -> Iterator[None]:
    """A layer's weights where it runs, for a while. Inside another such block, and for other layers, nothing is done.

    Args:
        keep: the weights that the layer has at the end are its own from now on. Else changes are lost with the block.
    """
    home = home_of(layer)
    if home is None or home.stored is None or home.open:
        yield
        return
    away = []
    for name, weight in home.fetch().items():
        held, leaf = slot(layer, name)
        if held[leaf].is_meta:  # else somebody runs the layer with a weight of their own
            away.append((held, leaf, held[leaf]))
            held[leaf] = nn.Parameter(weight, requires_grad=False)
    home.open = True
    try:
        yield
        if keep:
            home.keep(dict(layer.named_parameters()))
    finally:
        home.open = False
        for held, leaf, empty in away:
            held[leaf] = empty


def walk(
    layers: Iterable[nn.Module],
    runs: Iterable[Sequence[Call]],
    streams: list[Tensor],
    leave: Callable[[int], None],
    enter: Callable[[int], None] = lambda _: None,
    keep: bool = False,
) -> None:
    """Run streams through layers, one layer after another, in place; the weights of each layer are brought once.

    Args:
        runs: the calls of every layer: one for all streams, or one for each.
        streams: (sequences, tokens, width) each; `leave` may add to them, and ends with what the last layer gives.
        leave: called with a layer's index once the streams have passed it, while its weights are at hand.
        enter: the same before they do.
        keep: as for `at_hand`.
    """
    for index, (layer, calls) in enumerate(zip(layers, runs, strict=True)):
        with at_hand(layer, keep):
            enter(index)
            for place, (stream, call) in enumerate(zip(streams, cycle(calls), strict=False)):
                streams[place] = call(stream)  # one by one: two whole sets would not fit
            leave(index)


def forget(layers: Iterable[nn.Module]) -> None:
    """Undo whatever was kept of streamed layers' changes."""
    for layer in layers:
        home = home_of(layer)
        if home:
            home.forget()


def stored(model: nn.Module) -> dict[str, Tensor]:
    """What a checkpoint of the model holds, by name, without values where they are not at hand; tied weights once."""
    saved = model.state_dict().keys()
    return {name: each for name, each in (*model.named_parameters(), *model.named_buffers()) if name in saved}


def pieces(model: nn.Module, layers: Sequence[nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Everything that a checkpoint of the model holds, by name; tied weights once, under their first name.

    First comes what lies outside the layers, then a layer at a time. A piece is at hand until the next is asked for.
    """
    known = {id(layer) for layer in layers}
    inside = {name: module for name, module in model.named_modules() if id(module) in known}
    names: dict[str, list[str]] = {where: [] for where in ("", *inside)}
    for name in stored(model):
        names[next((each for each in inside if name.startswith(f"{each}.")), "")].append(name)
    for where, own in names.items():
        with at_hand(inside.get(where, model)):
            yield {name: held[leaf] for name in own for held, leaf in [slot(model, name)]}


def slot(module: nn.Module, name: str) -> tuple[dict[str, Tensor], str]:
    """The dictionary that holds a parameter or buffer of a module, and its key there."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    return (owner._parameters if leaf in owner._parameters else owner._buffers), leaf


def device(name: str) -> torch.device:
    """A torch device by name; `auto` is the best there is.

    Raises:
        UserError: this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    found = torch.device(machine.asked(name))
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(found.type, False) or (found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"this machine has no {name}: use cpu" if found.type != "cpu" else f"{name} cannot be used")
    return torch.device("cuda", found.index or 0) if found.type == "cuda" else found


def free_memory(where: torch.device) -> int:
    """Bytes free on a device now, measured; on the CPU no more than this process may still take."""
    if where.type == "cuda":
        return torch.cuda.mem_get_info(where)[0]
    if where.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return machine.free_memory()


def place(model: PreTrainedModel, layers: Sequence[nn.Module], where: torch.device) -> None:
    """Move a model to a device if it fits there.

    Else layers that the other GPUs hold run on those, and what then remains is streamed to the device as it runs.
    """
    if model.device == where:
        return
    held = not any(map(home_of, layers)) and sum(each.nbytes for each in model.parameters())
    if held and held < HEADROOM * free_memory(where):
        model.to(where)
    else:
        spread(model, layers, homes(model, layers, _gpus(where)), where)


def _gpus(first: torch.device) -> dict[torch.device, int]:
    """Free bytes of each GPU that may hold layers, this one first."""
    others = range(torch.cuda.device_count()) if first.type == "cuda" else ()
    every = [first, *(torch.device("cuda", index) for index in others if index != first.index)]
    return {each: int(HEADROOM * free_memory(each)) for each in every}


def homes(
    model: PreTrainedModel, layers: Sequence[nn.Module], room: dict[torch.device, int]
) -> list[torch.device | None]:
    """The device that is to hold each layer, by accelerate's device map; None: none has room.

    Args:
        room: device -> bytes that may be filled there; the first holds what lies outside the layers, too.
    """
    numbered = dict(enumerate(room))
    names = {id(layer): name for name, layer in model.named_modules()}
    found = infer_auto_device_map(
        model,
        max_memory={number: room[each] for number, each in numbered.items()} | {"cpu": 2**60},
        no_split_module_classes=sorted({type(layer).__name__ for layer in layers}),
    )

    def of(name: str) -> torch.device | None:
        whole = next(each for each in (name, *_above(name)) if each in found)
        return numbered.get(found[whole])

    return [of(names[id(layer)]) for layer in layers]


def _above(name: str) -> list[str]:
    """`a.b.c` -> `a.b`, `a`, and the model itself."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, -1, -1)]


def spread(
    model: PreTrainedModel, layers: Sequence[nn.Module], where: Sequence[torch.device | None], main: torch.device
) -> None:
    """Put each layer on its device, and all else on the main one; a layer without a device is streamed there."""
    for layer, there in zip(layers, where, strict=True):
        home = home_of(layer) or Home(main)
        if there is None:
            stored = home.stored or {name: each.data for name, each in layer.named_parameters()}
            settle(layer, replace(home, device=main, stored=stored))
        else:
            unload(layer, there)
    move(model, layers, main)


def describe(where: torch.device) -> str:
    """What a device is called in provenance."""
    return torch.cuda.get_device_name(where) if where.type == "cuda" else where.type


def release(where: torch.device) -> None:
    """Give cached memory back, after a run out of memory."""
    if where.type == "cuda":
        torch.cuda.empty_cache()
    elif where.type == "mps":
        torch.mps.empty_cache()
