"""The line that asks the same again: `core.ask.command_table` read from a request."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.ask.command_table import IDLE, OPTIONS
from core.ask.measurements import MeasureRequest
from core.ask.options import Allocating, Asked, Studying
from core.ask.requests import BestRequest
from core.ask.settings import Setting
from core.ask.studies import StudyRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.spec import Spec

PROGRAM = ("python", "-m", "core")


def command_line(request: Asked, device: str | None = None, cache: Path | None = None, **more: object) -> str:
    """`python -m core ...` that asks for the same, quoted for this system's shell.

    Args:
        more: values of options by name, in place of what the request says; None: not said.

    Raises:
        UserError: no command can say it, and why.
    """
    name, more = _command_of(request), {"device": device, "cache": cache, **more}
    found = [name]
    for option in OPTIONS[name]:
        found += option.said(more[option.name] if option.name in more else option.value(request))
    unsaid = next(_unsaid(request, name), None)
    if unsaid:
        raise UserError(f"`{name}` has no option for {unsaid}")
    return quoted((*PROGRAM, *found))


def quoted(line: Iterable[str]) -> str:
    """Words as this system's shell reads them."""
    return subprocess.list2cmdline(list(line)) if sys.platform == "win32" else shlex.join(line)


def alone(request: StudyRequest, setting: Setting) -> StudyRequest:
    """A study of one setting, which a command can ask for."""
    return request.model_copy(update={"settings": (setting,)})


def _command_of(request: Asked) -> str:
    if isinstance(request, StudyRequest):
        if len(request.settings) > 1:
            raise UserError(f"a command takes one setting and these are {len(request.settings)}: use the study file")
        return "prune" if request.settings else "evaluate"
    names = {
        MeasureRequest: "measure", BestRequest: "best", Allocating: "allocate", Studying: "study"
    }  # fmt: skip
    return names[type(request)]


def _unsaid(request: Asked, name: str) -> Iterator[str]:
    """Fields that are not as usual and that no option says."""
    covered = {path for option in OPTIONS[name] for path in option.of} | {*IDLE.get(name, ()), "settings"}
    for path, value, usual in _leaves(request):
        if value != usual and not any(path == each or path.startswith(f"{each}.") for each in covered):
            yield f"{path} = {value!r}"


def _leaves(value: Spec, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Every field of nested values with its default, which is that of any text for a text."""
    usual = WindowRequest() if isinstance(value, WindowRequest) else None
    for name, field in type(value).model_fields.items():
        found = getattr(value, name)
        if isinstance(found, Spec):
            yield from _leaves(found, f"{path}{name}.")
        else:
            yield f"{path}{name}", found, getattr(usual, name) if usual else field.default
