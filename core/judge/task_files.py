"""Zero-shot tasks from a folder of YAML files, as lm-eval reads them, without anything that could use the network.

A file is plain data of bounded size: keys that run code from the folder (`!function` tags, data in other formats),
read more than the hashed files (`use_prompt`) or write anywhere (`cache_dir`) are refused.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, create_model

from core.base import (
    Fields,
    Spec,
    UserError,
    access,
    brief,
    checked,
    exists,
    frozen,
    gist,
    read_text,
    readable,
)
from core.judge.sandbox import json_extent, table_extent
from core.store import sha256

DEEPEST = 100  # nested brackets: JSON readers may break at thousands
WIDEST = 10**7  # values, counting those that rows leave out: they are read one by one all the same
MOST_FILES = 10  # a task's own, and those that it includes

# --- keys of a task over choices, and the values that each may have -------------------------------------------------

Names = str | list[str]
Count = Annotated[int, Field(ge=0, le=100)]


class Plain(Spec):
    """Spec without type conversion: `"3"` is no number, as for lm-eval."""

    model_config = ConfigDict(strict=True)


class Metric(Plain):
    metric: Literal["acc", "acc_norm"]
    aggregation: Literal["mean"] = "mean"
    higher_is_better: bool = True


class Reading(Plain):
    """Options for reading data files with datasets; none that write or read elsewhere."""

    data_files: dict[str, str]
    field: str | None = None
    delimiter: Annotated[str, Field(max_length=1)] | None = None
    keep_default_na: bool = True


TEXTS = (
    "doc_to_text gen_prefix fewshot_delimiter target_delimiter task_alias dataset_name training_split validation_split "
    "test_split fewshot_split description doc_to_decontamination_query"
)
Keys = create_model(
    "Keys", __base__=Plain, **dict.fromkeys(TEXTS.split(), (str | None, None)),
    task=(Annotated[str, Field(max_length=200, pattern=r"^[^\s\x00-\x1f]+$")], ...), tag=(Names | None, None),
    dataset_path=(Literal["csv", "json"], ...),  # columns are text and numbers, never paths to open
    dataset_kwargs=(Reading, ...), num_fewshot=(Count | None, None),
    fewshot_config=(dict[Literal["sampler"], Literal["default", "first_n"]] | None, None),
    output_type=(str, ...), doc_to_choice=(Names, ...), doc_to_target=(str | int | list[int], ...),
    metric_list=(list[Metric] | None, None), repeats=(Literal[1], 1), should_decontaminate=(bool, False),
    metadata=(Any, None),
)  # fmt: skip


# --- a folder ------------------------------------------------------------------------------------------------------


@frozen
class TaskFile:
    """A task defined by its YAML file and the files that it includes."""

    name: str
    config: Fields
    sources: tuple[Path, ...]  # the YAML file first, then what it includes

    @property
    def tags(self) -> list[str]:
        tag = self.config.get("tag")
        return tag if isinstance(tag, list) else [] if tag is None else [tag]


def read(folder: Path) -> dict[str, TaskFile]:
    """Read the tasks in a folder and below it, by name.

    Raises:
        UserError: no such folder or task, a file that cannot be read or leads out of a server's folder, a name twice.
    """
    if not access.inside(folder).is_dir():
        raise UserError(f'there is no folder of task files "{folder}"')
    tasks = {}
    for path in sorted(folder.rglob("*.yaml")):
        config, sources = _merged(path)
        if isinstance(name := config.get("task"), str):  # neither a template that others include nor a group
            if name in tasks:
                raise UserError(f"the task {name} is defined twice, in {tasks[name].sources[0].name} and {path.name}")
            tasks[name] = TaskFile(name, config, sources)
    if not tasks:
        raise UserError(f'the folder "{folder}" defines no task: a task is a .yaml file with the key "task"')
    return tasks


def with_data(task: TaskFile) -> tuple[Fields, tuple[Path, ...], str]:
    """Configuration with absolute paths to its data; the YAML files and the data files; the hash of their content.

    Paths are relative to the working directory, as in lm-eval, or else to the YAML file's folder.

    Raises:
        UserError: a file is missing or leads out of the folder of a server, none is named, or the task is more than
            templates over plain data.
    """
    from datasets import config

    try:
        checked(Keys, **task.config)
    except UserError as error:
        raise UserError(
            f"the task {task.name} ({task.sources[0].name}) cannot be read: {gist(error)}: a task over choices is "
            "its data_files, doc_to_text, doc_to_choice and doc_to_target"
        ) from error
    options = task.config["dataset_kwargs"]
    data = {split: _data_file(task, name) for split, name in options["data_files"].items()}
    read = content(files := (*task.sources, *data.values()))
    reading = options | {
        "data_files": {split: str(path) for split, path in data.items()},
        # datasets finds its copy of a file again by path and time alone: a place for every content keeps them apart
        "cache_dir": str(Path(config.HF_DATASETS_CACHE) / read[:16]),
    }
    return {**task.config, "dataset_kwargs": reading}, files, read


def _data_file(task: TaskFile, written: str) -> Path:
    """Path of a task's data file; refuses packed files, names that are patterns, and deeply nested JSON."""
    from datasets.utils.extract import Extractor

    places = (Path.cwd() / written, task.sources[0].parent / written)
    file = next((each for each in places if access.permits(each) and exists(each) and each.is_file()), None)
    if file is None:
        access.inside(places[1])
        raise UserError(
            f"the data file {brief(written)} of the task {task.name} is found neither from the working directory nor "
            f"from the folder of {task.sources[0].name}: start from the folder that its path is written for"
        )
    path = readable(file, "data file").resolve()
    if Extractor.infer_extractor_format(path) or any(sign in str(path) for sign in ("*", "?", "[", "::")):
        raise UserError(
            f"the data file {brief(path.name)} of the task {task.name} is packed, or called as a pattern of names is: "
            "unpack it, or give it a plain name"
        )
    kind, how = task.config["dataset_path"], task.config["dataset_kwargs"]
    depth, keys, rows = table_extent(path, how.get("delimiter")) if kind == "csv" else json_extent(path)
    if depth > DEEPEST or keys * max(keys, rows) > WIDEST:
        raise UserError(
            f"the data file {path.name} of the task {task.name} nests over {DEEPEST} lists or objects, or has over "
            f"{WIDEST:,} values with those that its rows leave out: give all the same few keys"
        )
    return path


