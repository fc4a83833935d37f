"""The values of options -> requests: `core.ask.command_table` the other way round, by the same table."""

from __future__ import annotations

from functools import reduce
from types import SimpleNamespace
from typing import Any

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.command_table import ALIASES, OPTIONS, RUN, SPREAD
from core.ask.measurements import MeasureRequest, measurements
from core.ask.requests import BestRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import WindowRequest
from core.ask.typed import absolute, build
from core.base.errors import UserError
from core.base.spec import checked, look_up
from core.kinds import BASES, Checkpoint
from core.kinds.patterns import pattern


def measure(given: SimpleNamespace) -> MeasureRequest:
    """What `measure` asks."""
    if given.engine not in ("wavefront", "hooks"):
        raise UserError(f"--engine {given.engine!r}: give wavefront or hooks")
    aside = {"engine", *(option.name for option in (*SPREAD, *RUN))}
    said = {name: value for name, value in vars(given).items() if name not in aside}
    return build(**said | {"perturb": given.perturb or []})


def compare(given: SimpleNamespace) -> MeasureRequest:
    """What `compare` asks: every layer of the model taken from the other checkpoint in turn."""
    found = _fields("compare", given)
    [taken] = found.pop("measurements").values()
    text = checked(WindowRequest, **found.pop("text"))
    return checked(MeasureRequest, **found, text=text, measurements=measurements([Checkpoint(**taken["perturbation"])]))


def prune(given: SimpleNamespace) -> StudyRequest:
    """What `prune` asks: a study of one setting."""
    found = _fields("prune", given)
    usual = AllocationRequest() if given.pattern is None else uniform(pattern(given.pattern).sparsity)
    allocation = grammar.read_allocation(given.allocation) if given.allocation else usual
    [setting] = found.pop("settings").values()
    settings = (checked(Setting, **setting, allocation=allocation),)
    return _study(found, given, settings=settings, calibration=checked(WindowRequest, **found.pop("calibration")))


def evaluate(given: SimpleNamespace) -> StudyRequest:
    """What `evaluate` asks: a study of the dense model alone."""
    return _study(_fields("evaluate", given), given)


def best(given: SimpleNamespace) -> BestRequest:
    """What `best` asks."""
    if given.text is not None and given.calibration and given.selection and given.final:
        raise UserError("--text has no role left: --calibration, --selection and --final name a text for each")
    found = _fields("best", given)
    text = None if given.text is None else absolute(given.text)
    for role in ("calibration", "selection", "final"):
        source = found[role].pop("source") or text or BestRequest.model_fields[role].default.source
        found[role] = checked(WindowRequest, **found[role], source=source)
    return checked(BestRequest, **found)


def allocation(given: SimpleNamespace) -> AllocationRequest:
    """What `allocate` asks to be allocated, in one word or by its parts.

    Raises:
        UserError: both, a method that is not known, or a part that it has not.
    """
    found = {each.name: getattr(given, each.name) for each in ALIASES}
    said = {name: value for name, value in found.items() if value not in (None, False)}
    if given.allocation is not None:
        if said:
            raise UserError(f"--allocation says it all: leave --{next(iter(said))} out, or --allocation")
        return grammar.read_allocation(given.allocation)
    usual = AllocationRequest.model_fields["target"].default
    base, target = said.pop("base", "uniform"), said.pop("target", usual)
    if look_up(BASES, base, "allocator").by_hand and "sparsity" not in said:
        raise UserError(f"{base} needs --sparsity, a number per layer, as in --sparsity 0.6,0.7,0.8")
    if "sparsity" in said:
        said["sparsity"] = tuple(said["sparsity"].split(","))
    return grammar.built(base, said, target)


def _fields(command: str, given: SimpleNamespace) -> dict[str, Any]:
    """What the options of a command say of its request, nested as its fields are."""
    found: dict[str, Any] = {}
    for option in OPTIONS[command]:
        value = option.given(getattr(given, option.name))
        for path in option.of:
            *into, last = path.split(".")
            reduce(lambda inside, name: inside.setdefault(name, {}), into, found)[last] = value
    return found


def _study(found: dict[str, Any], given: SimpleNamespace, **more: object) -> StudyRequest:
    judged = found.pop("evaluation")
    judged["tasks"] = judged["tasks"] or ()
    if given.tasks_from and not judged["tasks"]:
        raise UserError(
            f"--tasks-from {given.tasks_from} names a folder and no task in it: add --tasks NAME, or leave it out"
        )
    text = checked(WindowRequest, **judged.pop("text"))
    return checked(StudyRequest, **found, **more, evaluation=checked(EvaluationRequest, **judged, text=text))
