"""A run in shares on a Ray cluster, or on the GPUs of one machine: Ray runs them, and this process watches them.

A place stands where the name of a device stands, `ray:10.0.0.1:6379, 8 shares, cuda`: a run that is spread waits in the
queue of its place, and is watched, cancelled and resumed as any other.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from core.ask.jobs import BY_REQUEST, Share, ShareRequest, Unfinished
from core.base.errors import UserError
from core.jobs import queue
from core.jobs.queue import PROJECT
from core.jobs.records import Job
from core.models.progress import Cancelled, Progress, Report
from core.store.cache import Entry, Store

NAME = "ray"
USUAL = 8  # shares
PAUSE = 0.5  # seconds between two looks at the records
ATTEMPTS = 3  # at a share whose process is lost
Task = Callable[[str, str, bool], None]  # runs a share: cache folder, key, whether imported results answer


# --- the place -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The address of a cluster (empty: this machine), how many shares it is given, and the device that each needs."""

    address: str
    shares: int
    device: str

    def __str__(self) -> str:
        where = f"{NAME}:{self.address}" if self.address else NAME
        return f"{where}, {self.shares} shares, {self.device}"

    def open(self, store: Store, task: Task) -> Ray:
        """The cluster that runs shares by `task`, a context."""
        return Ray(self, store, task)


def read(device: str) -> Place | None:
    """The place that stands where a device is named; None for a device."""
    where, *more = device.split(", ")
    engine, _, address = where.partition(":")
    return Place(address, int(more[0].split()[0]), more[1]) if engine == NAME and len(more) == 2 else None


def place(typed: str, shares: int | None, device: str) -> Place:
    """The place that `--engine-on` names.

    Raises:
        UserError: there is no such engine, or its package is not installed.
    """
    engine, _, address = typed.partition(":")
    if engine != NAME or "," in address:
        raise UserError(f"--engine-on {typed!r}: give ray, or ray:ADDRESS for a cluster that runs")
    if shares is not None and shares < 1:
        raise UserError(f"--shares {shares}: give 1 or more")
    if importlib.util.find_spec("ray") is None:
        raise UserError("--engine-on ray needs the package ray: install it with `pip install ray`")
    return Place(address, shares or USUAL, device)


# --- Ray -----------------------------------------------------------------------------------------------------------


