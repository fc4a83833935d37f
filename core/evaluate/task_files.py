"""Zero-shot tasks from a folder of YAML files, as lm-eval reads them, with nothing that could reach for the network.

A file is plain data: what would run code from the folder (`!function` tags, data in other formats than FORMATS), read
more than the hash over the files tells of (`use_prompt`) or write anywhere (`cache_dir`) is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyarrow import ArrowException, parquet

from core.base import access
from core.base.errors import UserError
from core.base.escape import brief
from core.base.formats import gist
from core.base.paths import exists, read_text, readable
from core.models.file_hashes import sha256

COLUMN = re.compile(r'"_type": "([^"]*)"')
PLAIN = {"Value", "ClassLabel", "List", "LargeList", "Sequence", "Translation", "TranslationVariableLanguages"}
ELSEWHERE = ("use_prompt", "doc_to_image", "doc_to_audio", "doc_to_video")  # than the text of an example
FORMATS = ("csv", "json", "parquet", "text")  # that datasets reads without running anything from the folder
READING = (  # what a task may say of how its data files are read: other options write, or read elsewhere
    "data_files", "field", "columns", "keep_linebreaks", "sample_by", "encoding", "encoding_errors", "sep", "delimiter",
    "header", "names", "column_names", "index_col", "usecols", "skiprows", "nrows", "skipfooter", "skipinitialspace",
    "skip_blank_lines", "na_values", "keep_default_na", "na_filter", "true_values", "false_values", "thousands",
    "decimal", "comment", "lineterminator", "quotechar", "quoting", "doublequote", "escapechar", "on_bad_lines",
)  # fmt: skip


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

    _check_plain(task)
    found: list[Path] = []

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: resolved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [resolved(each) for each in value]
        found.append(_data_file(task, str(value)))
        return str(found[-1])

    options = _options(task)
    options["data_files"] = resolved(options["data_files"])
    for path in found if task.config["dataset_path"] == "parquet" else ():
        _check_columns(task, path)
    files = (*task.sources, *found)
    read = content(files)
    # datasets finds its copy of a file again by path and time alone: a place for every content keeps them apart
    options["cache_dir"] = str(Path(config.HF_DATASETS_CACHE) / read[:16])
    return {**task.config, "dataset_kwargs": options}, files, read


def _options(task: TaskFile) -> dict[str, Any]:
    """What a task says of its data files and of how they are read."""
    options = task.config.get("dataset_kwargs")
    if not isinstance(options, dict) or not options.get("data_files"):
        raise UserError(
            f"the task {task.name} names no data files: a task from a folder needs dataset_kwargs.data_files"
        )
    for name in options:
        if name not in READING:
            raise UserError(
                f"the task {task.name} has {brief(name)} in dataset_kwargs: a task from a folder names its data files "
                "there, and how they are read, as by field, delimiter or encoding"
            )
    return dict(options)


def _check_plain(task: TaskFile) -> None:
    written = task.config.get("dataset_path")
    if written not in FORMATS:
        raise UserError(
            f'the task {task.name} has the dataset_path "{written}": a task from a folder reads data files, so its '
            f"dataset_path is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    for name in ELSEWHERE:
        if name in task.config:
            raise UserError(f"the task {task.name} takes its prompt from elsewhere ({name}): write it as doc_to_text")


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
        below, files = _merged((path.parent / str(name)).resolve(), (*above, path))
        merged |= below
        sources += files
    return merged | own, tuple(sources)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(read_text(access.inside(path), "task file"))
    except yaml.constructor.ConstructorError as error:
        raise UserError(
            f"the task file {path.name} is more than plain data ({error.problem}): code from a task folder is not run"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise UserError(f"the task file {path.name} is not YAML{line}") from error
    if not isinstance(parsed, dict):
        raise UserError(f'the task file {path.name} holds no keys: a task has at least "task" and "doc_to_text"')
    return parsed


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else [] if value is None else [value]
