"""The report function of a running job: keeps progress.json fresh and stops the work when somebody asked to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import psutil

from core.jobs import processes
from core.jobs.records import Job, Status
from core.models.progress import Cancelled, Progress

INTERVAL = 0.2  # seconds between two writes, at least
WINDOW = 60.0  # seconds over which the rate is taken


class Recorder:
    """Called with every `Progress` of a job whose lock this process holds."""

    def __init__(self, job: Job, on_progress: Callable[[Status], None]):
        self.job = job
        self.on_progress = on_progress
        self.pace, self.speed = _Rate(), _Rate()  # of the units, and of the FLOP behind them
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
            self.pace, self.speed = _Rate(), _Rate()
        pace = self.pace.at(progress.done)
        rate = self.speed.at(progress.done if progress.flop is None else progress.flop)
        left = (progress.total - progress.done) / pace if pace else None
        seen = {"rate": rate, "seconds_left": left, "memory": psutil.Process().memory_info().rss}
        told = {name: value for name, value in vars(progress).items() if name != "flop"}
        self._write(self.status.model_copy(update=told | seen))

    def end(self, **outcome: object) -> None:
        """Record how the job ended."""
        status = self.status.model_copy(update={"seconds_left": None, **outcome})
        self.job.note(status.error or status.state)
        self._write(status)

    def _write(self, status: Status) -> None:
        self.written = time.monotonic()  # no clock that somebody may set back meanwhile
        self.status = status.model_copy(update={"updated": self.started + self.written - self.began})
        self.job.write(self.status)
        self.on_progress(self.status)


class _Rate:
    """How fast a number grew over the last minute."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, int]] = deque()  # (seconds, value)

    def at(self, value: int) -> float | None:
        """Growth per second up to this value; None before there is something to divide."""
        now = time.monotonic()
        self.seen.append((now, value))
        while len(self.seen) > 2 and now - self.seen[0][0] > WINDOW:
            self.seen.popleft()
        seconds, grown = now - self.seen[0][0], value - self.seen[0][1]
        return grown / seconds if seconds > 0 and grown > 0 else None