def content(paths: Iterable[Path]) -> str:
    """SHA-256 over the bytes of files, in their order."""
    return hashlib.sha256(bytes.fromhex("".join(map(sha256, paths)))).hexdigest()


def _merged(path: Path) -> tuple[Fields, tuple[Path, ...]]:
    """Merge a file's keys over those of the files that it includes; also all files read."""
    merged, sources = {}, []
    while path:
        if len(sources) == MOST_FILES:
            raise UserError(f"the task file {sources[0].name} includes itself, or more than {MOST_FILES - 1} files")
        sources.append(path)
        merged = _parsed(path) | merged
        included = merged.pop("include", None)
        path = included and path.parent / str(included)
    return merged, tuple(sources)


class _Loader(yaml.SafeLoader):
    """YAML loader without aliases, which can expand to any amount of data."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias is not read", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)


def _parsed(path: Path) -> Fields:
    text = read_text(access.inside(path), "task file")
    try:
        written = json.dumps(yaml.load(text, _Loader), ensure_ascii=False)  # what JSON cannot hold is no task
        parsed = json.loads(written.encode())
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        reason = gist(ValueError(getattr(error, "problem", error)))
        raise UserError(
            f"the task file {path.name} is not plain YAML{line} ({reason}): it may hold text, numbers, lists and "
            "mappings, and code from a task folder is not run"
        ) from error
    if not isinstance(parsed, dict):
        raise UserError(f'the task file {path.name} holds no keys: a task has at least "task" and "doc_to_text"')
    return parsed
