"""What zero-shot tasks are called. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from core.ask.studies import TaskSpec


def labels(tasks: Iterable[TaskSpec]) -> dict[TaskSpec, str]:
    """A name for each task as it was asked: its own, and where several are called alike, what tells them apart.

    Answers to other examples, or to another version of a task, are answers to another task.
    """
    listed = list(dict.fromkeys(tasks))
    forms = [
        {task: task.name for task in listed},
        {task: f"{task.name} ({examples(task)})" for task in listed},
        {task: f"{task.name} ({examples(task)}, seed {task.seed})" for task in listed},
        {task: f"{task.name} ({examples(task)}, seed {task.seed}, {task.content[:12]})" for task in listed},
    ]
    counts = [Counter(form.values()) for form in forms]
    clear = {task: [i for i, form in enumerate(forms) if counts[i][form[task]] == 1] for task in listed}
    return {task: forms[clear[task][0] if clear[task] else -1][task] for task in listed}


def examples(task: TaskSpec) -> str:
    """How many of its examples are asked."""
    return "all examples" if task.examples is None else f"{task.examples} examples"


def tasks_asked(tasks: Iterable[TaskSpec]) -> list[str]:
    """Zero-shot tasks with their examples, those of one sample size together."""
    found = defaultdict(list)
    for task in tasks:
        found[examples(task) + (f" drawn by seed {task.seed}" if task.seed else "")].append(task.name)
    return [f"zero-shot on {amount} of {', '.join(dict.fromkeys(names))}" for amount, names in found.items()]


def size(task: TaskSpec) -> float:
    return np.inf if task.examples is None else task.examples
