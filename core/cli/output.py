"""Saying results: one JSON object, or tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from core.analysis import findings, propagation
from core.analysis.gains import gains_of
from core.jobs.records import Status
from core.models.cost import duration
from core.specs.errors import UserError
from core.specs.formats import digits
from core.store.cache import Entry
from core.store.files import write_file
from core.store.profiles import Profile

CELL, MARGIN = 25, 9  # columns of the terminal: a gain with its interval, and the layer's number

out = Console()
err = Console(stderr=True)


def say_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinity become null."""
    print(json.dumps(_plain(value), allow_nan=False))


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
    file = to.expanduser()
    if file.is_dir():
        raise UserError(f"{file} is a folder: name the file to write, as in {file / usual}")
    if file.exists() and not force:
        raise UserError(f"{file} exists: choose another name, or replace it with --force")
    content = make()
    try:
        write_file(file, content)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    if json:
        say_json(told | {"file": str(file), "bytes": len(content)})
    else:
        out.print(f"{name} written to {file}, {len(content) / 1e6:.2f} MB", markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


class Telling:
    """Told each status of a run: moves a bar, and says what is expected once the work begins.

    Not before, so that a refused request stays one line.
    """

    def __init__(self, bar: Progress, expected: str):
        self.bar, self.expected = bar, expected
        self.task = bar.add_task("starting", total=None, left="", share="")
        self.began = False  # whether there was anything to do

    def __call__(self, status: Status) -> None:
        if status.total and not self.began:
            self.began = True
            err.print(self.expected, soft_wrap=True)
        rate = f", {status.rate / 1e3:.0f} GFLOP/s" if status.rate else ""
        left = f"{duration(status.seconds_left)} left{rate}" if status.seconds_left is not None else ""
        share = f"{status.fraction:>4.0%}" if status.total else ""  # while nothing is weighed, the line says it
        known = {"completed": status.done, "total": status.total or None, "left": left, "share": share}
        self.bar.update(self.task, description=status.line, **known)


@contextmanager
def progress_bar(expected: str) -> Iterator[Telling]:
    """A progress bar on stderr."""
    columns = (TextColumn("{task.fields[share]}"), BarColumn(30), TextColumn("{task.fields[left]}"),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Telling(bar, expected)


def summary(entry: Entry, found: Profile | None = None) -> dict[str, Any]:
    """What `measure` answers."""
    return {"key": entry.key, **entry.spec.record(entry.provenance), "layers": found.layers if found else None}


def gains_json(found: Profile) -> list[dict[str, Any]]:
    """Per perturbation: gains, interval and verdict of every layer, and the sentence about them."""
    rows = []
    for name, seeds in found.by_name.items():
        gains = gains_of(seeds)
        rows.append(
            {
                "name": name,
                "gains": gains.value,
                "interval": np.stack([gains.low, gains.high], axis=1),
                "verdict": list(gains.verdicts),
                "finding": findings.finding(gains),
                "mean_ratio": gains.mean_ratio,
                "median": gains.median,
                "drift": gains.drift,
                "drift_first": np.mean([np.diag(each.drift_first) for each in seeds], axis=0),
                "final_drift": propagation.matrix(seeds)[:, -1],
                "kl": np.mean([each.kl.mean(1) for each in seeds], axis=0),
                "nll_increase": np.mean([each.nll_increase.mean(1) for each in seeds], axis=0),
                "flips": np.mean([each.flips.mean(1) for each in seeds], axis=0),
                "seeds": len(seeds),
                "n": gains.n,
            }
        )
    return rows


def gains_table(found: Profile) -> None:
    """Gains for people: a row per layer, a column per perturbation; the sentences below."""
    rows = gains_json(found)
    told = found.provenance
    out.print(escape(f"Gain per layer, with its 95% interval: {told.get('model')} on {told.get('text')}"))
    abreast = max(1, (out.width - MARGIN) // CELL)
    for first in range(0, len(rows), abreast):
        out.print(_gains(rows[first : first + abreast], found.layers))
    out.print("+ amplifies, - absorbs (95%, outside a band of 5%); the last layer is 1 by definition")
    for row in rows:
        out.print(f"[bold]{escape(row['name'])}[/bold]: {escape(row['finding'])}")


def _gains(rows: list[dict[str, Any]], layers: int) -> Table:
    """Some perturbations abreast, as many as the terminal holds whole."""
    table = Table()
    table.add_column("layer", justify="right")
    for row in rows:
        name = row["name"].replace("residual_rescaled", "rescaled").replace(":", "\n", 1)
        table.add_column(escape(name), justify="right", no_wrap=True)
    marks = {"amplifies": "[red]+[/red]", "absorbs": "[blue]-[/blue]"}
    for layer in range(layers):
        cells = []
        for row in rows:
            low, high = row["interval"][layer]
            known = f" \\[{digits(low, 3)}, {digits(high, 3)}]" if np.isfinite([low, high]).all() else ""
            cells.append(f"{digits(row['gains'][layer], 3)}{known} {marks.get(row['verdict'][layer], ' ')}")
        table.add_row(str(layer), *cells)
    return table


def matrix_table(name: str, matrix: np.ndarray) -> None:
    """A drift matrix as text: rows injected, columns read, as many of them as the terminal holds."""
    columns = [_column(values) for values in matrix.T]
    every = _every([len(cells[0]) for cells in columns], out.width - MARGIN)
    shown = range((len(columns) - 1) % every, len(columns), every)
    table = Table(title=escape(f"Drift, {name}: injected at (row), read at (column)"))
    table.add_column("", justify="right", no_wrap=True)
    for layer in shown:
        table.add_column(str(layer), justify="right", no_wrap=True)
    for layer in range(len(matrix)):
        table.add_row(str(layer), *[columns[read][layer].strip() for read in shown])
    out.print(table)
    if every > 1:
        fits = f"as many as {out.width} columns hold; --json gives all."
        nth = {2: "second", 3: "third"}.get(every, f"{every}th")
        out.print(f"Every {nth} read layer, {fits}", soft_wrap=True)


def _column(values: np.ndarray) -> list[str]:
    """Cells of a column, equally wide: so many decimals that its least value has two digits, four at most."""
    least = np.nanmin(np.where(values > 0, values, np.nan)) if np.any(values > 0) else 1.0
    decimals = int(np.clip(1 - np.floor(np.log10(least)), 0, 4))
    cells = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]
    return [cell.rjust(max(map(len, cells))) for cell in cells]


def _every(widths: list[int], room: int) -> int:
    """The least n for which every n-th column, counted back from the last, fits with its padding and its line."""
    for every in range(1, len(widths)):
        if sum(max(width, 2) + 3 for width in widths[::-1][::every]) <= room:
            return every
    return len(widths)


def say_helped(name: str, told: str | None) -> None:
    """What pruning had to be helped along with, and what put an end to it; nothing where all went well."""
    if told:
        out.print(f"{name}. {told}", markup=False, soft_wrap=True)


# --- the cache -----------------------------------------------------------------------------------------------------


def runs_table(found: dict[str, list[Entry]], jobs: list[Any], troubles: list[str]) -> None:
    """What is in the cache, for people.

    Args:
        found: entries by kind.
    """
    for kind, entries in found.items():
        for entry in entries:
            told, which = entry.provenance, " (committed)" if entry.committed else ""
            model = f"{told.get('model')}{which}"
            when = f"made {told.get('created')} on {told.get('device')} in {told.get('dtype')}"
            out.print(f"[bold]{entry.key}[/bold]  {kind}: {escape(model)}", soft_wrap=True)
            for line in (*entry.spec.lines(told), when):
                out.print(f"    {line}", markup=False, soft_wrap=True)
    for job in jobs:
        out.print(f"run {job.key}: {job.state}, {job.request.title}: {job.status.line}", markup=False, soft_wrap=True)
    for trouble in troubles:
        out.print(f"set aside as corrupt: {trouble}", markup=False, soft_wrap=True)
