"""Where things run, and how much fits there."""

from __future__ import annotations

import psutil
import torch

from core.models.loading import Loaded
from core.specs.errors import UserError

HEADROOM = 0.8  # share of the free memory that may be planned with


def device(name: str) -> torch.device:
    """A torch device by name; `auto` is the best there is.

    Raises:
        UserError: this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        found = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"there is no device {name!r}: give cpu, cuda, cuda:1, mps or auto") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(found.type, False) or (found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"this machine has no {name}: use cpu" if found.type != "cpu" else f"{name} cannot be used")
    return torch.device("cuda", found.index or 0) if found.type == "cuda" else found


def free_memory(where: torch.device) -> int:
    """Bytes free on a device now, measured."""
    if where.type == "cuda":
        return torch.cuda.mem_get_info(where)[0]
    if where.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return psutil.virtual_memory().available


def place(loaded: Loaded, where: torch.device) -> None:
    """Move the model to a device if it fits there; else it stays, and its layers are streamed there one by one."""
    size = sum(parameter.numel() * parameter.element_size() for parameter in loaded.model.parameters())
    if loaded.model.device != where and size < HEADROOM * free_memory(where):
        loaded.model.to(where)


def describe(where: torch.device) -> str:
    """What a device is called in provenance."""
    return torch.cuda.get_device_name(where) if where.type == "cuda" else where.type


def release(where: torch.device) -> None:
    """Give cached memory back, after a run out of memory."""
    if where.type == "cuda":
        torch.cuda.empty_cache()
    elif where.type == "mps":
        torch.mps.empty_cache()
