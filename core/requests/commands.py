"""From the options of a command to its request, and from a request to the line that asks for it again."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import reduce
from pathlib import Path
from typing import Any

from core.base import Fields, UserError, checked, look_up, unique, with_changes
from core.methods import DEFAULT_PRUNER
from core.requests import grammar
from core.requests.command_table import OPTIONS, Asked, field_at
from core.requests.export_and_search import BestRequest
from core.requests.measurements import MeasureRequest, measurements
from core.requests.parsing import absolute, numbers, with_paths
from core.requests.perturbations import PRESETS, perturbation
from core.requests.recipes import Recipe
from core.requests.studies import StudyRequest

# --- from options ----------------------------------------------------------------------------------------------------


def request_of(command: str, **given: Any) -> Asked:
    """The request of a command from the values of its options; those that are not given are as usual.

    Raises:
        UserError: the first that cannot be.
    """
    return _built(command, given, with_paths)


def _built(command: str, given: Fields, read: Callable[[Fields], Fields] = dict) -> Asked:
    """A request from the values of options.

    Args:
        read: makes paths whole.
    """
    given = {option.name: given.get(option.name, option.default) for option in OPTIONS[command]}
    said = {}
    for option in OPTIONS[command]:
        for path in option.of if given[option.name] is not None else ():
            *into, last = path.split(".")
            reduce(lambda inside, name: inside.setdefault(name, {}), into, said)[last] = given[option.name]
    form, complete = _FORMS[command]
    return with_changes(form.model_construct(), complete(read(said), given))


def _measure(said: Fields, given: Fields) -> Fields:
    """Text and measurements, of the preset where nothing else is given."""
    preset = look_up(PRESETS, given["preset"], "preset")
    text = {"sequences": preset.sequences, "length": preset.length} | said["text"]
    if not (given["perturb"] or given["seeds"]):
        return said | {"text": text, "measurements": preset.measurements}
    asked = [perturbation(part).sourced(absolute) for each in given["perturb"] for part in each.split(",")]
    asked = asked or [each.perturbation for each in preset.measurements]
    return said | {"text": text, "measurements": measurements(asked, numbers(given["seeds"] or "0", "seeds"))}


def _compare(said: Fields, given: Fields) -> Fields:
    """Every layer of the model taken from the other checkpoint in turn."""
    [taken] = said["measurements"].values()
    return said | {"measurements": [{"perturbation": {"kind": "checkpoint"} | taken["perturbation"]}]}


def _prune(said: Fields, given: Fields) -> Fields:
    """A study of one setting."""
    [setting], asked = said["settings"].values(), given["allocation"]
    read = {"allocation": grammar.read_allocation(asked)} if isinstance(asked, str) else {}
    if read and setting.get("pruner") == DEFAULT_PRUNER and read["allocation"].budget_unit.levels:
        del setting["pruner"]  # nobody chose it
    return _evaluate(said | {"settings": (checked(Recipe, **setting | read),)}, given)


def _evaluate(said: Fields, given: Fields) -> Fields:
    """A study of the dense model alone."""
    tasks = (name.strip() for each in given["tasks"] for name in each.split(","))
    return said | {"evaluation": said["evaluation"] | {"tasks": tuple(unique(filter(None, tasks)))}}


_FORMS = {  # command -> its request, and what completes the fields that its options fill
    "measure": (MeasureRequest, _measure),
    "compare": (MeasureRequest, _compare),
    "anchors": (StudyRequest, lambda said, given: said | {"settings": [{}]}),
    "prune": (StudyRequest, _prune),
    "evaluate": (StudyRequest, _evaluate),
    "best": (BestRequest, lambda said, given: said),
}


# --- to a line -------------------------------------------------------------------------------------------------------


def command_line(request: Asked, device: str | None = None, cache: Path | None = None, **more: object) -> str:
    """`python -m core ...` that asks for the same, quoted for this system's shell.

    Args:
        more: values of options by name, in place of what the request says, or None.

    Raises:
        UserError: no command can say it, and why.
    """
    name = _command_of(request)
    values = _values(request, name)
    if not isinstance(request, MeasureRequest):  # its options say all but which perturbation has which seeds
        again = _built(name, values)
        for each in type(request).model_fields:
            if getattr(again, each) != getattr(request, each):
                raise UserError(f"`{name}` has no option for this {each}: {getattr(request, each)!r}")
    return line(name, **values | {"device": device, "cache": cache, **more})


def line(command: str, **values: object) -> str:
    """`python -m core COMMAND ...` with the values of its options by name, quoted for this system's shell.

    Raises:
        UserError: an allocation that was set by hand.
    """
    found = [part for option in OPTIONS[command] for part in option.line(values.get(option.name))]
    return quoted(("python", "-m", "core", command, *found))


def quoted(line: Iterable[str]) -> str:
    """Words as this system's shell reads them."""
    return subprocess.list2cmdline(list(line)) if sys.platform == "win32" else shlex.join(line)


def _command_of(request: Asked) -> str:
    if isinstance(request, StudyRequest):
        if len(request.settings) > 1:
            raise UserError(f"a command takes one setting and these are {len(request.settings)}: use the study file")
        return "prune" if request.settings else "evaluate"
    return next(name for name, (form, _) in _FORMS.items() if isinstance(request, form))


def _values(request: Asked, name: str) -> Fields:
    """Values of options by name; an option is left out where another said its fields, or they are not alike."""
    found, covered = {}, set()
    for option in OPTIONS[name]:
        values = [field_at(request, path) for path in option.of]
        if values and not covered.issuperset(option.of) and all(each == values[0] for each in values):
            found[option.name] = values[0]
            covered.update(option.of)
    if isinstance(request, MeasureRequest):
        found |= _measured(request)
    elif isinstance(request, StudyRequest):
        found["examples"] = request.evaluation.examples or 0
    return found


def _measured(request: MeasureRequest) -> Fields:
    """A preset by its name, else perturbations and the seeds of all of them."""
    asked = request.measurements
    preset = next((name for name, each in PRESETS.items() if each.measurements == asked), None)
    if preset:
        return {"preset": preset}
    seeds = tuple(unique(each.seed for each in asked if each.perturbation.noise))
    return {"perturb": unique(each.perturbation for each in asked), "seeds": None if seeds in ((), (0,)) else seeds}
