"""All runs of a cache, read anew only where one has changed: a page asks for them every two seconds, with any queue.

The folder of the runs is a bell: it bears the time at which one was added or deleted, and `records.ring` gives it that
of any other change. Only what runs tells of itself without ringing, and is read every time.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.jobs import records
from core.jobs.records import Job

SETTLED = 2e9  # nanoseconds after which a change can no longer bear the same time as the one before
OLDEST = 30.0  # seconds that a list is believed: what another program changes does not ring


@dataclass(frozen=True)
class _Listed:
    bell: int  # time that the folder bore when this was read; 0: it may change without bearing another
    read: float  # monotonic seconds
    jobs: dict[str, Job]
    running: frozenset[str]  # those that were, by what they had written down


_known: dict[Path, _Listed] = {}


def jobs(root: Path) -> list[Job]:
    """Every job of a cache folder that can be read, in no order."""
    try:
        bell = os.stat(root / "jobs").st_mtime_ns
    except FileNotFoundError:
        return []
    known = _known.get(root)
    if known is None or known.bell != bell or time.monotonic() - known.read > OLDEST:
        known = _known[root] = _read(root, bell)
        return list(known.jobs.values())
    found = (records.read(root, key) if key in known.running else job for key, job in known.jobs.items())
    return [each for each in found if each]


def _read(root: Path, bell: int) -> _Listed:
    settled, began = time.time_ns() - bell > SETTLED, time.monotonic()
    found = {name: job for name in os.listdir(root / "jobs") if (job := records.read(root, name))}
    seen = (job for job in found.values() if job.state in ("running", "interrupted", "cancelled"))
    running = frozenset(job.key for job in seen if records.recorded(job.folder).state == "running")
    return _Listed(bell if settled else 0, began, found, running)
