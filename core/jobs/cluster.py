"""A run in shares on a Ray cluster, or on the GPUs of one machine: Ray runs them, and this process watches them.

A place is written where a device is named, `ray:10.0.0.1:6379, 8 shares, cuda`: a run in shares waits in the queue of
its place, and is watched, cancelled and resumed as any other.
"""

import importlib.util
import os
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import NamedTuple

from core.base import UserError
from core.jobs import queue
from core.jobs.queue import PROJECT
from core.jobs.records import Job
from core.models import Cancelled, Progress, Report
from core.requests import BY_REQUEST, Share, ShareRequest
from core.store import Entry, Store

NAME = "ray"
DEFAULT_SHARES = 8  # shares
PAUSE = 0.5  # seconds between two looks at the records
LOOPBACK_ONLY = {  # set before Ray is imported: it listens at loopback alone, and asks for a token (from 2.52 on)
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
Task = Callable[[str, str], None]  # runs a share: cache folder, key


# --- the place -----------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """The address of a cluster (empty: this machine), its number of shares, and the device of each."""

    address: str
    shares: int
    device: str

    def __str__(self) -> str:
        where = f"{NAME}:{self.address}" if self.address else NAME
        return f"{where}, {self.shares} shares, {self.device}"


def read(device: str) -> Place | None:
    """The place written as a device; None for a device."""
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
    return Place(address, shares or DEFAULT_SHARES, device)


# --- its shares ----------------------------------------------------------------------------------------------------


def run(store: Store, job: Job, place: Place, report: Report, task: Task) -> Entry:
    """Run every share of a job by `task` on a cluster; return the whole. Ray repeats lost shares.

    Raises:
        UserError: the request cannot be met.
        Cancelled: the report function said so, or somebody cancelled a share. Finished parts stay.
        RuntimeError: a share failed, or was lost too often.
    """
    if entry := store.find(job.request):
        return entry
    numbers = range(1, place.shares + 1)
    shares = [ShareRequest(whole=job.request, share=Share(part=each, of=place.shares)) for each in numbers]
    ray, tasks = _connected(place), []
    remote = ray.remote(**{"num_gpus" if place.device == "cuda" else "num_cpus": 1})(portable(task)).remote
    try:
        for requests in (shares, shares[-1:]):  # again, where the last two ended at once and neither saw the other's
            jobs = [queue.submit(store, each, place.device, job.engine) for each in requests]
            tasks = [remote(str(store.root.resolve()), each.key) for each in jobs]
            whole = _watch(store, job, jobs, partial(ray.wait, tasks, num_returns=len(tasks), timeout=PAUSE), report)
            if whole:
                return whole
        raise RuntimeError(f"every share is done, and the whole is not there: {job.request.title}")
    finally:
        for each in shares:
            queue.cancel(queue.job(store, each.key))
        for each in ray.wait(tasks, num_returns=len(tasks), timeout=queue.GRACE)[1]:
            ray.cancel(each, force=True)
        ray.shutdown()
        for each in shares:  # the job's own record says it all
            with suppress(UserError):  # where it is not over yet
                queue.delete(queue.job(store, each.key))


def _connected(place: Place) -> ModuleType:
    """Ray, joined to the cluster of a place, or to one of its own that only this process may use."""
    for name, value in (LOOPBACK_ONLY if not place.address else {}).items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    import ray

    try:
        ray.init(address=place.address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        raise UserError(f"no Ray cluster answers at {place.address}: start one with `ray start --head`") from error
    return ray


def portable(task: Task) -> Task:
    """Wrap a function for processes that cannot import this project yet: the wrapper is pickled whole."""
    project, module, name = str(PROJECT), task.__module__, task.__name__

    def imported(root, key):
        import importlib
        import sys

        sys.path.insert(0, project)
        getattr(importlib.import_module(module), name)(root, key)

    return imported


def _watch(store: Store, job: Job, shares: list[Job], look: Callable[[], tuple], report: Report) -> Entry | None:
    """Report on shares until none runs; return the whole if one of them made it."""
    left = shares
    while left:
        _, left = look()  # first, so that what ended is in its record
        shares = [queue.job(store, each.key) for each in shares]
        report(_progress(shares))
        for each in shares:
            if each.state == "cancelled":
                raise Cancelled
            if each.state == "failed":
                job.note(each.log)
                raise (UserError if each.status.bad_request else RuntimeError)(each.status.error)
            if not left and each.state != "done":
                raise RuntimeError(f"a share was lost too often: {each.request.title}")
    results, kind = {each.status.result for each in shares}, BY_REQUEST[type(job.request)].kind
    return next((entry for entry in store.entries(kind) if entry.key in results), None)


def _progress(shares: list[Job]) -> Progress:
    """Progress of all shares together; shares that have not begun count as much as the others."""
    totals = [each.status.total for each in shares if each.status.total]
    total = sum(totals) * len(shares) // len(totals) if totals else 0
    done = sum(1.0 if each.state == "done" else each.status.fraction for each in shares) / len(shares)
    states = Counter(each.state for each in shares)
    line = f"{states['done']} of {len(shares)} shares done, {states['running']} running"
    return Progress(line, int(done * total), total, parts=sum(each.status.parts for each in shares))
