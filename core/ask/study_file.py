"""A study as a file: which settings of which model, evaluated on what."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.ask import grammar
from core.ask.settings import Setting, uniform
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import USUAL_CALIBRATION, USUAL_EVALUATION, WindowRequest
from core.ask.typed import absolute, span
from core.base.errors import UserError
from core.base.escape import brief
from core.base.formats import gist
from core.base.paths import expanded, read_text, resolved
from core.base.spec import checked, number
from core.kinds.patterns import pattern
from core.kinds.treatments import USUAL

STUDY_FILE = "study.toml"  # as commands call it
ALLOCATION_FILE = ".json"
OF_LISTS = ("strength", "control", "seed")  # of a correction, where the file lists strengths
FORMS = {"string_type": "text in quotes", "int_type": "a whole number", "bool_type": "true or false"}

Count = Annotated[int, Field(ge=1)]
Names = Annotated[list[str], Field(min_length=1)]
Numbers = Annotated[list[float], Field(min_length=1)]


class Section(BaseModel):
    """`[calibration]`: windows of a text. `windows` is another word for `sequences`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str = ""
    documents: Any = None
    sequences: Count = 1
    windows: Count = 1
    length: Count = 1
    seed: int = 0
    packing: str | None = None
    bos: str = "protocol"


class Judged(Section):
    """`[evaluation]`: windows of a text, and zero-shot tasks."""

    tasks: list[str] = Field([], examples=[["arc_easy"]])
    tasks_from: str | None = None
    examples: int = Field(0, description="0: all, as on the command line")
    task_seed: int = 0


class StudyFile(BaseModel):
    """What a study file may say; where it says nothing of a name, the default counts."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = "demo"
    revision: str | None = None
    dtype: str = "float32"
    profile: str | None = None
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
    calibration: Section = Section()
    evaluation: Judged = Judged()


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
        found = StudyFile.model_validate(tomllib.loads(read_text(path, "study file")))
    except ValidationError as error:
        raise UserError(_sentence(error, path.name)) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOMLDecodeError
        raise UserError(f"{path.name} is not TOML: {gist(error)}") from error
    folder = path.resolve().parent
    return checked(
        StudyRequest,
        model=absolute(found.model, folder),
        calibration=_window(found.calibration, "[calibration]", folder, USUAL_CALIBRATION),
        settings=_settings(found, folder),
        evaluation=_evaluation(found.evaluation, folder),
        **found.model_dump(include={"revision", "dtype", "profile"}, exclude_unset=True),
    )


def _sentence(error: ValidationError, file: str) -> str:
    """The first thing that is wrong with a file, and what would be right."""
    first = error.errors()[0]
    *section, name = [part for part in first["loc"] if isinstance(part, str)]
    form = StudyFile.model_fields[section[0]].annotation if section else StudyFile
    where = f"[{section[0]}]" if section else file
    if first["type"] == "extra_forbidden":
        return f"{where} has no {brief(name)}: it knows {', '.join(sorted(form.model_fields))}"
    field = form.model_fields[name]
    usual = field.examples[0] if field.examples else field.default
    if isinstance(usual, list):
        return f"{name} must be a list, as in {name} = {usual}"
    if isinstance(usual, BaseModel):
        return f"{name} = {brief(first['input'])} must be a section of its own, [{name}]"
    right = FORMS.get(first["type"]) or "1 or more"
    return f"{name} = {brief(first['input'])}{f' of {where}' if section else ''} must be {right}"


def _settings(found: StudyFile, folder: Path) -> tuple[Setting, ...]:
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


def _methods(found: StudyFile) -> list[str]:
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


def _corrections(found: StudyFile) -> Iterable[str]:
    """Every strength with every control, in words; strength 0, which no control changes, is none at all."""
    for strength in found.strengths:
        for control in found.controls:
            seeds = range(found.shuffles) if control == "shuffled" else (0,)
            more = f"strength={number(strength)} control={control}"
            yield from [f"{more} seed={seed}" for seed in seeds] if strength else [""]


def _evaluation(found: Judged, folder: Path) -> EvaluationRequest:
    given = found.model_dump(include={"tasks", "tasks_from", "examples", "task_seed"}, exclude_unset=True)
    if "task_seed" in given:
        given["seed"] = given.pop("task_seed")
    if "examples" in given:
        given["examples"] = given["examples"] or None
    if "tasks_from" in given:
        if not found.tasks:
            raise UserError("tasks_from names a folder and tasks names nothing of it: list tasks, or leave both out")
        given["tasks_from"] = str(resolved(folder / expanded(given["tasks_from"])))
    return checked(EvaluationRequest, text=_window(found, "[evaluation]", folder, USUAL_EVALUATION), **given)


def _window(found: Section, where: str, folder: Path, usual: WindowRequest) -> WindowRequest:
    given = usual.model_dump(include={"source", "sequences", "length"})
    given |= found.model_dump(include=set(Section.model_fields), exclude_unset=True)
    given["sequences"] = given.pop("windows", given["sequences"])
    given["source"] = absolute(given["source"], folder)
    if isinstance(given.get("documents"), str):
        given["documents"] = span(given["documents"])
    return checked(WindowRequest, **given)


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
    if not asked or {*map(_plain, _settings(StudyFile(**found), Path()))} != {*map(_plain, asked)}:
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
    found: dict[str, Any] = {"tasks": list(asked.tasks)} if asked.tasks else {}
    found |= {"tasks_from": asked.tasks_from} if asked.tasks and asked.tasks_from else {}
    found |= {"examples": asked.examples or 0}
    return found | ({"task_seed": asked.seed} if asked.seed else {})
