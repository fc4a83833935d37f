"""A run that is spread: an engine runs its shares, and this process watches their records until the whole is there."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import Any

from core.jobs import queue
from core.jobs.places import Place
from core.jobs.records import Job
from core.models.progress import Cancelled, Progress, Report
from core.specs.errors import UserError
from core.specs.jobs import BY_REQUEST
from core.specs.shares import Share, ShareRequest, Unfinished
from core.store.cache import Entry, Store

PAUSE = 0.5  # seconds between two looks at the records
ATTEMPTS = 3  # at a share whose process is lost


def run(store: Store, job: Job, place: Place, report: Report) -> Entry:
    """Have an engine run every share of a job; the whole.

    Raises:
        UserError: the request cannot be met.
        Cancelled: the report function said so, or somebody cancelled a share. Finished parts stay.
        RuntimeError: a share failed, or was lost too often.
    """
    found = store.find(job.request)
    if found:
        return found
    asked = [Share(part=part, of=place.shares) for part in range(1, place.shares + 1)]
    shares = [ShareRequest(whole=job.request, share=each) for each in asked]
    with place.open(str(store.root.resolve()), store.accept_imported) as engine:
        keys = [queue.submit(store, share, place.device, job.engine).key for share in shares]
        try:
            return _watched(store, job, engine, keys, report)
        finally:
            _left(store, engine, keys)


def _watched(store: Store, job: Job, engine: Any, keys: list[str], report: Report) -> Entry:
    """Start the shares, and those again whose process is lost, until all are done."""
    starts: Counter[str] = Counter(keys)
    engine.start(keys)
    while True:
        over = {key for key in keys if engine.ended(key)}  # first, so that what it left behind is in its record
        now = [queue.job(store, key) for key in keys]
        report(_progress(now))
        _check(job, now)
        lost = [e.key for e in now if e.state == "interrupted" or (e.key in over and e.state != "done")]
        if not lost and all(each.state == "done" for each in now):
            whole = _whole(store, job, now)
            if whole:
                return whole
            lost = keys[-1:]  # the last two were done at the same moment, and neither saw the other's
        starts.update(lost)
        if lost and max(starts.values()) > ATTEMPTS:
            raise RuntimeError(f"a share was lost {ATTEMPTS} times: {now[keys.index(lost[0])].request.title}")
        if lost:
            job.note(f"started again: {', '.join(each.request.share.name for each in now if each.key in lost)}")
            _again(store, engine, lost)
        time.sleep(PAUSE)


def _again(store: Store, engine: Any, keys: list[str]) -> None:
    for key in keys:
        queue.resume(store, queue.job(store, key))
    engine.start(keys)


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


def _left(store: Store, engine: Any, keys: list[str]) -> None:
    """Have whatever still runs stop, and forget the records: the job's own says it all."""
    jobs = [queue.job(store, key) for key in keys]
    for each in jobs:
        queue.cancel(each)
    patience = time.monotonic() + queue.GRACE
    while any(not engine.ended(each.key) for each in jobs) and time.monotonic() < patience:
        time.sleep(PAUSE)
    for each in jobs:
        if not engine.ended(each.key):
            engine.stop(each.key)
        with suppress(UserError):  # where it is not over yet
            queue.delete(queue.job(store, each.key))
