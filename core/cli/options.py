"""The table of commands, `core.ask.command_table`, as options of typer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from core.ask.command_table import CACHE, DEVICE, JSON, OPTIONS, Option


def _annotated(option: Option) -> Any:
    """The type of an option's value as typer reads it."""
    kind = option.kind | None if option.default is None else option.kind
    if option.argument:
        return Annotated[kind, typer.Argument(help=option.help)]
    named = [option.flag] if option.kind is bool else []  # else typer adds its contrary
    return Annotated[kind, typer.Option(*named, help=option.help)]


Command = Callable[[SimpleNamespace], None]


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Register a function as a command that has the options of its table, and is given their values by name."""

    def register(function: Command) -> Command:
        def run(**given: object) -> None:
            function(SimpleNamespace(**given))

        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature([_parameter(each) for each in OPTIONS[name]])
        app.command(name=name)(run)
        return function

    return register


def _parameter(option: Option) -> inspect.Parameter:
    default = inspect.Parameter.empty if option.default is ... else option.default
    named = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(option.name, named, default=default, annotation=_annotated(option))


Cache = Annotated[Path | None, typer.Option(help=CACHE.help)]
Json = Annotated[bool, typer.Option("--json", help=JSON.help)]
Device = Annotated[str, typer.Option(help=DEVICE.help)]
