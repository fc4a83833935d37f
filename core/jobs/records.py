"""What the folder of one run says of it: request.json, progress.json, log.txt, and a file named cancel.

What is written down is `queued`, `running`, `done`, `failed` or `cancelled`. That a run was `interrupted` is seen from
its lock, which the system frees when its process dies.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.ask.jobs import JOBS, Request
from core.jobs import processes
from core.store.files import write_file

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
ACTIVE = ("queued", "running")
REQUESTS = {row.request.identity: row.request for row in JOBS}


class Status(BaseModel):
    """What progress.json says. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True)

    state: State = "queued"
    line: str = "waiting"
    done: int = 0
    total: int = 0  # 0 while it is not known
    rate: float | None = None  # million FLOP per second
    seconds_left: float | None = None
    layer: int | None = None
    parts: int = 0
    memory: int | None = None  # bytes resident in the running process
    pid: int | None = None
    born: float | None = None  # start time of that process
    started: float | None = None
    updated: float = 0.0
    result: str | None = None  # key of what was computed
    error: str | None = None  # one sentence
    bad_request: bool = False  # the error was the request's fault, not the program's

    @property
    def fraction(self) -> float:
        """Share of the work that is finished, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def speed(self) -> str:
        """`12 GFLOP/s`, for tiny models `0.3 GFLOP/s`; empty until there is a speed to tell."""
        gflop = (self.rate or 0) / 1e3
        return f"{gflop:.{0 if gflop > 1 else 1}f} GFLOP/s" if gflop >= 0.05 else ""


@dataclass(frozen=True)
class Job:
    """A run as it stood when it was read."""

    root: Path  # the cache folder
    request: Request
    device: str
    engine: str
    submitted: float  # seconds since 1970
    status: Status
    key: str = ""  # of its request

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", self.request.key)

    @property
    def state(self) -> State:
        return self.status.state

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def folder(self) -> Path:
        return self.root / "jobs" / self.key

    @property
    def lock(self) -> Path:
        """Held by the process that runs it. Beside the folder, so that the folder can be deleted while it is held."""
        return self.root / "locks" / f"job-{self.key}.lock"

    @property
    def cancelling(self) -> bool:
        """Whether somebody asked to cancel it."""
        return (self.folder / "cancel").exists()

    @property
    def log(self) -> str:
        """What the run noted, tracebacks included."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def write(self, status: Status) -> None:
        """Replace progress.json; only the holder of the job's lock may."""
        before = recorded(self.folder).state
        write_file(self.folder / "progress.json", status.model_dump_json(indent=1).encode())
        if status.state != before:
            ring(self.root)

    def note(self, text: str) -> None:
        """Add lines to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")


def read(root: Path, key: str) -> Job | None:
    """The job of a key in a cache folder, or None if there is none that this version can read."""
    folder = os.path.join(root, "jobs", key)  # of thousands of runs, and a Path takes longer to make than to read
    try:
        job = _asked(*_state(folder, "request.json"))
    except (OSError, ValueError, KeyError):
        return None
    if job.key != key:
        return None
    job = replace(job, status=recorded(folder))
    seen = _observed(job)
    return job if seen is job.status else replace(job, status=seen)


def ask(job: Job) -> None:
    """Write request.json, which makes a folder a job."""
    asked = {
        "is": job.request.identity,
        "request": job.request.model_dump(mode="json"),
        "device": job.device,
        "engine": job.engine,
        "submitted": job.submitted,
    }
    write_file(job.folder / "request.json", (json.dumps(asked, indent=1) + "\n").encode())
    ring(job.root)


def ring(root: Path) -> None:
    """Tell whoever has listed the jobs of a cache that one of them has changed."""
    os.utime(root / "jobs")


def recorded(folder: str | Path) -> Status:
    """What progress.json says, whether or not it is still true."""
    try:
        return _told(*_state(folder, "progress.json"))
    except (OSError, ValidationError):
        return Status()


# Each state of a file is read once: a list of a thousand runs is drawn anew every two seconds.
# Whoever replaces a file makes the new one while the old one is there, so their inodes differ.


def _state(folder: str | Path, name: str) -> tuple[str, int, int, int]:
    path = os.path.join(folder, name)
    status = os.stat(path)
    return path, status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=10_000)
def _asked(path: str, *_: int) -> Job:
    asked = json.loads(_content(path))
    request = REQUESTS[asked["is"]].model_validate(asked["request"])
    return Job(Path(path).parents[2], request, asked["device"], asked["engine"], asked["submitted"], Status())


@lru_cache(maxsize=10_000)
def _told(path: str, *_: int) -> Status:
    return Status.model_validate_json(_content(path))


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _observed(job: Job) -> Status:
    """The recorded status, corrected by what can be seen: a cancelled queue entry, a process that is gone."""
    status = job.status
    if status.state == "queued" and job.cancelling:
        return status.model_copy(update={"state": "cancelled"})
    if status.state != "running" or processes.held(job.lock):
        return status
    status = recorded(job.folder)  # it may have ended between the two looks
    if status.state != "running":
        return status
    return status.model_copy(update={"state": "cancelled" if job.cancelling else "interrupted"})
