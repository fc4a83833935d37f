"""Study files: the recipes of a model, and the text that they are evaluated on."""

import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated

import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from core.base import Fields, UserError, checked, expanded, gist, number, read_text, with_changes
from core.methods import DEFAULT_PRUNER, MIXED, MIXED_GONE
from core.requests import grammar
from core.requests.inputs import WindowRequest
from core.requests.parsing import with_paths
from core.requests.recipes import Recipe, read_recipe
from core.requests.studies import StudyRequest

STUDY_FILE = "study.toml"  # its name in commands
MAX_SETTINGS = 10_000  # of a file: each is pruned and evaluated, a minute or more
OF_TEXT = {name: name for name in WindowRequest.model_fields} | {"windows": "sequences"}  # word of a file -> field

Names = Annotated[list[str], Field(min_length=1)]


class Lists(BaseModel):
    """Recipes of a study file: all of `points`, and every combination of the others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    points: Names = Field([], description="settings with their targets, as in owl m=5 by=sparsegpt:0.7")
    pruners: Names = [DEFAULT_PRUNER]
    repairs: Names = ["none"]
    targets: Annotated[list[float], Field(min_length=1)] = [0.7]
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    settings: Names = ["uniform"]


def read_study(path: Path) -> StudyRequest:
    """Read a .toml file.

    Each of `settings` (written as `owl m=5 strength=0.04`) is combined with each of `targets`, `pruners`, `repairs`
    (`none` or `refit`) and `seeds` (calibration seeds). A setting may be an allocation file, as in `allocation.json`,
    whose own budget replaces the targets. `points` are added: whole recipes, as in
    `uniform pattern=2:4 by=sparsegpt:0.5`; without `settings` and `targets` they are the whole study. `[calibration]`
    and `[evaluation]` name texts. Paths are relative to the file's folder.

    Raises:
        UserError: no such file, no TOML, an unknown name, or an invalid value.
    """
    try:
        content = tomllib.loads(read_text(path, "study file"))
        str(content)  # a number of thousands of digits written in hex cannot be printed in messages
    except (ValueError, RecursionError) as error:  # thousands of digits raise ValueError, no TOMLDecodeError
        raise UserError(f"{path.name} is not TOML: {gist(error)}") from error
    folder = path.resolve().parent
    lists = checked(Lists, **{name: content.pop(name) for name in Lists.model_fields if name in content})
    for name in ("calibration", "evaluation"):
        if isinstance(content.get(name), dict):
            content[name] = _section(content[name], name == "evaluation")
    return with_changes(StudyRequest(), with_paths(content, folder) | {"settings": tuple(_settings(lists, folder))})


def _section(fields: Fields, judged: bool) -> Fields:
    """A section as fields of the request; that of `[evaluation]` has its text nested."""
    text = {OF_TEXT[name]: fields.pop(name) for name in OF_TEXT if name in fields}
    if not judged:
        return text | fields
    return {"text": text} | {"seed" if name == "task_seed" else name: value for name, value in fields.items()}


def _settings(lists: Lists, folder: Path) -> Iterator[Recipe]:
    named = [] if lists.points and not {"targets", "settings"} & lists.model_fields_set else lists.settings
    words = [each for each in named if not each.endswith(".json")]
    files = [each for each in named if each not in words]
    each_way = len(lists.pruners) * len(lists.repairs) * len(lists.seeds)
    if (count := each_way * (len(words) * len(lists.targets) + len(files)) + len(lists.points)) > MAX_SETTINGS:
        raise UserError(
            f"the study file asks for {count:,} settings, every one of its lists with every other, and "
            f"{MAX_SETTINGS:,} are allowed: shorten a list, or make several studies"
        )
    allocations = [*map(cache(lambda each: grammar.from_file(folder / expanded(each))), files)]
    for pruner, repair in product(lists.pruners, lists.repairs):
        how = f"by={pruner}" + (f" repair={repair}" if repair != "none" else "")
        for target, method, seed in product(lists.targets, words, lists.seeds):
            yield read_recipe(f"{method} {how} calibration_seed={seed}:{number(target)}")
        more = {"pruner": pruner, "repair": None if repair == "none" else repair}
        for each, seed in product(allocations, lists.seeds):
            yield checked(Recipe, allocation=each, calibration_seed=seed, **more)
    yield from map(read_recipe, lists.points)


def write_study(request: StudyRequest) -> str:
    """Write the study file that `read_study` reads back as this request.

    Raises:
        UserError: an allocation set by hand, which no line can express, or a budget that is no longer offered.
    """
    for each in request.settings:
        grammar.write(each.allocation)
        if each.allocation.budget_unit is MIXED:
            raise UserError(MIXED_GONE)
    content = request.model_dump(mode="json", exclude={"settings"}, exclude_none=True)
    tasks = content.pop("evaluation")
    text, seed = tasks.pop("text"), tasks.pop("seed")
    content |= {"points": [each.name for each in request.settings]}
    content["evaluation"] = text | {"task_seed": seed, "examples": 0} | tasks
    return f"# python -m core study {STUDY_FILE}\n" + tomli_w.dumps(content)
