"""Hidden names of what is on its way in or out of a place.

They tell which process is at work on it, so that what a killed one left behind is known from what is in use.
"""

from __future__ import annotations

import glob
import hashlib
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]  # machines may share a cache
NAME = re.compile(r"\..+-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[^-]*", re.DOTALL)
DAY = 86400.0  # seconds after which what another machine left is taken for abandoned


def beginning(name: str) -> str:
    """How a hidden name for something begins; what follows makes it unique and has no hyphen."""
    return f".{name}-{HOST}-{os.getpid()}-"


def aside(path: Path, why: str = "") -> Path:
    """A hidden name beside a path, for what lies there and is to go."""
    return path.with_name(f"{beginning(path.name)}{why}{time.time_ns()}")


def left(folder: Path, name: str | None = None) -> Iterator[Path]:
    """What processes that are gone left in a folder, of one name or of all."""
    pattern = ".*" if name is None else f".{glob.escape(name)}-*"
    return (path for path in sorted(folder.glob(pattern)) if _abandoned(path))


def _abandoned(path: Path) -> bool:
    found = NAME.fullmatch(path.name)
    if found is None:
        return False
    if found["host"] == HOST and not _alive(int(found["pid"])):
        return True
    try:
        return time.time() - path.lstat().st_mtime > DAY
    except FileNotFoundError:  # swept by somebody else
        return False


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's, on a system that keeps those to itself
        return True
