"""Which devices this machine seems to have, told without importing torch."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys


def devices() -> tuple[str, ...]:
    """Devices to offer, the best first; `cpu` is always the last."""
    if sys.platform == "darwin":
        return ("mps", "cpu") if platform.machine() == "arm64" else ("cpu",)
    has_cuda = shutil.which("nvidia-smi") is not None and not importlib.metadata.version("torch").endswith("+cpu")
    return ("cuda", "cpu") if has_cuda else ("cpu",)


def chosen(device: str) -> str:
    """`auto` made definite; anything else as it is."""
    return devices()[0] if device == "auto" else device
