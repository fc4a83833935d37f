"""The queue of jobs: a folder each under cache/jobs, open to every process, executed by one at a time.

A job is named by its request, so the same request submitted twice is one job. No torch here: pages use it.
"""

import logging
import os
import re
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from core.base import PROJECT, UserError, access, readable, several, texts_in
from core.export import target
from core.jobs import processes, records
from core.jobs.records import Job, Status
from core.requests import Request, ShareRequest
from core.store import Store, discard, parts

GRACE = 20.0  # seconds a run may take to obey a cancellation
IDLE = 600.0  # seconds a worker waits for more work
STARTED = {}  # lock -> the worker that this process started last


def lock_of(store: Store, what: Literal["device", "worker"], device: str) -> Path:
    """Lock file held while a job runs on a device, or by the worker of a device as long as it lives."""
    return store.root / "locks" / re.sub(r"[^\w.]+", "-", f"{what}-{device}.lock")


# --- reading -------------------------------------------------------------------------------------------------------


def job(store: Store, key: str) -> Job:
    """A job by its key.

    Raises:
        UserError: there is none, or another version of this program wrote it.
    """
    record = records.read(store.root, key) if re.fullmatch(r"[0-9a-f]{16}", key) else None
    if record is None:
        raise UserError(f"there is no run {key!r} in {store.root}: it may have been deleted")
    return record


def jobs(store: Store) -> list[Job]:
    """Every job, the last submitted first; folders that cannot be read are passed over.

    Shares are left out where their whole is a job.
    """
    names = []
    with suppress(FileNotFoundError):  # no other error: a file may be in the way
        names = os.listdir(store.root / "jobs")
    records_read = [each for name in names if (each := records.read(store.root, name))]
    keys = {each.key for each in records_read}
    alone = (e for e in records_read if not (isinstance(e.request, ShareRequest) and e.request.whole.key in keys))
    return sorted(alone, key=lambda each: (-each.submitted, each.key))


def active(store: Store, device: str | None = None) -> list[Job]:
    """Jobs that run or wait, on one device or on all, in the order in which they are served."""
    unfinished = [each for each in jobs(store) if each.active and device in (None, each.device)]
    return sorted(unfinished, key=lambda each: (each.state != "running", each.submitted, each.key))


def queue_position(store: Store, job: Job) -> int:
    """Number of jobs served before this one on its device, the running one included; 0 when it runs or is next."""
    ahead = [each.key for each in active(store, job.device)]
    return ahead.index(job.key) if job.key in ahead else 0


def displayed_status(store: Store, job: Job) -> Status:
    """The status of a job; the line of a queued one says how many runs are ahead of it."""
    if job.state != "queued":
        return job.status
    ahead = queue_position(store, job)
    waits = f"waiting for {several(ahead, 'run')} on {job.device}" if ahead else "next in the queue"
    return replace(job.status, line=waits)


# --- steering ------------------------------------------------------------------------------------------------------


def submit(store: Store, request: Request, device: str = "cpu", engine: str = "wavefront") -> Job:
    """Queue a request. A queued or running one is returned as it is; one that ended goes on from its parts.

    Raises:
        UserError: nothing may be run here, or a text file is missing.
    """
    access.may_write()
    access.confine(fields := request.model_dump(mode="json"))
    _check_texts(fields)
    new = Job(store.root, request, device, engine, time.time(), Status())
    earlier = records.read(store.root, new.key)
    lock = None if earlier and earlier.active else processes.take(new.lock)
    if lock is None:  # queued or running
        return job(store, new.key)
    with lock:
        earlier = records.read(store.root, new.key)
        if earlier and earlier.state == "queued":  # somebody else was faster
            return earlier
        (new.folder / "cancel").unlink(missing_ok=True)
        new.write(new.status)
        records.write_request(new)
    return new


def _check_texts(fields: object) -> None:
    """Refuse a request, as JSON, whose text cannot be read, before it waits for its turn.

    Raises:
        UserError: names the first such file.
    """
    for each in texts_in(fields):
        if each.startswith("file:"):
            readable(Path(each.removeprefix("file:")), "text table")


def cancel(job: Job) -> None:
    """Ask a job to stop: at once if it waits, at its next report if it runs.

    Raises:
        UserError: nothing may be cancelled here.
    """
    access.may_write()
    if job.active:
        (job.folder / "cancel").touch()


def end_if_stuck(job: Job, grace: float = GRACE) -> bool:
    """End the process of a job that has not stopped `grace` seconds after its cancellation; True if it was ended."""
    if access.is_read_only() or job.state != "running" or not job.cancelling or not job.status.pid:
        return False
    if 0 <= time.time() - (job.folder / "cancel").stat().st_mtime < grace:  # below 0: the clock was set back since
        return False
    return processes.end(job.status.pid, job.status.born or 0.0)


def delete(job: Job) -> None:
    """Delete the folder of a job that ended; its results and finished parts stay.

    Raises:
        UserError: it waits or runs, or nothing may be deleted here.
        OSError: it cannot be deleted.
    """
    access.may_write()
    lock = None if job.active else processes.take(job.lock)
    if lock is None:
        raise UserError("this run is still active: cancel it before deleting it")
    with lock:
        discard(job.folder)


def tidy(store: Store) -> None:
    """Clean up after killed processes in a cache that may be written: unfinished exports first, the largest."""
    if access.is_read_only():
        return
    try:
        target.sweep(store)
        parts.sweep(store)
    except OSError as error:  # it can be read all the same
        logging.getLogger(__name__).warning("Not all that was left over could be cleared away: %s", error)


# --- the worker of a device ----------------------------------------------------------------------------------------


def worker_alive(store: Store, device: str) -> bool:
    """True if a worker serves the device, or one that this process started is on its way."""
    lock = lock_of(store, "worker", device)
    return processes.is_locked(lock) or (lock in STARTED and STARTED[lock].poll() is None)


def ensure_worker(store: Store, device: str) -> None:
    """Start a worker process for a device unless one is there; of two that other processes start, one leaves.

    Raises:
        UserError: nothing may be run here.
    """
    access.may_write()
    if worker_alive(store, device):
        return
    where = ["--cache", str(store.root.resolve()), "--device", device]
    lock = lock_of(store, "worker", device)
    STARTED[lock] = processes.detach([sys.executable, "-m", "core", "work", *where], PROJECT, lock.with_suffix(".log"))
