"""Options of a command -> its request; a request -> the command line that repeats it."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import reduce
from pathlib import Path
from typing import Any

from core.base import Fields, UserError, checked, look_up, unique, with_changes
from core.methods import BITS, DEFAULT_PRUNER, GGUF, PRUNERS, default_pruner
from core.requests import grammar
from core.requests.allocations import joined
from core.requests.command_table import OPTIONS, CommandRequest, field_at
from core.requests.export_and_search import COMPRESSED, SYMMETRIC, BestRequest
from core.requests.measurements import EACH, MeasureRequest, measurements
from core.requests.parsing import absolute, numbers, with_paths
from core.requests.perturbations import PRESETS, perturbation
from core.requests.recipes import Recipe
from core.requests.studies import StudyRequest

# --- from options ----------------------------------------------------------------------------------------------------


def request_of(command: str, **options: Any) -> Any:
    """The request of a command from the values of its options, defaults for the others.

    Raises:
        UserError: the first invalid value.
    """
    return _built(command, options, with_paths)


def _built(command: str, options: Fields, read: Callable[[Fields], Fields] = dict) -> CommandRequest:
    """A request from the values of options.

    Args:
        read: makes the paths in the fields absolute.
    """
    options = {option.name: options.get(option.name, option.default) for option in OPTIONS[command]}
    fields = {}
    for option in OPTIONS[command]:
        for path in option.of if options[option.name] is not None else ():
            *into, last = path.split(".")
            reduce(lambda inside, name: inside.setdefault(name, {}), into, fields)[last] = options[option.name]
    form, complete = _FORMS[command]
    return with_changes(form.model_construct(), complete(read(fields), options))


def _measure(fields: Fields, options: Fields) -> Fields:
    """Fill in text and measurements, from the preset unless options say else."""
    preset = look_up(PRESETS, options["preset"], "preset")
    text = {"sequences": preset.sequences, "length": preset.length} | fields["text"]
    measured, sketch = preset.measurements, options["sketch"] or (preset.sketch and not options["perturb"])
    if options["perturb"] or options["seeds"]:
        names = [name for each in options["perturb"] for name in each.split(",")]
        kinds = [perturbation(each).sourced(absolute) for each in names] or [each.perturbation for each in measured]
        measured = measurements(kinds, numbers(options["seeds"] or "0", "seeds"))
    return fields | {"text": text, "measurements": measured, "sketch": sketch}


def _compare(fields: Fields, options: Fields) -> Fields:
    """Fill in what is taken from the other checkpoint: each layer in turn; on request each linear too."""
    [compared] = fields["measurements"].values()
    kinds = [{"kind": "checkpoint"}, *[{"kind": "checkpoint_linear", "linear": EACH}] * options["exact"]]
    return fields | {"measurements": [{"perturbation": kind | compared["perturbation"]} for kind in kinds]}


def _prune(fields: Fields, options: Fields) -> Fields:
    """Fill in a study of one recipe."""
    [recipe], allocation, at_most = fields["settings"].values(), options["allocation"], options["at_most"]
    allocation = allocation or (at_most and "uniform")
    read: Fields = {}
    if isinstance(allocation, str):
        read = {"allocation": grammar.read_allocation(allocation, at_most, recipe.get("pruner"))}
    if read and recipe.get("pruner") == DEFAULT_PRUNER and read["allocation"].budget_unit.levels:
        del recipe["pruner"]  # nobody chose it
        if options.get("format") == COMPRESSED and read["allocation"].budget_unit is BITS:
            read = {"allocation": joined(read["allocation"]), "pruner": SYMMETRIC[0]}
    return _evaluate(fields | {"settings": (checked(Recipe, **recipe | read),)}, options)


def _evaluate(fields: Fields, options: Fields) -> Fields:
    """Fill in a study of the dense model alone."""
    tasks = (name.strip() for each in options["tasks"] for name in each.split(","))
    return fields | {"evaluation": fields["evaluation"] | {"tasks": tuple(unique(filter(None, tasks)))}}


def _best(fields: Fields, options: Fields) -> Fields:
    """Fill in the quantiser that meets a number of bytes, the target by what the pruner counts, and the folder."""
    if options["at_most"] and fields["pruner"] == DEFAULT_PRUNER:  # nobody chose it
        fields["pruner"] = default_pruner(GGUF)
    row, target = PRUNERS.get(fields["pruner"]), options["target"]
    if row and row.budget_unit.levels and isinstance(target, str):
        fields["target"] = row.budget_unit.read(target)
    return fields


# command -> its request, and the function that completes the fields its options fill
_FORMS: dict[str, tuple[Any, Callable[[Fields, Fields], Fields]]] = {
    "measure": (MeasureRequest, _measure),
    "compare": (MeasureRequest, _compare),
    "anchors": (StudyRequest, lambda fields, options: fields | {"settings": [{}]}),
    "prune": (StudyRequest, _prune),
    "evaluate": (StudyRequest, _evaluate),
    "best": (BestRequest, _best),
}


# --- to a line -------------------------------------------------------------------------------------------------------


def command_line(request: CommandRequest, device: str | None = None, cache: Path | None = None, **more: object) -> str:
    """The `python -m core ...` line that repeats a request, quoted for this system's shell.

    Args:
        more: option values by name, in place of the request's; None leaves an option out.

    Raises:
        UserError: no command can express the request, and why.
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
    words = [part for option in OPTIONS[command] for part in option.line(values.get(option.name))]
    return quoted(("python", "-m", "core", command, *words))


def quoted(line: Iterable[str]) -> str:
    """Join words, quoted for this system's shell."""
    return subprocess.list2cmdline(list(line)) if sys.platform == "win32" else shlex.join(line)


def _command_of(request: CommandRequest) -> str:
    if isinstance(request, StudyRequest):
        if len(request.settings) > 1:
            raise UserError(f"a command takes one setting and these are {len(request.settings)}: use the study file")
        return "prune" if request.settings else "evaluate"
    return next(name for name, (form, _) in _FORMS.items() if isinstance(request, form))


def _values(request: CommandRequest, name: str) -> Fields:
    """Option values by name, without options whose fields differ or are set by an earlier option."""
    values_by_option, covered = {}, set()
    for option in OPTIONS[name]:
        values = [field_at(request, path) for path in option.of]
        if values and not covered.issuperset(option.of) and all(each == values[0] for each in values):
            values_by_option[option.name] = values[0]
            covered.update(option.of)
    if isinstance(request, MeasureRequest):
        values_by_option |= _measured(request)
    elif isinstance(request, StudyRequest):
        values_by_option["examples"] = request.evaluation.examples or 0
    return values_by_option


def _measured(request: MeasureRequest) -> Fields:
    """The name of a preset with a sketch where it has none, else the perturbations and their seeds."""
    measured = request.measurements
    presets = ((name, each) for name, each in PRESETS.items() if each.measurements == measured)
    for name, each in presets:
        if request.sketch or not each.sketch:
            return {"preset": name, "sketch": request.sketch and not each.sketch}
    seeds = tuple(unique(each.seed for each in measured if each.perturbation.noise))
    return {"perturb": unique(each.perturbation for each in measured), "seeds": None if seeds in ((), (0,)) else seeds}
