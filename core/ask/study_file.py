"""A study as a file: which settings of which model, evaluated on what."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.ask import grammar
from core.ask.inputs import WindowRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.typed import absolute, span
from core.base.errors import UserError
from core.base.escape import brief
from core.base.formats import gist
from core.base.paths import expanded, read_text, resolved
from core.base.spec import Spec, checked, number, revised
from core.kinds.patterns import pattern
from core.kinds.treatments import USUAL

STUDY_FILE = "study.toml"  # as commands call it
ALLOCATION_FILE = ".json"
OF_LISTS = ("strength", "control", "seed")  # of a correction, where the file lists strengths
WHOLE = ("model", "revision", "dtype", "profile")  # of the request, as they are
OF_WINDOWS = (*WindowRequest.model_fields, "windows")  # the last: another word for `sequences`
# of the evaluation: as a file calls it -> as the request does
OF_TASKS = {"tasks": "tasks", "tasks_from": "tasks_from", "examples": "examples", "task_seed": "seed"}
SECTIONS = {"calibration": OF_WINDOWS, "evaluation": (*OF_WINDOWS, *OF_TASKS)}

Names = Annotated[list[str], Field(min_length=1)]
Numbers = Annotated[list[float], Field(min_length=1)]


class Lists(BaseModel):
    """What a study file says of its settings: every combination of them is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    true_sequential: bool = False
    pruners: Names = [USUAL]
    repairs: Names = Field(["none"], examples=[["none", "refit"]])
    targets: Numbers = [0.7]
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    settings: Names = ["uniform"]
    strengths: Numbers = Field([], examples=[[0, 0.04]])
    controls: Names = ["none"]
    shuffles: Annotated[int, Field(ge=1, le=1000)] = Field(5, description="permutations of the shuffled control")
    patterns: Names = Field([], examples=[["2:4"]])


# --- read ----------------------------------------------------------------------------------------------------------


def read_study(path: Path) -> StudyRequest:
    """Read a .toml file.

    Every setting of `settings` (written as `owl m=5 lam=0.08`) is combined with every one of `targets`, `pruners`,
    `repairs` (`none` or `refit`) and `seeds` (calibration seeds). One may be a file, as in `allocation.json`: an
    allocation that was written down, with a budget of its own in place of the targets. `patterns` (N kept of M, as in
    `2:4`) join them, uniform at the sparsity that each fixes; where none of `settings`, `targets` and `strengths` is
    given, they are all. `[calibration]` and `[evaluation]` name texts. Paths count from the file's folder.

    `strengths` and `controls` put the absorption-aware correction on every setting, each strength with each control:

        strengths = [0, 0.02, 0.04]                             # 0: the setting without a correction, once
        controls = ["none", "reversed", "shuffled", "ramp"]     # default: ["none"], the correction itself
        shuffles = 5                                            # `shuffled` stands for so many, of seeds 0 to 4

    The settings may still name its `driver` and `clip`, but no `strength`, `control` or `seed`.

    Raises:
        UserError: no such file, no TOML, an unknown name, or a value that cannot be.
    """
    try:
        told = tomllib.loads(read_text(path, "study file"))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOMLDecodeError
        raise UserError(f"{path.name} is not TOML: {gist(error)}") from error
    _check_names(told, path.name, (*WHOLE, *Lists.model_fields, *SECTIONS))
    folder = path.resolve().parent
    whole = {name: told[name] for name in WHOLE if name in told}
    if isinstance(whole.get("model"), str):
        whole["model"] = absolute(whole["model"], folder)
    sections = {name: _section(name, told.get(name, {}), folder) for name in SECTIONS}
    settings = _settings(_listed({name: told[name] for name in Lists.model_fields if name in told}), folder)
    return revised(StudyRequest(), whole | sections | {"settings": settings})


def _check_names(told: dict[str, Any], where: str, known: Iterable[str]) -> None:
    odd = next((name for name in told if name not in known), None)
    if odd is not None:
        raise UserError(f"{where} has no {brief(odd)}: it knows {', '.join(sorted(known))}")


