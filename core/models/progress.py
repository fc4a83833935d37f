"""Progress of long work, and its cancellation."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of running work; `done` and `total` are weighed as in `core.requests.workload`."""

    line: str = ""  # what is happening, in words
    done: int = 0
    total: int = 0  # 0 while it is not known
    parts: int = 0  # parts saved so far: when it grows there is more to draw


Report = Callable[[Progress], None]
Step = Callable[[int], object]  # called with how many layers, or windows, are finished; may raise Cancelled


class Cancelled(Exception):
    """Raised by a report function to stop the work; what is finished stays saved."""


def silent(_: Progress) -> None:
    """Report to nobody."""


READING = "reading"  # begins a line that is told before the work is known
REPORT: ContextVar[Report] = ContextVar("REPORT", default=silent)  # the running work's, for what lies deep within it


@dataclass
class ProgressTracker:
    """Planned work, weighed as in `core.requests.workload`, and how much of it is done."""

    report: Report
    planned: float = 0.0
    done: float = 0.0
    parts: int = 0  # saved so far
    highest: float = 0.0  # reported so far: it never decreases

    def say(self, line: str, work: float = 0.0) -> None:
        """Report. work: what was done of a part that is not finished."""
        self.highest = max(self.highest, self.done + work)
        self.report(Progress(line, int(self.highest), int(self.planned), self.parts))

    def counted(self, what: str, work: float, of: int, first: int = 0) -> Callable[..., None]:
        """A function of how many are done here, which counts their work and reports it.

        Args:
            work: of all of them.
            first: those done before.
        """
        last = 0

        def step(done, *_):
            nonlocal last
            self.done, last = self.done + work * (done - last) / of, done
            self.say(f"{what} {first + done} of {of}")

        return step
