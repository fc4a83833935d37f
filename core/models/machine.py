"""Which devices and how much memory this machine seems to have, told without importing torch."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys

import psutil

try:
    import resource
except ImportError:  # Windows sets a process no such limits
    resource = None

HEADROOM = 0.8  # share of the free memory that may be planned with


def devices() -> tuple[str, ...]:
    """Devices to offer, the best first; `cpu` is always the last."""
    if sys.platform == "darwin":
        return ("mps", "cpu") if platform.machine() == "arm64" else ("cpu",)
    has_cuda = shutil.which("nvidia-smi") is not None and not importlib.metadata.version("torch").endswith("+cpu")
    return ("cuda", "cpu") if has_cuda else ("cpu",)


def chosen(device: str) -> str:
    """`auto` made definite; anything else as it is."""
    return devices()[0] if device == "auto" else device


def free_memory() -> int:
    """Bytes of memory that are free now, and that the limits of this process leave it."""
    return min([psutil.virtual_memory().available, *_allowed()])


def _allowed() -> list[int]:
    """Bytes that each limit of this process leaves it."""
    if resource is None:
        return []
    used = psutil.Process().memory_info()
    limits = {"RLIMIT_AS": used.vms, "RLIMIT_DATA": getattr(used, "data", 0)}
    found = {name: resource.getrlimit(getattr(resource, name))[0] for name in limits if hasattr(resource, name)}
    return [max(0, most - limits[name]) for name, most in found.items() if most != resource.RLIM_INFINITY]
