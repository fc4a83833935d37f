"""Zero-shot tasks from a folder of YAML files, as lm-eval reads them, with nothing that could reach for the network.

A file is plain data of bounded size: what would run code from the folder (`!function` tags, data in other formats),
read more than the hash over the files tells of (`use_prompt`) or write anywhere (`cache_dir`) is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pyarrow import ArrowException, parquet

from core.base import access
from core.base.errors import UserError
from core.base.escape import brief
from core.base.formats import gist
from core.base.paths import exists, read_text, readable
from core.base.spec import checked
from core.evaluate.task_schema import Keys, Reading
from core.models.file_hashes import sha256

COLUMN = re.compile(r'"_type": "([^"]*)"')
PLAIN = {"Value", "ClassLabel", "List", "LargeList", "Sequence", "Translation", "TranslationVariableLanguages"}
FLAT = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^][{}"]++')  # JSON but its brackets; possessive: nothing is remembered
DEEPEST = 100  # brackets within each other: what reads JSON may break where there are thousands
MOST_NODES, MOST_DIGITS, MOST_FILES = 10_000, 40, 50  # of a YAML file, of a number in it, that a task includes


@dataclass(frozen=True, eq=False)
class TaskFile:
    """A task as its YAML file, and what that includes, define it."""

    name: str
    config: dict[str, Any]
    sources: tuple[Path, ...]  # the YAML file first, then what it includes

    @property
    def tags(self) -> list[str]:
        return [str(tag) for tag in _listed(self.config.get("tag"))]


def read(folder: Path) -> dict[str, TaskFile]:
    """The tasks in a folder and below it, by name.

    Raises:
        UserError: no such folder or task, a file that cannot be read or leads out of a server's folder, a name twice.
    """
    if not access.inside(folder).is_dir():
        raise UserError(f'there is no folder of task files "{folder}"')
    found: dict[str, TaskFile] = {}
    for path in sorted(folder.rglob("*.yaml")):
        config, sources = _merged(path, ())
        name = config.get("task")
        if not isinstance(name, str):
            continue  # a template that others include, or a group
        if name in found:
            raise UserError(f"the task {name} is defined twice, in {found[name].sources[0].name} and in {path.name}")
        found[name] = TaskFile(name, config, sources)
    if not found:
        raise UserError(f'the folder "{folder}" defines no task: a task is a .yaml file with the key "task"')
    return found


def with_data(task: TaskFile) -> tuple[dict[str, Any], tuple[Path, ...], str]:
    """The configuration with absolute paths to its data; the YAML files and the data files; the hash of their content.

    Paths are taken as written from the working directory, as lm-eval takes them, or else from the YAML file's folder.

    Raises:
        UserError: a file is not there or leads out of the folder of a server, none is named, or the task is more than
            templates over plain data.
    """
    from datasets import config

    _check_keys(task)
    found: list[Path] = []

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: resolved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [resolved(each) for each in value]
        found.append(_data_file(task, str(value)))
        return str(found[-1])

    options = dict(task.config["dataset_kwargs"])
    options["data_files"] = resolved(options["data_files"])
    for path in found:
        _check_data(task, path)
    files = (*task.sources, *found)
    read = content(files)
    # datasets finds its copy of a file again by path and time alone: a place for every content keeps them apart
    options["cache_dir"] = str(Path(config.HF_DATASETS_CACHE) / read[:16])
    return {**task.config, "dataset_kwargs": options}, files, read


def _check_keys(task: TaskFile) -> None:
    """Refuse keys and values that a task over choices has no use for: some of them run code or read elsewhere."""
    name, options = f"{task.name} ({task.sources[0].name})", task.config.get("dataset_kwargs")
    if not isinstance(options, dict) or not options.get("data_files"):
        raise UserError(f"the task {name} names no data files: a task from a folder needs dataset_kwargs.data_files")
    for key in map(str, options):
        if key not in Reading.model_fields:
            raise UserError(
                f"the task {name} has {brief(key)} in dataset_kwargs: a task from a folder names its data files there, "
                "and how they are read, as by field, delimiter or encoding"
            )
    for key in map(str, task.config):
        if key not in Keys.model_fields:
            raise UserError(
                f"the task {name} has the key {brief(key)}, which a task over choices from a folder may not have: its "
                "examples are written by doc_to_text, doc_to_choice and doc_to_target"
            )
    try:
        checked(Keys, **task.config)
    except UserError as error:
        raise UserError(f"the task {name} cannot be read: {error}") from error


def _check_data(task: TaskFile, path: Path) -> None:
    """Refuse packed files, nested JSON that breaks what reads it, and columns that are opened from elsewhere."""
    from datasets.utils.extract import Extractor

    packed = Extractor.infer_extractor_format(path)
    if packed or any(sign in str(path) for sign in ("*", "?", "[", "::")):
        raise UserError(
            f"the data file {brief(path.name)} of the task {task.name} is "
            + (f"packed ({packed}): unpack it" if packed else "called as a pattern of names is: give it a plain name")
        )
    if task.config["dataset_path"] == "parquet":
        _check_columns(task, path)
    if task.config["dataset_path"] == "json" and _nested(path) > DEEPEST:
        raise UserError(f"the data file {path.name} of the task {task.name} nests over {DEEPEST} lists or objects")


def _nested(path: Path) -> int:
    """The most brackets within each other in a JSON file."""
    deepest = depth = 0
    with path.open("rb") as file:
        for line in file:
            signs = np.frombuffer(FLAT.sub(b"", line), np.uint8)
            steps = np.isin(signs, list(b"[{")).astype(np.int8) - np.isin(signs, list(b"]}"))
            depths = depth + np.cumsum(steps, dtype=np.int32)
            deepest, depth = max(deepest, depths.max(initial=0)), depths[-1] if len(depths) else depth
    return deepest


def _check_columns(task: TaskFile, path: Path) -> None:
    """Refuse columns that are opened as pictures, sound, videos or documents, wherever these lie."""
    try:
        told = (parquet.read_schema(path).metadata or {}).get(b"huggingface", b"{}")
        kinds = {*COLUMN.findall(json.dumps(json.loads(told)))} - PLAIN
    except (ArrowException, OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"the columns of {path.name}, of the task {task.name}, cannot be read: {gist(error)}"
        ) from error
    if kinds:
        raise UserError(
            f"the task {task.name} has a column of the kind {brief(min(kinds))} in {path.name}, which is opened from "
            "wherever it lies: only text and numbers are read"
        )


def content(paths: Iterable[Path]) -> str:
    """SHA-256 over the bytes of files, in their order."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(bytes.fromhex(sha256(path)))
    return whole.hexdigest()


