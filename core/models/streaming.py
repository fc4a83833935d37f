"""Layers whose weights lie elsewhere than where they run: in files, in the machine's memory, or on another device.

The layer is the unit. Its forward brings its weights to where it runs and drops them afterwards; who calls a layer need
not know which kind it is. Who looks at a layer's weights, or calls it several times, does so inside `at_hand`, which
brings them once. A layer that lies where it runs is not touched by any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.models.replay import each_tensor


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