def _listed(told: dict[str, Any]) -> Lists:
    try:
        return Lists.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        field = Lists.model_fields[name]
        usual = field.examples[0] if field.examples else field.default
        if isinstance(usual, list):
            raise UserError(f"{name} must be a list, as in {name} = {usual}") from error
        raise UserError(f"{name} = {brief(first['input'])}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error


def _section(name: str, told: Any, folder: Path) -> Spec:
    """What `[calibration]` or `[evaluation]` says, over what is usual."""
    if not isinstance(told, dict):
        raise UserError(f"{name} = {brief(told)} must be a section of its own, [{name}]")
    _check_names(told, f"[{name}]", SECTIONS[name])
    text = {each: told[each] for each in OF_WINDOWS if each in told}
    tasks = {OF_TASKS[each]: told[each] for each in OF_TASKS if each in told}
    if "windows" in text:
        text["sequences"] = text.pop("windows")
    if isinstance(text.get("source"), str):
        text["source"] = absolute(text["source"], folder)
    if isinstance(text.get("documents"), str):
        text["documents"] = span(text["documents"])
    if "tasks_from" in tasks and not tasks.get("tasks"):
        raise UserError("tasks_from names a folder and tasks names nothing of it: list tasks, or leave both out")
    if isinstance(tasks.get("tasks_from"), str):
        tasks["tasks_from"] = str(resolved(folder / expanded(tasks["tasks_from"])))
    if tasks.get("examples") == 0:
        tasks["examples"] = None  # all, as on the command line
    usual = getattr(StudyRequest(), name)
    try:
        return revised(usual, tasks | {"text": text} if isinstance(usual, EvaluationRequest) else text)
    except UserError as error:
        raise UserError(f"[{name}] {error}") from error


def _settings(found: Lists, folder: Path) -> tuple[Setting, ...]:
    alone = found.patterns and not {"targets", "settings", "strengths"} & found.model_fields_set
    words = [] if alone else _methods(found)
    files = [each for each in words if each.endswith(ALLOCATION_FILE)]
    asked = [(grammar.method(each, target), None) for target in found.targets for each in words if each not in files]
    asked += [(grammar.from_file(folder / expanded(each)), None) for each in files]
    asked += [(uniform(pattern(each).sparsity), each) for each in found.patterns]
    return tuple(
        checked(
            Setting,
            pruner=pruner,
            repair=None if repair == "none" else repair,
            allocation=allocation,
            pattern=kept,
            true_sequential=found.true_sequential,
            calibration_seed=seed,
        )
        for pruner in found.pruners
        for repair in found.repairs
        for allocation, kept in asked
        for seed in found.seeds
    )


def _methods(found: Lists) -> list[str]:
    """The settings in words, each with every correction that the file lists."""
    if not found.strengths:
        odd = next((name for name in ("controls", "shuffles") if name in found.model_fields_set), None)
        if odd:
            raise UserError(f"{odd} without strengths says nothing: add a list, as in strengths = [0, 0.04]")
        return found.settings
    for words in found.settings:
        twice = next((name for name in OF_LISTS if any(part.startswith(f"{name}=") for part in words.split())), None)
        if twice:
            said = f"{brief(words)} has a {twice} where strengths are listed"
            raise UserError(f"{said}: leave it to strengths and controls")
        if words.endswith(ALLOCATION_FILE):
            raise UserError(f"{brief(words)} is a file, which no correction is put on: leave out the file or strengths")
    return list(dict.fromkeys(f"{words} {more}".strip() for words in found.settings for more in _corrections(found)))


def _corrections(found: Lists) -> Iterable[str]:
    """Every strength with every control, in words; strength 0, which no control changes, is none at all."""
    for strength in found.strengths:
        for control in found.controls:
            seeds = range(found.shuffles) if control == "shuffled" else (0,)
            more = f"strength={number(strength)} control={control}"
            yield from [f"{more} seed={seed}" for seed in seeds] if strength else [""]


# --- written -------------------------------------------------------------------------------------------------------


def write_study(request: StudyRequest) -> str:
    """The study file that `read_study` reads back as this request, its settings perhaps in another order.

    Raises:
        UserError: settings that such a file cannot say: set by hand, or no product of targets, allocations and seeds.
    """
    said = {
        **request.model_dump(include={"model", "revision", "dtype", "profile"}, exclude_none=True),
        **_lists(request.settings),
        "calibration": _said(request.calibration, "sequences"),
        "evaluation": _said(request.evaluation.text, "windows") | _said_of_tasks(request.evaluation),
    }
    return f"# python -m core study {STUDY_FILE}\n" + tomli_w.dumps(said)


def _lists(asked: tuple[Setting, ...]) -> dict[str, Any]:
    """The lists whose every combination is asked for."""
    found: dict[str, Any] = {"true_sequential": True} if any(each.true_sequential for each in asked) else {}
    found["pruners"] = _each(setting.pruner for setting in asked)
    found |= {"repairs": _each(each.repair or "none" for each in asked)} if any(each.repair for each in asked) else {}
    found["seeds"] = _each(setting.calibration_seed for setting in asked)
    patterns = _each(setting.pattern for setting in asked)
    if all(patterns):
        found["patterns"] = patterns
    else:
        found["targets"] = _each(setting.allocation.target for setting in asked)
        found["settings"] = _each(grammar.words(setting.allocation) for setting in asked)
    if not asked or {*map(_plain, _settings(Lists(**found), Path()))} != {*map(_plain, asked)}:
        raise UserError("not every allocation is possible at every target, so a study file cannot say this list")
    return found


def _each(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _plain(setting: Setting) -> Setting:
    """Where nothing is corrected, it does not matter by what."""
    corrected = setting.allocation.correction.strength
    return setting if corrected else setting.model_copy(update={"allocation": setting.allocation.plain})


def _said(asked: WindowRequest, count: str) -> dict[str, Any]:
    given = asked.model_dump(include={"seed", "packing", "bos"}, exclude_defaults=True)
    span = {"documents": "{}-{}".format(*asked.documents)} if asked.documents else {}
    return {"source": asked.source, **span, count: asked.sequences, "length": asked.length, **given}


def _said_of_tasks(asked: EvaluationRequest) -> dict[str, Any]:
    given = asked.model_dump(include=set(OF_TASKS.values()), exclude_defaults=True)
    if not asked.tasks:
        given.pop("tasks_from", None)
    return {name: given[field] for name, field in OF_TASKS.items() if field in given} | {
        "examples": asked.examples or 0
    }
