"""From the options of a command to its request, and from a request to the line that asks for it again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.command_table import IDLE, OPTIONS, ROLES, Allocating, Asked, Studying
from core.ask.inputs import WindowRequest
from core.ask.measurements import Measurement, MeasureRequest, measurements
from core.ask.perturbations import PRESETS, Preset, perturbation
from core.ask.requests import BestRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import StudyRequest
from core.ask.typed import absolute, numbers
from core.base.errors import UserError
from core.base.escape import brief
from core.base.spec import Spec, checked, look_up, revised
from core.kinds import Checkpoint, Perturbation
from core.kinds.patterns import pattern

PROGRAM = ("python", "-m", "core")


# --- from options ----------------------------------------------------------------------------------------------------


def request_of(command: str, **given: Any) -> Asked:
    """The request of a command from the values of its options; those that are not given are as usual.

    Raises:
        UserError: the first that cannot be.
    """
    given = {option.name: given.get(option.name, option.default) for option in OPTIONS[command]}
    said: dict[str, Any] = {}
    for option in OPTIONS[command]:
        value = option.given(given[option.name])
        for path in option.of:
            *into, last = path.split(".")
            reduce(lambda inside, name: inside.setdefault(name, {}), into, said)[last] = value
    form, complete = _FORMS[command]
    return revised(form.model_construct(), complete(said, given))


def _measure(said: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Text and measurements, of the preset where nothing else is given."""
    if given["engine"] not in ("wavefront", "hooks"):
        raise UserError(f"--engine {given['engine']!r}: give wavefront or hooks")
    preset = look_up(PRESETS, given["preset"], "preset")
    for name in ("sequences", "length"):
        said["text"][name] = getattr(preset, name) if said["text"][name] is None else said["text"][name]
    return said | {"measurements": _measurements(preset, given["perturb"], given["seeds"], given["positions"])}


def _measurements(
    chosen: Preset, perturb: list[str], seeds: str | None, positions: str | None
) -> tuple[Measurement, ...]:
    where = positions or "after_first"
    if positions not in (None, "after_first", "all"):
        raise UserError(f"--positions {brief(positions)}: give after_first or all")
    if perturb:
        asked = [_placed(perturbation(part, where)) for text in perturb for part in text.split(",")]
        return measurements(asked, numbers(seeds or "0"))
    if seeds is None and positions is None:
        return chosen.measurements
    asked = [each.perturbation for each in chosen.measurements]
    if positions:
        asked = [each.model_copy(update={"positions": where}) if hasattr(each, "positions") else each for each in asked]
    return measurements(asked, numbers(seeds or "0"))


def _placed(asked: Perturbation) -> Perturbation:
    """A perturbation whose checkpoint is found from any working directory."""
    return asked.model_copy(update={"source": absolute(asked.source)}) if asked.compares else asked


def _compare(said: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every layer of the model taken from the other checkpoint in turn."""
    [taken] = said["measurements"].values()
    return said | {"measurements": measurements([Checkpoint(**taken["perturbation"])])}


def _prune(said: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A study of one setting."""
    usual = AllocationRequest() if given["pattern"] is None else uniform(pattern(given["pattern"]).sparsity)
    allocation = grammar.read_allocation(given["allocation"]) if given["allocation"] else usual
    [setting] = said["settings"].values()
    return _evaluate(said | {"settings": (checked(Setting, **setting, allocation=allocation),)}, given)


def _evaluate(said: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A study of the dense model alone."""
    if given["tasks_from"] and not said["evaluation"]["tasks"]:
        raise UserError(
            f"--tasks-from {given['tasks_from']} names a folder and no task in it: add --tasks NAME, or leave it out"
        )
    return said


def _best(said: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A search, each role of it with a text."""
    if given["text"] is not None and all(given[role] for role in ROLES):
        raise UserError("--text has no role left: --calibration, --selection and --final name a text for each")
    text = None if given["text"] is None else absolute(given["text"])
    for role in ROLES:
        said[role]["source"] = said[role]["source"] or text or BestRequest.model_fields[role].default.source
    return said


_FORMS = {
    "measure": (MeasureRequest, _measure),
    "compare": (MeasureRequest, _compare),
    "allocate": (Allocating, lambda said, given: said),
    "prune": (StudyRequest, _prune),
    "evaluate": (StudyRequest, _evaluate),
    "study": (Studying, lambda said, given: {"file": str(said["file"])}),
    "best": (BestRequest, _best),
}


# --- to a line -------------------------------------------------------------------------------------------------------


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
