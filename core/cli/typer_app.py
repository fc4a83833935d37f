"""The command line's application: a typer app, and the decorator that registers a command of the table with it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import typer

from core.requests.command_table import CACHE, JSON, OPTIONS, Option
from core.store import Store

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
