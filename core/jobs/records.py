"""The folder of one run: request.json, progress.json, log.txt, and a file named cancel; and words for its progress.

Recorded states are `queued`, `running`, `done`, `failed` and `cancelled`. A run is `interrupted` where nobody holds its
lock, which the system frees when a process dies.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, TypeAdapter

from core.base import Fields, capital, duration, for_reader, per_cent
from core.jobs import processes
from core.models import Progress
from core.requests import JOBS, Request
from core.store import content, once_per_state, pretty, write_file

LOG = 2**20  # bytes of a log that are read, from its end
REQUESTS = {row.request.__name__: row.request for row in JOBS}
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Status(Progress):
    """The content of progress.json. Times are seconds since 1970."""

    line: str = "waiting"
    state: State = "queued"
    rate: float | None = None  # work per second
    seconds_left: float | None = None
    memory: int | None = None  # bytes resident in the running process
    pid: int | None = None
    born: float | None = None  # start time of that process
    started: float | None = None
    updated: float = 0.0
    result: str | None = None  # key of what was computed
    error: str | None = None  # one sentence
    bad_request: bool = False  # the error was the request's fault, not the program's
    least: float = 0.0  # share reported before: where more work turns up, the share stays

    @property
    def fraction(self) -> float:
        """Share of the work that is finished, 0 to 1."""
        return max(self.least, min(self.done / self.total, 1.0) if self.total else 0.0)

    @property
    def percent(self) -> str:
        """`41 %`."""
        return per_cent(round(self.fraction, 2))

    @property
    def headline(self) -> str:
        """`41 %, about 3 min left`; the current line while the amount of work is not known."""
        if self.state == "queued":
            return f"Queued, {self.line}"
        if not self.total:
            return capital(self.line)
        left = "time left not known yet" if self.seconds_left is None else f"about {duration(self.seconds_left)} left"
        return f"{self.percent}, {left}"

    @property
    def details(self) -> str:
        """`layer 3 · 1.2 GiB of memory`, without what the headline says."""
        memory = f"{self.memory / 2**30:.1f} GiB of memory" if self.memory else ""
        return " · ".join(filter(None, [self.line if self.total else "", memory]))

    @property
    def words(self) -> str:
        """The headline and the details in one line."""
        return " · ".join(filter(None, [self.headline, self.details]))


JSON = TypeAdapter(Status)
Watch = Callable[[Status], None]  # called with the status of a run as it goes on


@dataclass(frozen=True)
class Job:
    """A run in the state it had when it was read."""

    root: Path  # the cache folder
    request: Request
    device: str
    engine: str
    submitted: float  # seconds since 1970
    status: Status

    @property
    def key(self) -> str:
        return self.request.key

    @property
    def state(self) -> State:
        return self.status.state

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def folder(self) -> Path:
        return self.root / "jobs" / self.key

    @property
    def lock(self) -> Path:
        """Lock file of the process that runs it; beside the folder, which can then be deleted while it is held."""
        return self.root / "locks" / f"job-{self.key}.lock"

    @property
    def cancelling(self) -> bool:
        """True if its cancellation was requested."""
        return (self.folder / "cancel").exists()

    @property
    def log(self) -> str:
        """The end of the log, tracebacks included: a mebibyte at most, for a page draws it."""
        path = self.folder / "log.txt"
        if not path.is_file():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG))
            return for_reader(log.read().decode(errors="replace"))

    def write(self, status: Status) -> None:
        """Replace progress.json; only the holder of the job's lock may."""
        write_file(self.folder / "progress.json", JSON.dump_json(status, indent=1), durable=False)

    def note(self, text: str) -> None:
        """Add lines to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")


class StoredRequest(BaseModel, allow_inf_nan=False):
    """The content of request.json."""

    form: str = Field(alias="is")  # of the request, one of `REQUESTS`
    request: Fields
    device: str
    engine: str
    submitted: float


def read(root: Path, key: str) -> Job | None:
    """The job of a key in a cache folder; None if there is none that this version can read."""
    folder = os.path.join(root, "jobs", key)
    try:
        job = replace(_job_of_request(os.path.join(folder, "request.json")), root=root)
    except (OSError, ValueError, KeyError):
        return None
    return replace(job, status=_observed_status(replace(job, status=recorded(folder)))) if job.key == key else None


def write_request(job: Job) -> None:
    """Write request.json, which makes a folder a job."""
    content = {"is": type(job.request).__name__, "request": job.request.model_dump(mode="json")}
    content |= {name: getattr(job, name) for name in ("device", "engine", "submitted")}
    write_file(job.folder / "request.json", pretty(content))


def recorded(folder: str | Path) -> Status:
    """The content of progress.json, which may be out of date."""
    try:
        return _status(os.path.join(folder, "progress.json"))
    except (OSError, ValueError):
        return Status()


@once_per_state  # a thousand runs are drawn anew every two seconds
def _status(path: str) -> Status:
    return JSON.validate_json(content(Path(path)))


@once_per_state
def _job_of_request(path: str) -> Job:
    stored = StoredRequest.model_validate_json(content(Path(path)))
    request = REQUESTS[stored.form].model_validate(stored.request)
    return Job(Path(), request, stored.device, stored.engine, stored.submitted, Status())


def _observed_status(job: Job) -> Status:
    """The recorded status, corrected where a queued job was cancelled or its process is gone."""
    status = job.status
    if status.state == "queued" and job.cancelling:
        return replace(status, state="cancelled")
    if status.state != "running" or processes.is_locked(job.lock):
        return status
    status = recorded(job.folder)  # it may have ended between the two looks
    if status.state != "running":
        return status
    return replace(status, state="cancelled" if job.cancelling else "interrupted")