class Ray:
    """Shares as tasks, each with one GPU or one core. The project and the cache lie at the same place on every node."""

    def __init__(self, place: Place, store: Store, task: Task):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        import ray

        self.ray, self.store, self.tasks = ray, store, {}
        try:
            ray.init(address=place.address or None, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except ConnectionError as error:
            raise UserError(f"no Ray cluster answers at {place.address}: start one with `ray start --head`") from error
        needs: dict[str, Any] = {"num_gpus": 1} if place.device == "cuda" else {"num_cpus": 1}
        self.task = ray.remote(**needs, max_retries=0)(importing(task))  # a lost share is started again below

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ray.shutdown()

    def start(self, keys: list[str]) -> None:
        """Have shares run, some time; one that ended may be started again."""
        root = str(self.store.root.resolve())
        self.tasks |= {key: self.task.remote(root, key, self.store.accept_imported) for key in keys}

    def ended(self, key: str) -> bool:
        """Whether nothing works at a share any more, for better or worse."""
        return key not in self.tasks or bool(self.ray.wait([self.tasks[key]], timeout=0)[0])

    def stop(self, key: str) -> None:
        """End what works at a share."""
        self.ray.cancel(self.tasks[key], force=True)


def importing(task: Task) -> Task:
    """The same function for a process that cannot import this project yet; it is pickled whole, without it."""
    project, module, name = str(PROJECT), task.__module__, task.__name__

    def imported(root: str, key: str, accept_imported: bool) -> None:
        import importlib
        import sys

        if project not in sys.path:
            sys.path.insert(0, project)
        getattr(importlib.import_module(module), name)(root, key, accept_imported)

    return imported


# --- watching ------------------------------------------------------------------------------------------------------


def run(store: Store, job: Job, place: Place, report: Report, task: Task) -> Entry:
    """Have a cluster run every share of a job by `task`; the whole.

    Raises:
        UserError: the request cannot be met.
        Cancelled: the report function said so, or somebody cancelled a share. Finished parts stay.
        RuntimeError: a share failed, or was lost too often.
    """
    found = store.find(job.request)
    if found:
        return found
    parts = [Share(part=part, of=place.shares) for part in range(1, place.shares + 1)]
    requests = [ShareRequest(whole=job.request, share=each) for each in parts]
    with place.open(store, task) as ray:
        keys = [queue.submit(store, request, place.device, job.engine).key for request in requests]
        try:
            return _watch(store, job, ray, keys, report)
        finally:
            _end(store, ray, keys)


def _watch(store: Store, job: Job, ray: Ray, keys: list[str], report: Report) -> Entry:
    """Start the shares, and those again whose process is lost, until all are done."""
    starts: Counter[str] = Counter(keys)
    ray.start(keys)
    while True:
        over = {key for key in keys if ray.ended(key)}  # first, so that what it left behind is in its record
        shares = [queue.job(store, key) for key in keys]
        report(_progress(shares))
        _check(job, shares)
        lost = [e.key for e in shares if e.state == "interrupted" or (e.key in over and e.state != "done")]
        if not lost and all(each.state == "done" for each in shares):
            whole = _whole(store, job, shares)
            if whole:
                return whole
            lost = keys[-1:]  # the last two were done at the same moment, and neither saw the other's
        starts.update(lost)
        if lost and max(starts.values()) > ATTEMPTS:
            raise RuntimeError(f"a share was lost {ATTEMPTS} times: {shares[keys.index(lost[0])].request.title}")
        if lost:
            job.note(f"started again: {', '.join(each.request.share.name for each in shares if each.key in lost)}")
            _restart(store, ray, lost)
        time.sleep(PAUSE)


def _restart(store: Store, ray: Ray, keys: list[str]) -> None:
    for key in keys:
        queue.resume(store, queue.job(store, key))
    ray.start(keys)


def _check(job: Job, shares: list[Job]) -> None:
    for each in shares:
        if each.state == "cancelled":
            raise Cancelled
        if each.state == "failed":
            job.note(each.log)
            raise (UserError if each.status.bad_request else RuntimeError)(each.status.error)


def _progress(shares: list[Job]) -> Progress:
    """All shares as one: those that have not begun are taken to be as much as the others."""
    known = [each.status.total for each in shares if each.status.total]
    total = sum(known) * len(shares) // len(known) if known else 0
    done = sum(1.0 if each.state == "done" else each.status.fraction for each in shares) / len(shares)
    states = Counter(each.state for each in shares)
    line = f"{states['done']} of {len(shares)} shares done, {states['running']} running"
    return Progress(line, int(done * total), total, parts=sum(each.status.parts for each in shares))


def _whole(store: Store, job: Job, shares: list[Job]) -> Entry | None:
    """The result; by what a share says of it where another machine knows the files under other names."""
    found = store.find(job.request)
    results = [each.status.result for each in shares]
    kind = BY_REQUEST[type(job.request)].kind
    for entry in () if found else (*store.entries("unfinished"), *store.entries(kind)):
        if entry.key in results:
            path = store.measured(entry.spec.whole if isinstance(entry.spec, Unfinished) else entry.spec)
            found = found or (store.entry(path) if path else None)
    return found


def _end(store: Store, ray: Ray, keys: list[str]) -> None:
    """Have whatever still runs stop, and forget the records: the job's own says it all."""
    shares = [queue.job(store, key) for key in keys]
    for each in shares:
        queue.cancel(each)
    deadline = time.monotonic() + queue.GRACE
    while any(not ray.ended(each.key) for each in shares) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    for each in shares:
        if not ray.ended(each.key):
            ray.stop(each.key)
        with suppress(UserError):  # where it is not over yet
            queue.delete(queue.job(store, each.key))
