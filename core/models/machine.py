"""Devices and free memory of this machine, found without importing torch."""

import importlib.metadata
import platform
import re
import shutil
import sys
from pathlib import Path

import psutil

from core.base import UserError, brief

try:
    import resource
except ImportError:  # Windows sets a process no such limits
    resource = None

DEVICE_NAME = re.compile(r"cpu|mps|cuda(:\d{1,3})?")  # of devices
CPU = Path("/proc/cpuinfo")
HEADROOM = 0.8  # share of the free memory that may be planned with


def devices() -> tuple[str, ...]:
    """Devices to offer, the best first; `cpu` is always the last."""
    if sys.platform == "darwin":
        return ("mps", "cpu") if platform.machine() == "arm64" else ("cpu",)
    has_cuda = shutil.which("nvidia-smi") is not None and not importlib.metadata.version("torch").endswith("+cpu")
    return ("cuda", "cpu") if has_cuda else ("cpu",)


def emulates_bfloat16() -> bool:
    """True if bfloat16 is far slower than float32: no GPU, and a processor whose flags name neither it nor AVX-512."""
    return devices() == ("cpu",) and CPU.exists() and not re.search("bf16|avx512bw|avx_ne_convert", CPU.read_text())


def device_named(device: str) -> str:
    """Check a typed device and make `auto` definite.

    Raises:
        UserError: no device is called so, on any machine.
    """
    if device != "auto" and not DEVICE_NAME.fullmatch(device):
        raise UserError(f"there is no device {brief(device)}: give cpu, cuda, cuda:1, mps or auto")
    return devices()[0] if device == "auto" else device


def free_memory() -> int:
    """Free bytes of memory, within the limits of this process and of its container."""
    return min([psutil.virtual_memory().available, *_process_limits(), *container_limits()])


def _process_limits() -> list[int]:
    """Bytes that each limit of this process leaves it."""
    if resource is None:
        return []
    used = psutil.Process().memory_info()
    limits = {"RLIMIT_AS": used.vms, "RLIMIT_DATA": getattr(used, "data", 0)}
    maxima = {name: resource.getrlimit(getattr(resource, name))[0] for name in limits if hasattr(resource, name)}
    return [max(0, most - limits[name]) for name, most in maxima.items() if most != resource.RLIM_INFINITY]


def container_limits(root: Path = Path("/")) -> list[int]:
    """Bytes that each memory limit of this process's control groups leaves it; none where there are no such groups.

    A group is bounded by those above it too. A container may see its own group as the root of them all. Groups of
    version 1, which old systems have, are not read.

    Args:
        root: where `proc` and `sys` lie.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    inside = Path() if ".." in path else Path(path.strip("/"))
    left = [_bytes_left(root / "sys/fs/cgroup" / each) for each in (inside, *inside.parents)]
    return [each for each in left if each is not None]


def _bytes_left(folder: Path) -> int | None:
    """Bytes that one group has left, or None where it has no limit."""
    try:
        most, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        memory = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # of no limit it says `max`
        return None
    files = sum(int(memory.get(name, 0)) for name in ("active_file", "inactive_file"))  # copies, which give way
    return max(0, most - used + files)
