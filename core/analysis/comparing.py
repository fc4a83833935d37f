"""A study as lines (settings over their calibration seeds) and the changes between them. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.analysis.comparison import Interval, over_seeds, paired, percent, standard_error
from core.analysis.studies import Measured, Study, together
from core.specs import naming
from core.specs.allocations import AllocationRequest, Correction
from core.specs.pruners import place
from core.specs.settings import Setting
from core.specs.studies import TaskSpec
from core.store.results import Array

UNKNOWN = Interval(float("nan"), float("nan"), float("nan"), 0)


@dataclass(frozen=True, eq=False)
class Line:
    """One setting with every calibration seed it was measured with."""

    setting: Setting  # with calibration seed 0
    name: str
    seeds: tuple[Measured, ...]

    @property
    def perplexities(self) -> Array:
        """(seeds,)"""
        return np.array([each.perplexity for each in self.seeds])

    @property
    def perplexity(self) -> float:
        """`exp` of the loss, averaged over windows and seeds."""
        with np.errstate(over="ignore"):
            return float(np.exp(np.mean([each.evaluated.nll.mean() for each in self.seeds])))

    @property
    def loss(self) -> float:
        """Mean over windows and seeds, nats/token."""
        return float(np.mean([each.evaluated.nll.mean() for each in self.seeds]))

    @property
    def broken(self) -> int | None:
        """First layer whose output is not finite, over the seeds; None where all losses are finite."""
        found = [each.broken for each in self.seeds if each.broken is not None]
        return min(found) if found else None

    @property
    def warnings(self) -> list[str]:
        """What pruning had to be helped along with, each once."""
        return list(dict.fromkeys(text for each in self.seeds for text in each.warnings))

    @property
    def helped(self) -> str | None:
        """The same in words; None where all went well with every seed."""
        return together(self.seeds)

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.perplexities).all())

    @property
    def strength(self) -> float:
        return self.setting.allocation.correction.strength

    @property
    def planned(self) -> Array:
        """(layers,) or (layers, linears) sparsity that was asked of the pruner."""
        return self.seeds[0].planned

    @property
    def drawn(self) -> tuple[int, ...]:
        """The calibration seeds; none where the pruner looks at no text."""
        looks = self.setting is not None and self.setting.reads_text
        return tuple(each.setting.calibration_seed for each in self.seeds) if looks else ()

    def has(self, task: str) -> bool:
        """Whether a zero-shot task was asked of it."""
        return any(task in each.tasks for each in self.seeds)

    def accuracy(self, task: str) -> tuple[float, float, int]:
        """Fraction right, its standard error, and the examples; seeds averaged."""
        found = [each.tasks[task].acc for each in self.seeds if task in each.tasks]
        mean = np.mean(found, axis=0)
        return float(mean.mean()), standard_error(mean), len(mean)


@dataclass(frozen=True)
class Change:
    """Change of perplexity in per cent."""

    windows: Interval  # seeds averaged, paired over windows
    seeds: Interval  # the spread over calibration seeds; of none (n = 0) where the pruner looks at no text


@dataclass(frozen=True)
class Slice:
    """What may be compared: one pruner, one pattern, one target."""

    pruner: str
    pattern: str | None
    target: float

    @property
    def name(self) -> str:
        words = [f"{self.target:.0%} zeros", naming.PRUNERS[self.pruner]]
        return ", ".join(words + ([self.pattern] if self.pattern else []))


def change(line: Line, other: Line) -> Change:
    """`line` against `other`, over the calibration seeds that both were measured with."""
    mine, theirs = ({each.setting.calibration_seed: each.evaluated.nll for each in one.seeds} for one in (line, other))
    common = sorted(mine.keys() & theirs.keys())
    if not common:
        return Change(UNKNOWN, UNKNOWN)
    a, b = (np.array([one[seed] for seed in common]) for one in (mine, theirs))
    spread = percent(over_seeds((a - b).mean(1))) if line.setting.reads_text else UNKNOWN
    return Change(percent(paired(a.mean(0), b.mean(0))), spread)


def accuracy_change(line: Line, other: Line, tasks: Iterable[str]) -> tuple[float, float] | None:
    """Mean over tasks of the difference in accuracy and its standard error, paired over examples; fractions."""
    differences = []
    for task in tasks:
        mine, theirs = ([each.tasks[task].acc for each in one.seeds if task in each.tasks] for one in (line, other))
        if not mine or not theirs:
            return None
        differences.append(np.mean(mine, axis=0) - np.mean(theirs, axis=0))
    if not differences:
        return None
    errors = np.array([standard_error(each) for each in differences])
    return float(np.mean([each.mean() for each in differences])), float(np.sqrt((errors**2).sum()) / len(errors))


@dataclass(frozen=True, eq=False)
class Results:
    """Everything measured under one protocol."""

    study: Study

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """One per setting, in the order asked."""
        found: dict[Setting, list[Measured]] = defaultdict(list)
        for each in self.study.pruned:
            found[seedless(each.setting)].append(each)
        names = naming.titles(found)
        return tuple(Line(setting, names[setting], _drawn(setting, seeds)) for setting, seeds in found.items())

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """By pruner, then target."""
        found = dict.fromkeys(slice_of(each.setting) for each in self.lines)
        return tuple(sorted(found, key=lambda each: (place(each.pruner), each.target)))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Zero-shot tasks that any point has answers to."""
        names = labels(self.study.spec.tasks).values()
        return tuple(name for name in names if any(name in each.tasks for each in self.study.points))

    def shared(self, part: Slice) -> tuple[str, ...]:
        """Tasks that a mean may be taken over: asked of the dense model and of every line of a slice.

        Of one task with several samples the largest that all of them have: a mean counts no task twice.
        """
        asked = [*self.within(part), *([Line(None, "dense", (self.dense,))] if self.dense else [])]
        called = labels(self.study.spec.tasks)
        by_size = sorted(called, key=lambda task: -_size(task))
        found = {}
        for task in by_size:
            if all(line.has(called[task]) for line in asked):
                found.setdefault(task.name, called[task])
        return tuple(name for name in called.values() if name in found.values())

    @cached_property
    def dense(self) -> Measured | None:
        """The dense model; None until it is measured."""
        found = self.study.dense
        return found if found.evaluated is not None else None

    def within(self, part: Slice) -> list[Line]:
        return [each for each in self.lines if slice_of(each.setting) == part]

    def of(self, setting: Setting) -> Line | None:
        return next((each for each in self.lines if each.setting == seedless(setting)), None)

    def uniform(self, line: Line) -> Line | None:
        """The uniform twin; None for the twin itself."""
        return None if line.setting == line.setting.uniform else self.of(line.setting.uniform)

    def base(self, line: Line) -> Line | None:
        """A corrected line's own base; None for others, or where it was not measured."""
        plain = line.setting.base
        return None if plain is None else self.of(plain)

    def against_uniform(self, line: Line) -> Change | None:
        other = self.uniform(line)
        return self.change(line, other) if other else None

    def against_base(self, line: Line) -> Change | None:
        other = self.base(line)
        return self.change(line, other) if other else None

    @cached_property
    def _changes(self) -> dict[tuple[Setting, Setting], Change]:
        return {}

    def change(self, line: Line, other: Line) -> Change:
        """Of one line against another; ten thousand resamples, so worked out once."""
        key = line.setting, other.setting
        if key not in self._changes:
            self._changes[key] = change(line, other)
        return self._changes[key]


def seedless(setting: Setting) -> Setting:
    """What a line stands for."""
    return setting.model_copy(update={"calibration_seed": 0})


def slice_of(setting: Setting) -> Slice:
    return Slice(setting.pruner, setting.pattern, setting.allocation.target)


def plain(asked: AllocationRequest) -> AllocationRequest:
    """An allocation without its correction."""
    return asked.model_copy(update={"correction": Correction()})


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


def _size(task: TaskSpec) -> float:
    return np.inf if task.examples is None else task.examples


def _drawn(setting: Setting, seeds: list[Measured]) -> tuple[Measured, ...]:
    """Where the pruner looks at no text, seeds are one measurement, and no spread."""
    return tuple(seeds if setting.reads_text else seeds[:1])
