"""Zero-shot accuracy through lm-eval, on the harness's own tasks or on task files in a folder."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2.exceptions import SecurityError

from core.base import Array, Fields, UserError, frozen, gist
from core.judge import task_files
from core.models import Loaded
from core.store import ZeroShot


@frozen
class Task:
    """A task that can be scored. Equal `content` means equal examples and prompts."""

    name: str
    config: Fields | None  # with absolute data paths; None if lm-eval defines it
    content: str  # SHA-256 over the YAML and data files; name and version if lm-eval defines it
    documents: int
    files: tuple[Path, ...] = ()  # YAML and data files; none if lm-eval defines it
    folders: tuple[Path, ...] = ()  # where a new file could carry one of its tags


def tasks(names: Sequence[str], folder: Path | None) -> list[Task]:
    """Look up tasks by name; a tag, or a group of lm-eval, stands for all of its tasks.

    Args:
        folder: YAML files that define the tasks; None for lm-eval's own definitions.

    Raises:
        UserError: an unknown name, folder or file, missing data, or a task without `acc` over choices.
    """
    chosen = _from_harness(names) if folder is None else _from_folder(names, folder)
    return list({task.name: task for task in chosen}.values())


def drawn(task: Task, examples: int | None, seed: int) -> list[int]:
    """Row numbers of a seeded sample of a task without replacement, ascending; all rows for None.

    Raises:
        UserError: more examples than there are, or fewer than 1.
    """
    count = task.documents
    if examples is None:
        return list(range(count))
    if not 1 <= examples <= count:
        raise UserError(
            f"the task {task.name}: {examples} examples cannot be drawn from {count}: ask for 1 to {count}, or for all"
        )
    return sorted(np.random.default_rng(seed).choice(count, examples, replace=False).tolist())


def score(
    loaded: Loaded, task: Task, examples: int | None, seed: int, step: Callable[[int, int], None] = lambda *_: None
) -> ZeroShot:
    """Score a model on a task, with as many shots as the task defines; NaN where a likelihood was NaN.

    Args:
        examples: number to draw, None for all.
        step: called with (examples done, of how many); longer ones come first. May raise Cancelled.

    Raises:
        UserError: more examples than there are, a template that cannot be rendered for an example, a right answer that
            is not among the choices, a choice with more tokens than the model takes, or files that have changed.
    """
    from core.judge import harness  # here and below: importing lm-eval takes seconds

    with harness.quiet(local=task.config is not None) as warnings:
        reading = partial(_readable, task.name, task.files)
        with reading():
            built = harness.built(task.name if task.config is None else task.config)[task.name]
            if task.files and task_files.content(task.files) != task.content:  # answers are stored under this hash
                raise UserError(f"the files of the task {task.name} have changed since the run began: ask for it again")
        chosen = drawn(task, examples, seed)
        answers = harness.answers(loaded, built, chosen, step, lambda act: reading()(act))
    if any("Label index" in warning.getMessage() for warning in warnings):
        raise UserError(f"the task {task.name} has an example whose right answer is not among its choices")
    acc = _column(answers, "acc")
    acc_norm = _column(answers, "acc_norm") if "acc_norm" in answers[0] else np.full(len(acc), np.nan)
    return ZeroShot(document=np.array(chosen, float), acc=acc, acc_norm=acc_norm)


def _column(answers: Iterable[Fields], metric: str) -> Array:
    """A metric per example; NaN if any likelihood is NaN, where lm-eval takes the first choice."""
    return np.array(
        [
            np.nan if any(np.isnan(likelihood) for likelihood, _ in each["filtered_resps"]) else float(each[metric])
            for each in answers
        ]
    )


def _from_folder(names: Sequence[str], folder: Path) -> Iterator[Task]:
    from core.judge import harness

    there = task_files.read(folder)
    below = (folder, *(path for path in folder.rglob("*") if path.is_dir()))
    tags = sorted({tag for each in there.values() for tag in each.tags})
    for name in names:
        chosen = [each for each in there.values() if name == each.name or name in each.tags]
        if not chosen:
            raise UserError(_unknown(name, [*there, *tags], f'"{folder}"'))
        for each in chosen:
            with harness.quiet(local=True), _readable(each.name, each.sources):
                config, files, content = task_files.with_data(each)
                built = harness.built(config)[each.name]
                task = _checked(built, Task(each.name, config, content, len(built.eval_docs), files, below))
            yield task


def _from_harness(names: Sequence[str]) -> Iterator[Task]:
    from core.judge import harness

    for name in names:
        with harness.quiet(local=False):
            names_known = harness.catalogue().all_tasks
            if name not in names_known:
                raise UserError(_unknown(name, names_known, "lm-eval"))
            with _readable(name):
                tasks = [
                    _checked(built, Task(own, None, f"{own} {built.VERSION}", len(built.eval_docs)))
                    for own, built in harness.built(name).items()
                ]
        yield from tasks


def _checked(built: Any, task: Task) -> Task:
    if built.OUTPUT_TYPE != "multiple_choice" or "acc" not in built.aggregation():
        raise UserError(
            f"the task {task.name} has no accuracy over choices (it is of the kind {built.OUTPUT_TYPE}): name a "
            "multiple-choice task with the metric acc"
        )
    return task


def _unknown(name: str, names: Sequence[str], where: str) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"it has {len(names)} others"
    return f"{where} has no task {name}: {hint}"


@contextmanager
def _readable(name: str, files: Sequence[Path] = ()) -> Iterator[None]:
    """Turn errors of lm-eval, datasets and Jinja into one sentence that names the file of the task."""
    from datasets.exceptions import DatasetsError

    called = f"{name} ({files[0].name})" if files else name
    try:
        yield
    except UserError:
        raise
    except SecurityError as error:
        raise UserError(
            f"a template of the task {called} uses {error}: templates may read an example's fields and use Jinja's "
            "filters; code from a task folder is not run"
        ) from error
    except Exception as error:
        if isinstance(error, OSError | DatasetsError) and not files:
            raise UserError(
                f"the data of the task {name} is neither in the local cache nor to be had from the Hub: go online, "
                "or name a folder of task files"
            ) from error
        raise UserError(f"lm-eval cannot read the task {called}: {_gist(error)}") from error


def _gist(error: Exception) -> str:
    """Complaint of a library, in a few words."""
    reason = error.__cause__ or error
    if isinstance(reason, KeyError):
        return f"it names {reason}, which is not there"
    if isinstance(reason, StopIteration):
        return "a data file of it is empty"
    return gist(reason)
