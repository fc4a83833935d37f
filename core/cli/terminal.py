"""The terminal: commands of the table as a typer app, their output, and progress of a run on stderr.

With --json a command prints one JSON object and nothing else, so `say` and tables are silent; else `say_json` is.
"""

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from core.base import OUTDATED, UserError, disk_full, exists, expanded
from core.jobs.records import Watch
from core.models import READING
from core.requests import CACHE, JSON, OPTIONS, Option
from core.store import Entry, Store, abandoned, write_file

Answer = dict[str, Any]  # a JSON object, values by name
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)
EVERY = 5.0  # seconds between two plain lines of progress, at least


# --- commands --------------------------------------------------------------------------------------------------------

app = typer.Typer(
    name="python -m core",
    help="Measure how a language model's later layers amplify or absorb a perturbation.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
runs_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)
app.add_typer(runs_app, name="runs")

Command = Callable[[SimpleNamespace, Store], None]


def command(name: str) -> Callable[[Command], Command]:
    """Register a function as a command with the options of its table; it gets their values by name, and a cache."""

    def register(function):
        def run(**options):
            out.quiet = options["json"]
            function(SimpleNamespace(**options), Store(options["cache"]))

        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature([_parameter(each) for each in OPTIONS[name]])
        group, _, last = name.rpartition(" ")
        (runs_app if group else app).command(name=last)(run)
        return function

    return register


def _parameter(option: Option) -> inspect.Parameter:
    """An option as a parameter for typer."""
    kind = option.kind | None if option.default is None else option.kind
    named = [option.flag] if option.kind is bool else []  # else typer adds its contrary
    how = typer.Option(*named, help=option.help, min=option.least)
    how = typer.Argument(help=option.help, metavar=option.name.upper()) if option.argument else how
    default = inspect.Parameter.empty if option.default is ... else option.default
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, how]
    )


Cache = Annotated[Path | None, typer.Option(help=CACHE.help)]
Json = Annotated[bool, typer.Option("--json", help=JSON.help)]


# --- output ----------------------------------------------------------------------------------------------------------


def say(*lines: object, style: str | None = None) -> None:
    """Print lines for people, without markup; empty ones are left out."""
    for line in filter(None, lines):
        out.print(line, markup=False, highlight=False, soft_wrap=True, style=style)


def say_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", words: int = 1) -> None:
    """Print a table for people.

    Args:
        words: how many columns hold words, at the left; the others hold numbers.
    """
    table = Table(title=escape(title) or None)
    for place, head in enumerate(heads):
        side: Literal["left", "right"] = "left" if place < words else "right"
        table.add_column(escape(head), overflow="fold", justify=side)
    for cells in rows:
        table.add_row(*map(escape, cells))
    out.print(table)


def say_json(value: Answer) -> None:
    """With --json, print one JSON object; NaN and infinity become null."""
    if out.quiet:
        print(as_json(value))


def save_report(options: SimpleNamespace, key: str, make: Callable[[], str]) -> None:
    """Write the report that `make` returns to a file, and print its name and size.

    Args:
        options: `out` names the file; `force` replaces an existing one.
        key: of the result.

    Raises:
        UserError: the file is a folder, exists already, or cannot be written.
    """
    file = expanded(options.out)
    if exists(file) and file.is_dir():
        raise UserError(f"{file} is a folder: name the file to write, as in {file / 'report.html'}")
    if exists(file) and not options.force:
        raise UserError(f"{file} exists: choose another name, or replace it with --force")
    if not exists(file.parent):
        raise UserError(f"there is no folder {file.parent}: make it first, or name a file elsewhere")
    content = make().encode()
    for half in abandoned(file.parent, file.name):  # of a run that was killed
        half.unlink(missing_ok=True)
    try:
        write_file(file, content)
    except OSError as error:
        if disk_full(error):
            raise
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    say_json({"key": key, "file": str(file), "bytes": len(content)})
    say(f"report written to {file}, {len(content) / 1e6:.2f} MB")


def as_json(value: Any) -> str:
    """JSON with lists for arrays, and null for numbers that are not finite."""
    return to_json(value, inf_nan_mode="null", ensure_ascii=True, fallback=lambda each: each.tolist()).decode()


# --- progress --------------------------------------------------------------------------------------------------------


@contextmanager
def progress_bar(expected: str) -> Iterator[Watch]:
    """Print the status of a run on stderr: the estimate once the work begins, then its progress.

    Nothing before that, so that a refused request stays one line.
    """
    columns = BarColumn(30), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task, last = bar.add_task("starting", total=None), time.monotonic()

        def tell(status):
            nonlocal expected, last
            if status.total and expected:
                err.print(expected, soft_wrap=True)
                expected = ""
            bar.update(task, description=status.words, completed=status.done, total=status.total or None)
            waited = time.monotonic() - last >= EVERY
            begun = status.total or status.state == "queued" or status.line.startswith(READING)
            if bar.disable and waited and begun:
                last = time.monotonic()
                err.print(status.words, markup=False, highlight=False, soft_wrap=True)

        yield tell


# --- the cache -----------------------------------------------------------------------------------------------------


def _cell(value: Any) -> str:
    """A value as text, of a long list the first three."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(map(str, value[:3])) + (f" and {len(value) - 3} more" if len(value) > 3 else "")


def runs_table(entries_of: dict[str, list[Entry]], jobs: list[Any], troubles: list[str]) -> None:
    """Print the contents of the cache, its entries by kind."""
    for kind, entries in entries_of.items():
        for entry in entries:
            provenance, which = entry.provenance, " (committed)" if entry.committed else ""
            model = f"{provenance.get('model')}{which}"
            when = f"made {provenance.get('created')} on {provenance.get('device')} in {provenance.get('dtype')}"
            out.print(f"[bold]{entry.key}[/bold]  {kind}: {escape(model)}", soft_wrap=True)
            record = {"text": provenance.get("text"), **entry.spec.record(provenance)}
            passed = ("model", "seconds", "engine")
            parts = [
                f"{name} {_cell(value)}" for name, value in record.items() if value and not name.startswith(passed)
            ]
            say(*(line and f"    {line}" for line in ("; ".join(parts), entry.spec.is_outdated and OUTDATED, when)))
    for job in jobs:
        say(f"run {job.key}: {job.state}, {job.request.title}: {job.status.line}")
    say(*(f"set aside as corrupt: {trouble}" for trouble in troubles))
