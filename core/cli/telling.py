"""How far a command is: a moving bar in a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from core.cli.output import err
from core.jobs.records import Status
from core.models.cost import duration

EVERY = 5.0  # seconds between two plain lines, at least


class Telling:
    """Told each status of a run: says what is expected once the work begins, then how far it is.

    Not before, so that a refused request stays one line.
    """

    def __init__(self, bar: Progress, expected: str):
        self.bar, self.expected = bar, expected
        self.task = bar.add_task("starting", total=None, left="", share="")
        self.began = False  # whether there was anything to do
        self.said = time.monotonic()  # when the last plain line was

    def __call__(self, status: Status) -> None:
        if status.total and not self.began:
            self.began = True
            err.print(self.expected, soft_wrap=True)
        if self.bar.disable:
            self._line(status)
            return
        known = {"completed": status.done, "total": status.total or None, "left": _left(status)}
        self.bar.update(self.task, description=status.line, share=_share(status), **known)

    def _line(self, status: Status) -> None:
        """A plain line, where the last one is long enough ago and there is something to say."""
        now = time.monotonic()
        if (status.total or status.state == "queued") and now - self.said >= EVERY:
            self.said = now
            told = ", ".join(filter(None, [_share(status).strip(), _left(status), status.line]))
            err.print(told, markup=False, highlight=False, soft_wrap=True)


def _share(status: Status) -> str:
    """` 12 %`; nothing while nothing is weighed, for then the line says it."""
    return f"{100 * status.fraction:>3.0f} %" if status.total else ""


def _left(status: Status) -> str:
    left = f"{duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    return ", ".join(filter(None, [left, left and status.speed]))


@contextmanager
def progress_bar(expected: str) -> Iterator[Telling]:
    """Tells of a run on stderr."""
    columns = (TextColumn("{task.fields[share]}"), BarColumn(30), TextColumn("{task.fields[left]}"),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Telling(bar, expected)
