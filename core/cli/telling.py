"""How far a command is: a moving bar in a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from core.cli.output import err
from core.jobs.status import Status

EVERY = 5.0  # seconds between two plain lines, at least


class Telling:
    """Told each status of a run: says what is expected once the work begins, then how far it is.

    Not before, so that a refused request stays one line.
    """

    def __init__(self, bar: Progress, expected: str):
        self.bar, self.expected = bar, expected
        self.task = bar.add_task("starting", total=None)
        self.began = False  # whether there was anything to do
        self.said = time.monotonic()  # when the last plain line was

    def __call__(self, status: Status) -> None:
        if status.total and not self.began:
            self.began = True
            err.print(self.expected, soft_wrap=True)
        self.bar.update(self.task, description=status.words, completed=status.done, total=status.total or None)
        waited = time.monotonic() - self.said >= EVERY
        if self.bar.disable and waited and (status.total or status.state == "queued"):
            self.said = time.monotonic()
            err.print(status.words, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(expected: str) -> Iterator[Telling]:
    """Tells of a run on stderr."""
    columns = BarColumn(30), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Telling(bar, expected)
