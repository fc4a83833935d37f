"""How far a job is and how it ended, and the words for it, the same on every page and in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from core.base.formats import capital, duration, per_cent
from core.models.progress import Progress

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Status(Progress):
    """The content of progress.json. Times are seconds since 1970."""

    line: str = "waiting"
    state: State = "queued"
    rate: float | None = None  # million FLOP per second
    seconds_left: float | None = None
    memory: int | None = None  # bytes resident in the running process
    pid: int | None = None
    born: float | None = None  # start time of that process
    started: float | None = None
    updated: float = 0.0
    result: str | None = None  # key of what was computed
    error: str | None = None  # one sentence
    bad_request: bool = False  # the error was the request's fault, not the program's

    @property
    def fraction(self) -> float:
        """Share of the work that is finished, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def percent(self) -> str:
        """`41 %`."""
        return per_cent(round(self.fraction, 2))

    @property
    def headline(self) -> str:
        """`41 %, about 3 min left`; while the amount of work is not known, what is happening."""
        if self.state == "queued":
            return f"Queued, {self.line}"
        if not self.total:
            return capital(self.line)
        left = "time left not known yet" if self.seconds_left is None else f"about {duration(self.seconds_left)} left"
        return f"{self.percent}, {left}"

    @property
    def details(self) -> str:
        """`layer 3 · 1.2 GiB of memory`, as far as the headline does not say it."""
        memory = f"{self.memory / 2**30:.1f} GiB of memory" if self.memory else ""
        return " · ".join(filter(None, [self.line if self.total else "", memory]))

    @property
    def words(self) -> str:
        """The headline and the details in one line."""
        return " · ".join(filter(None, [self.headline, self.details]))


JSON = TypeAdapter(Status)