def _data_file(task: TaskFile, written: str) -> Path:
    for base in (Path.cwd(), task.sources[0].parent):
        if exists(base / written) and (base / written).is_file():
            return readable(access.inside(base / written), "data file").resolve()
    raise UserError(
        f'the data file "{written}" of the task {task.name} is found neither from the working directory nor from the '
        f"folder of {task.sources[0].name}: start from the folder that its path is written for"
    )


def _merged(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """A file's keys over those of what it includes, and all files that were read."""
    if path in above:
        raise UserError(f"the task file {path.name} includes itself")
    own = _parsed(path)
    merged: dict[str, Any] = {}
    sources = [path]
    for name in _listed(own.pop("include", None)):
        if len(above) + len(sources) >= MOST_FILES:
            raise UserError(f"the task file {path.name} includes more than {MOST_FILES} files")
        below, files = _merged((path.parent / str(name)).resolve(), (*above, path))
        merged |= below
        sources += files
    return merged | own, tuple(sources)


class _Loader(yaml.SafeLoader):
    """Plain data of bounded size and depth, without aliases, which stand for any amount of it."""

    nodes = depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        event = self.peek_event()
        self.nodes += 1
        self.depth += 1
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias is not read", problem_mark=event.start_mark)
        if self.nodes > MOST_NODES or self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="it has too many or too deep entries", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node.tag.endswith((":int", ":float")) and len(node.value) > MOST_DIGITS:
            raise yaml.MarkedYAMLError(problem="a number has too many digits", problem_mark=event.start_mark)
        return node


def _parsed(path: Path) -> dict[str, Any]:
    try:
        parsed = yaml.load(read_text(access.inside(path), "task file"), _Loader)
    except yaml.constructor.ConstructorError as error:
        raise UserError(
            f"the task file {path.name} is more than plain data ({error.problem}): code from a task folder is not run"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        reason = gist(ValueError(getattr(error, "problem", error)))
        raise UserError(f"the task file {path.name} is not plain YAML{line}: {reason}") from error
    if not isinstance(parsed, dict):
        raise UserError(f'the task file {path.name} holds no keys: a task has at least "task" and "doc_to_text"')
    return parsed


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else [] if value is None else [value]
