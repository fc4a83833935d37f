"""A study as a file: which settings of which model, evaluated on what."""

import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from core.base import Fields, UserError, checked, expanded, gist, number, read_text, with_changes
from core.methods import DEFAULT_PRUNER
from core.requests import grammar
from core.requests.inputs import WindowRequest
from core.requests.parsing import with_paths
from core.requests.recipes import Recipe, read_recipe
from core.requests.studies import StudyRequest

STUDY_FILE = "study.toml"  # as commands call it
OF_TEXT = {name: name for name in WindowRequest.model_fields} | {"windows": "sequences"}  # as a file says -> field

Names = Annotated[list[str], Field(min_length=1)]


class Lists(BaseModel):
    """What a study file says of its settings: every one of `points`, and every combination of the others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    points: Names = Field([], description="settings with their targets, as in owl m=5 by=sparsegpt:0.7")
    pruners: Names = [DEFAULT_PRUNER]
    repairs: Names = ["none"]
    targets: Annotated[list[float], Field(min_length=1)] = [0.7]
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    settings: Names = ["uniform"]


def read_study(path: Path) -> StudyRequest:
    """Read a .toml file.

    Every setting of `settings` (written as `owl m=5 strength=0.04`) is combined with every one of `targets`, `pruners`,
    `repairs` (`none` or `refit`) and `seeds` (calibration seeds). One may be a file, as in `allocation.json`: an
    allocation that was written down, with a budget of its own in place of the targets. `points` join them, settings
    that are written whole, as in `uniform pattern=2:4 by=sparsegpt:0.5`; where neither `settings` nor `targets` is
    given, they are all. `[calibration]` and `[evaluation]` name texts. Paths count from the file's folder.

    Raises:
        UserError: no such file, no TOML, an unknown name, or a value that cannot be.
    """
    try:
        said = tomllib.loads(read_text(path, "study file"))
        str(said)  # a number of thousands of digits that is written in hex is none for messages
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOMLDecodeError
        raise UserError(f"{path.name} is not TOML: {gist(error)}") from error
    folder = path.resolve().parent
    lists = checked(Lists, **{name: said.pop(name) for name in Lists.model_fields if name in said})
    for name in ("calibration", "evaluation"):
        if isinstance(said.get(name), dict):
            said[name] = _section(said[name], name == "evaluation")
    return with_changes(StudyRequest(), with_paths(said, folder) | {"settings": tuple(_settings(lists, folder))})


def _section(said: Fields, judged: bool) -> Fields:
    """A section by the fields of the request; of `[evaluation]` the text is within it."""
    text = {OF_TEXT[name]: said.pop(name) for name in OF_TEXT if name in said}
    if not judged:
        return text | said
    return {"text": text} | {"seed" if name == "task_seed" else name: value for name, value in said.items()}


def _settings(lists: Lists, folder: Path) -> Iterator[Recipe]:
    named = [] if lists.points and not {"targets", "settings"} & lists.model_fields_set else lists.settings
    words = [each for each in named if not each.endswith(".json")]
    files = [grammar.from_file(folder / expanded(each)) for each in named if each not in words]
    for pruner, repair in product(lists.pruners, lists.repairs):
        how = f"by={pruner}" + (f" repair={repair}" if repair != "none" else "")
        for target, method, seed in product(lists.targets, words, lists.seeds):
            yield read_recipe(f"{method} {how} calibration_seed={seed}:{number(target)}")
        more = {"pruner": pruner, "repair": None if repair == "none" else repair}
        for each, seed in product(files, lists.seeds):
            yield checked(Recipe, allocation=each, calibration_seed=seed, **more)
    yield from map(read_recipe, lists.points)


def write_study(request: StudyRequest) -> str:
    """The study file that `read_study` reads back as this request.

    Raises:
        UserError: a setting that was set by hand, which no line can say.
    """
    for each in request.settings:
        grammar.write(each.allocation)
    said = request.model_dump(mode="json", exclude={"settings"}, exclude_none=True)
    tasks = said.pop("evaluation")
    text, seed = tasks.pop("text"), tasks.pop("seed")
    said |= {"points": [each.name for each in request.settings]}
    said["evaluation"] = text | {"task_seed": seed, "examples": 0} | tasks
    return f"# python -m core study {STUDY_FILE}\n" + tomli_w.dumps(said)
