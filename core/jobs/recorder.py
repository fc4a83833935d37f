"""The report function of a running job: keeps progress.json fresh and stops the work when somebody asked to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import psutil

from core.jobs import processes
from core.jobs.records import Job
from core.jobs.status import Status
from core.models.progress import Cancelled, Progress

INTERVAL = 0.2  # seconds between two writes, at least
WINDOW = 60.0  # seconds over which the rate is taken


class Recorder:
    """Called with every `Progress` of a job whose lock this process holds."""

    def __init__(self, job: Job, on_progress: Callable[[Status], None]):
        self.job, self.on_progress = job, on_progress
        self.seen: deque[tuple[float, int, int]] = deque()  # (seconds, units, FLOP) of the last minute
        self.written = 0.0
        self.started, self.began = time.time(), time.monotonic()
        self._write(Status(state="running", line="starting", started=self.started, **processes.identity()))

    def __call__(self, progress: Progress) -> None:
        """Record a moment.

        Raises:
            Cancelled: somebody asked to stop.
        """
        if self.job.cancelling:
            raise Cancelled
        soon = time.monotonic() - self.written < INTERVAL
        if soon and progress.parts == self.status.parts and progress.done < progress.total:
            return
        if progress.total != self.status.total or progress.done < self.status.done:
            self.seen.clear()
        pace, rate = self._rates(progress)
        left = (progress.total - progress.done) / pace if pace else None
        memory = psutil.Process().memory_info().rss
        self._write(replace(self.status, **vars(progress), rate=rate, seconds_left=left, memory=memory))

    def end(self, **outcome: object) -> None:
        """Record how the job ended."""
        status = replace(self.status, seconds_left=None, **outcome)
        self.job.note(status.error or status.state)
        self._write(status)

    def _rates(self, progress: Progress) -> list[float | None]:
        """Units and FLOP per second over the last minute; None before there is something to divide."""
        now = time.monotonic()
        self.seen.append((now, progress.done, progress.done if progress.flop is None else progress.flop))
        while len(self.seen) > 2 and now - self.seen[0][0] > WINDOW:
            self.seen.popleft()
        seconds, *grown = (last - first for first, last in zip(self.seen[0], self.seen[-1], strict=True))
        return [each / seconds if seconds > 0 and each > 0 else None for each in grown]

    def _write(self, status: Status) -> None:
        self.written = time.monotonic()  # no clock that somebody may set back meanwhile
        self.status = replace(status, updated=self.started + self.written - self.began)
        self.job.write(self.status)
        self.on_progress(self.status)
