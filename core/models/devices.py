"""Where things run, and how much fits there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from accelerate import infer_auto_device_map
from torch import nn
from transformers import PreTrainedModel

from core.base.errors import UserError
from core.models import machine
from core.models.machine import HEADROOM
from core.models.streaming import Home, home_of, move, settle, unload


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
