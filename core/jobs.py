"""The queue: one folder per run under cache/jobs, read and steered by anybody, executed by one process at a time.

A job is named by its request, so the same request submitted twice is one job. What is written down is `queued`,
`running`, `done`, `failed` or `cancelled`; that a run was `interrupted` is seen from its lock, which dies with its process.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core import processes
from core.errors import UserError
from core.specs import MeasureRequest
from core.store import Store, write_file

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
ACTIVE = ("queued", "running")
GRACE = 10.0  # seconds a run may take to obey a cancellation
IDLE = 600.0  # seconds a worker waits for more work
PROJECT = Path(__file__).resolve().parent.parent


class Status(BaseModel):
    """What progress.json says. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True)

    state: State = "queued"
    line: str = "waiting"
    done: int = 0
    total: int = 0  # 0 while it is not known
    rate: float | None = None  # units per second
    seconds_left: float | None = None
    layer: int | None = None
    parts: int = 0
    memory: int | None = None  # bytes resident in the running process
    pid: int | None = None
    born: float | None = None  # start time of that process
    started: float | None = None
    updated: float = 0.0
    profile: str | None = None  # key of the result
    error: str | None = None  # one sentence
    bad_request: bool = False  # the error was the request's fault, not the program's

    @property
    def fraction(self) -> float:
        """Share of the work that is finished, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


@dataclass(frozen=True)
class Job:
    """A run as it stood when it was read."""

    root: Path  # the cache folder
    request: MeasureRequest
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
        write_file(self.folder / "progress.json", status.model_dump_json(indent=1).encode())

    def note(self, text: str) -> None:
        """Add lines to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")


def device_lock(store: Store, device: str) -> Path:
    """Held while a job runs on a device."""
    return store.root / "locks" / f"device-{_plain(device)}.lock"


def worker_lock(store: Store, device: str) -> Path:
    """Held by the worker process of a device as long as it lives."""
    return store.root / "locks" / f"worker-{_plain(device)}.lock"


def _plain(device: str) -> str:
    return re.sub(r"\W+", "-", device)


# --- reading -------------------------------------------------------------------------------------------------------


def job(store: Store, key: str) -> Job:
    """A job by its key.

    Raises:
        UserError: there is none, or another version of this program wrote it.
    """
    found = _read(store, key) if re.fullmatch(r"[0-9a-f]{16}", key) else None
    if found is None:
        raise UserError(f"there is no run {key!r} in {store.root}: it may have been deleted")
    return found


def jobs(store: Store) -> list[Job]:
    """Every job, the last submitted first; folders that cannot be read are passed over."""
    found = [_read(store, path.parent.name) for path in store.root.glob("jobs/*/request.json")]
    return sorted((each for each in found if each), key=lambda each: (-each.submitted, each.key))


def active(store: Store, device: str | None = None) -> list[Job]:
    """Jobs that run or wait, on one device or on all, in the order in which they are served."""
    found = [each for each in jobs(store) if each.active and device in (None, each.device)]
    return sorted(found, key=lambda each: (each.state != "running", each.submitted, each.key))


def queue_position(store: Store, job: Job) -> int:
    """How many jobs are served before this one on its device, the running one included; 0 when it runs or is next."""
    ahead = [each.key for each in active(store, job.device)]
    return ahead.index(job.key) if job.key in ahead else 0


def _read(store: Store, key: str) -> Job | None:
    folder = store.root / "jobs" / key
    try:
        asked = json.loads((folder / "request.json").read_bytes())
        request = MeasureRequest.model_validate(asked["request"])
        read = Job(store.root, request, asked["device"], asked["engine"], asked["submitted"], _status(folder))
    except (OSError, ValueError, KeyError):
        return None
    return Job(**{**vars(read), "status": _observed(read)}) if request.key == key else None


def _status(folder: Path) -> Status:
    try:
        return Status.model_validate_json((folder / "progress.json").read_bytes())
    except (OSError, ValidationError):
        return Status()


def _observed(job: Job) -> Status:
    """The recorded status, corrected by what can be seen: a cancelled queue entry, a process that is gone."""
    status = job.status
    if status.state == "queued" and job.cancelling:
        return status.model_copy(update={"state": "cancelled"})
    if status.state != "running" or processes.held(job.lock):
        return status
    status = _status(job.folder)  # it may have ended between the two looks
    if status.state != "running":
        return status
    return status.model_copy(update={"state": "cancelled" if job.cancelling else "interrupted"})


# --- steering ------------------------------------------------------------------------------------------------------


def submit(store: Store, request: MeasureRequest, device: str = "cpu", engine: str = "wavefront") -> Job:
    """Queue a request. If it is queued or running already, that job is returned; if it ended, it goes on from its parts."""
    new = Job(store.root, request, device, engine, time.time(), Status())
    found = _read(store, new.key)
    lock = None if found and found.active else processes.take(new.lock)
    if lock is None:  # queued or running
        return job(store, new.key)
    with lock:
        found = _read(store, new.key)
        if found and found.state == "queued":  # somebody else was faster
            return found
        (new.folder / "cancel").unlink(missing_ok=True)
        new.write(new.status)
        asked = {"request": request.model_dump(mode="json"), "device": device, "engine": engine, "submitted": new.submitted}
        write_file(new.folder / "request.json", (json.dumps(asked, indent=1) + "\n").encode())
    return new


def resume(store: Store, job: Job) -> Job:
    """Queue a job that ended, as it was asked."""
    return submit(store, job.request, job.device, job.engine)


def cancel(job: Job) -> None:
    """Ask a job to stop: at once if it waits, at its next report if it runs."""
    if job.active:
        (job.folder / "cancel").touch()


def enforce(job: Job, grace: float = GRACE) -> bool:
    """End the process of a job that was asked to stop and has not within `grace` seconds. Whether it was ended."""
    if job.state != "running" or not job.cancelling or not job.status.pid:
        return False
    if time.time() - (job.folder / "cancel").stat().st_mtime < grace:
        return False
    return processes.end(job.status.pid, job.status.born or 0.0)


def delete(job: Job) -> None:
    """Forget a job that ended; its results and finished parts stay.

    Raises:
        UserError: it waits or runs.
    """
    lock = None if job.active else processes.take(job.lock)
    if lock is None:
        raise UserError("this run is still active: cancel it before deleting it")
    with lock:
        shutil.rmtree(job.folder, ignore_errors=True)


# --- the worker of a device ----------------------------------------------------------------------------------------


def worker_alive(store: Store, device: str) -> bool:
    """Whether a worker serves the device, or one that was started is on its way."""
    if processes.held(worker_lock(store, device)):
        return True
    try:
        started = json.loads(worker_lock(store, device).with_suffix(".json").read_bytes())
        return processes.find(started["pid"], started["born"]) is not None
    except (OSError, ValueError, KeyError):
        return False


def ensure_worker(store: Store, device: str, idle: float = IDLE) -> None:
    """Start a worker process for a device unless one is there."""
    if worker_alive(store, device):
        return
    where = worker_lock(store, device)
    command = [sys.executable, "-m", "core", "work", "--cache", str(store.root.resolve())]
    command += ["--device", device, "--idle", str(idle)]
    started = processes.detach(command, PROJECT, where.with_suffix(".log"))
    write_file(where.with_suffix(".json"), json.dumps(started).encode())
