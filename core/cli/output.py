"""Saying results: one JSON object, or tables and lines for people; how far a run is, on stderr."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from core.base.errors import UserError, disk_full
from core.base.formats import pruned_before
from core.base.paths import exists, expanded
from core.jobs.status import Status
from core.store.cache import Entry
from core.store.files import abandoned, write_file
from core.store.profiles import Profile

out = Console(emoji=False)
err = Console(stderr=True, emoji=False)
EVERY = 5.0  # seconds between two plain lines of progress, at least


def say(*lines: object, style: str | None = None) -> None:
    """Lines for people, each as it is."""
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True, style=style)


def say_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", words: int = 1, unbroken: bool = False
) -> None:
    """A table for people.

    Args:
        words: how many columns hold words, at the left; the others hold numbers.
        unbroken: the first column is not wrapped.
    """
    table = Table(title=escape(title) or None)
    for place, head in enumerate(heads):
        justify = "left" if place < words else "right"
        table.add_column(escape(head), overflow="fold", justify=justify, no_wrap=unbroken and place == 0)
    for cells in rows:
        table.add_row(*map(escape, cells))
    out.print(table)


def say_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinity become null."""
    print(json.dumps(plain(value), allow_nan=False))


def save_file(
    to: Path, usual: str, force: bool, json: bool, told: dict[str, Any], name: str, make: Callable[[], bytes]
) -> None:
    """Write what is made to a file, and say so.

    Args:
        usual: a name for it, where a folder is given in its place.
        force: replace a file that is there.
        told: what the JSON says of it beside the file.
        name: what people are told was written.

    Raises:
        UserError: the file is a folder, is there already, or cannot be written.
    """
    file = expanded(to)
    if exists(file) and file.is_dir():
        raise UserError(f"{file} is a folder: name the file to write, as in {file / usual}")
    if exists(file) and not force:
        raise UserError(f"{file} exists: choose another name, or replace it with --force")
    content = make()
    for half in abandoned(file.parent, file.name):  # of a run that was killed
        half.unlink(missing_ok=True)
    try:
        write_file(file, content)
    except OSError as error:
        if disk_full(error):
            raise
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    if json:
        say_json(told | {"file": str(file), "bytes": len(content)})
    else:
        say(f"{name} written to {file}, {len(content) / 1e6:.2f} MB")


def plain(value: Any) -> Any:
    """A value as JSON holds it: lists for arrays, null for what is not finite."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def summary(entry: Entry, found: Profile | None = None) -> dict[str, Any]:
    """What `measure` answers."""
    return {
        "key": entry.key,
        "imported": bool(entry.packs),
        **entry.spec.record(entry.provenance),
        "layers": found.layers if found else None,
    }


def say_helped(name: str, told: str | None) -> None:
    """What pruning had to be helped along with, and what put an end to it; nothing where all went well."""
    if told:
        say(f"{name}. {told}")


# --- progress --------------------------------------------------------------------------------------------------------


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


# --- the cache -----------------------------------------------------------------------------------------------------


def runs_table(found: dict[str, list[Entry]], jobs: list[Any], troubles: list[str]) -> None:
    """What is in the cache, for people.

    Args:
        found: entries by kind.
    """
    for kind, entries in found.items():
        for entry in entries:
            told, which = entry.provenance, f" ({entry.standing})" if entry.standing else ""
            model = f"{told.get('model')}{which}"
            when = f"made {told.get('created')} on {told.get('device')} in {told.get('dtype')}"
            out.print(f"[bold]{entry.key}[/bold]  {kind}: {escape(model)}", soft_wrap=True)
            for line in filter(None, (*entry.spec.lines(told), pruned_before(entry.spec.earlier), when)):
                say(f"    {line}")
    for job in jobs:
        say(f"run {job.key}: {job.state}, {job.request.title}: {job.status.line}")
    say(*(f"set aside as corrupt: {trouble}" for trouble in troubles))
