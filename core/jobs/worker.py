"""The process that runs jobs. Workers and the command line execute jobs by `run` alone."""

import time
import traceback
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from core.base import UserError, access, disk_full, shortage
from core.export import target
from core.jobs import cluster, processes, records
from core.jobs import queue as jobs
from core.jobs.records import Job, Status, Watch
from core.models import Cancelled, Progress
from core.requests import BY_REQUEST, ShareRequest
from core.store import VIEW_KINDS, Entry, Store

PAUSE = 0.2  # seconds between two looks at the queue
INTERVAL = 0.2  # seconds between two writes of progress.json, at least


class Failed(Exception):
    """Another process ran this job and failed; its traceback is in the job's log."""


class Recorder:
    """The report function of a running job: writes progress.json, and raises Cancelled on request."""

    def __init__(self, job: Job, on_progress: Watch):
        self.job, self.on_progress = job, on_progress
        self.first = None  # seconds and work done at the first report
        self.written = 0.0
        self.started, self.began = time.time(), time.monotonic()
        self._write(Status(state="running", line="starting", started=self.started, **processes.identity()))

    def __call__(self, progress: Progress) -> None:
        """Record a moment.

        Raises:
            Cancelled: its cancellation was requested.
        """
        if self.job.cancelling:
            raise Cancelled
        soon = time.monotonic() - self.written < INTERVAL
        if soon and progress.parts == self.status.parts and progress.done < progress.total:
            return
        if progress.total != self.status.total or progress.done < self.status.done:
            self.first = None
        rate = self._rate(progress.done)
        left = (progress.total - progress.done) / rate if rate else None
        memory, least = psutil.Process().memory_info().rss, self.status.fraction
        self._write(replace(self.status, **vars(progress), rate=rate, seconds_left=left, memory=memory, least=least))

    def end(self, **outcome: object) -> None:
        """Record how the job ended."""
        status = replace(self.status, seconds_left=None, **outcome)
        self.job.note(status.error or status.state)
        self._write(status)

    def _rate(self, done: int) -> float | None:
        """Work per second since the first report; None before there is something to divide."""
        now = time.monotonic()
        self.first = self.first or (now, done)
        seconds, grown = now - self.first[0], done - self.first[1]
        return grown / seconds if seconds > 0 and grown > 0 else None

    def _write(self, status: Status) -> None:
        self.written = time.monotonic()  # no clock that somebody may set back meanwhile
        self.status = replace(status, updated=self.started + self.written - self.began)
        self.job.write(self.status)
        self.on_progress(self.status)


def work(store: Store, device: str, idle: float = jobs.IDLE) -> None:
    """Serve the queue of a device; exit after `idle` seconds without jobs, or at once if another worker serves it.

    Raises:
        UserError: nothing may be run here.
    """
    access.may_write()
    jobs.tidy(store)
    while True:
        lock = processes.take(jobs.lock_of(store, "worker", device))
        if lock is None:
            return
        with lock:
            _serve(store, device, idle)
        if not _queued(
            store, device
        ):  # looked at after the lock is free: submitting writes first, then looks for a worker
            return


def _serve(store: Store, device: str, idle: float) -> None:
    models = {}
    last = time.monotonic()
    while (queue := _queued(store, device)) or time.monotonic() - last <= idle:
        if queue:
            try:
                run(store, queue[0], models)
            except (UserError, Cancelled, Failed):  # said in the job's own folder
                pass
            except Exception:
                models.clear()  # any failure, as of memory, may have left them in any state
                traceback.print_exc()
            last = time.monotonic()
        time.sleep(PAUSE)


def _queued(store: Store, device: str) -> list[Job]:
    return [job for job in jobs.active(store, device) if job.state == "queued"]


def run(store: Store, job: Job, models: dict, on_progress: Watch = lambda _: None) -> Entry:
    """Execute a queued or interrupted job, or follow the process that already does; return the entry of its result.

    Waits for the device. `on_progress` is called while waiting too, and with another process's progress.

    Raises:
        UserError: the request cannot be met, or the job was deleted.
        Cancelled: somebody cancelled it.
        Failed: another process ran it and failed.
    """
    while True:
        job = jobs.job(store, job.key)
        entry = _finished(store, job)
        if entry is not None:
            return entry
        on_progress(jobs.displayed_status(store, job))
        lock = _take_device(store, job)
        if lock is None:
            time.sleep(PAUSE)
            continue
        with lock:
            entry = _execute(store, job, models, on_progress)
        if entry is not None:
            return entry


def run_share(root: str, key: str) -> None:
    """Run a share, or wait for the process that does; its outcome is in its record."""
    store = Store(Path(root))
    with suppress(UserError, Cancelled, Failed):
        run(store, jobs.job(store, key), {})


def _finished(store: Store, job: Job) -> Entry | None:
    if job.state == "done":  # its result may have been deleted since
        if BY_REQUEST[type(job.request)].answered:
            return store.find(job.request)
        result = job.status.result or ""
        return next((each for kind in VIEW_KINDS for each in store.entries(kind, result) if each.key == result), None)
    if job.state == "cancelled":
        raise Cancelled
    if job.state == "failed":
        raise (UserError if job.status.bad_request else Failed)(job.status.error)
    return None


def _take_device(store: Store, job: Job) -> AbstractContextManager | None:
    """Hold the device; None while the job runs elsewhere, another has the device, or a worker serves others first.

    A share does not wait: whoever spreads shares decides what runs side by side.
    """
    if job.state == "running":
        return None
    if isinstance(job.request, ShareRequest):
        return nullcontext()
    if jobs.queue_position(store, job) and jobs.worker_alive(store, job.device):
        return None
    return processes.take(jobs.lock_of(store, "device", job.device), PAUSE)


def _execute(store: Store, job: Job, models: dict, on_progress: Watch) -> Entry | None:
    """Run a job on the held device; None if another process took the job meanwhile."""
    lock = processes.take(job.lock)
    if lock is None:
        return None
    with lock:
        if job.cancelling or records.recorded(job.folder).state not in ("queued", "running", "done"):
            return None
        recorder = Recorder(job, on_progress)
        try:
            entry = _compute(store, job, recorder, models)
        except Cancelled:
            recorder.end(state="cancelled", line="cancelled")
            raise
        except UserError as error:
            recorder.end(state="failed", error=str(error), bad_request=True)
            raise
        except Exception as error:
            if not disk_full(error):  # else nothing can be written down either: it counts as interrupted
                job.note(traceback.format_exc())
                bug = f"{type(error).__name__}: {error}".splitlines()[0]
                recorder.end(state="failed", error=shortage(error) or bug)
            raise
        recorder.end(state="done", line="done", result=entry.key)
        if folder := getattr(job.request, "folder", None):
            target.end(store, Path(folder))
        return entry


def _compute(store: Store, job: Job, recorder: Recorder, models: dict) -> Entry:
    """Find or compute the result of a job: here, or in shares where its device names a cluster."""
    place = cluster.read(job.device)
    if place:
        return cluster.run(store, job, place, recorder, run_share)
    from core.jobs import execute

    return execute.get(job.request, store, job.device, recorder, models, job.engine)
