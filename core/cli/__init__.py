"""The command line: `python -m core measure`, `show`, `allocate`, `prune`, `evaluate`, `study`, `best` and so on.

Exit 0: done. 1: failed or cancelled. 2: a bad request, with one line on stderr: what was wrong, what would be right.
With --json, stdout holds one JSON object and nothing else.
"""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from core.base import UserError, shortage
from core.models.progress import Cancelled
from core.requests.command_table import CACHE, JSON, OPTIONS, Option
from core.store import Store

INTERRUPTED = 130  # what typer returns for Ctrl-C, which it keeps to itself
# typer brings its own click: its base exception is reached through the one that typer exports
UsageTrouble = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # loading bars of libraries; we show progress ourselves
    # each registers its commands
    from core.cli import allocations, best, evaluations, measurements, runs, server

    try:
        result = app(sys.argv[1:] or ["--help"] if arguments is None else arguments, standalone_mode=False)
        if result == INTERRUPTED:
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UserError as error:
        return _fail(str(error), 2)
    except UsageTrouble as error:
        return _fail(error.format_message().rstrip("."), 2)
    except (Cancelled, typer.Abort, KeyboardInterrupt):
        return _fail("cancelled: what is finished is kept, and the same command goes on from there", 1)
    except Exception as error:
        message = shortage(error)
        if message is None:
            raise
        return _fail(message, 1)


def _fail(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return code


# --- the table of commands as options of typer ------------------------------------------------------------------------


Command = Callable[[SimpleNamespace, Store], None]


def command(name: str) -> Callable[[Command], Command]:
    """Register a function as a command with the options of its table; it gets their values by name, and a cache."""

    def register(function):
        def run(**options):
            function(SimpleNamespace(**options), Store(options["cache"], options.get("accept_imported", False)))

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
