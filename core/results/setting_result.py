"""One evaluated setting over its calibration seeds, and its change against another: the only place that joins seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from core.base import digits, frozen, pruning_troubles, unique
from core.requests import ExactRecipe, Recipe, TaskSpec
from core.results.comparison import FEWEST_SEEDS, UNKNOWN, Accuracy, Change, mean, paired, percent
from core.store import Array, Losses, ZeroShot


@frozen
class SeedResult:
    """One setting with one calibration seed; `evaluated` is None while it is still to come."""

    setting: Recipe | None  # None: the dense model
    pruned: ExactRecipe | None  # the weights it means
    evaluated: Losses | None
    tasks: Mapping[TaskSpec, ZeroShot]
    about: Mapping  # provenance of the losses

    @property
    def name(self) -> str:
        return self.setting.name if self.setting else "dense"

    @property
    def seed(self) -> int | None:
        """The seed of its calibration windows; None for the dense model and pruners that look at no text."""
        return self.setting.calibration_seed if self.pruned and self.pruned.calibration else None


@frozen
class Result:
    """One setting with all that was measured of it."""

    setting: Recipe | None  # with calibration seed 0 where it stands for all of them; None: the dense model
    name: str
    results: Mapping[int | None, SeedResult]  # by calibration seed; one under None stands beside any seed of another
    beside: Mapping[Recipe | None, Result]  # of its study, by recipe

    @cached_property
    def uniform(self) -> Result | None:
        """Its uniform twin; None for that itself, and where it was not measured."""
        twin = self.beside.get(self.setting.uniform) if self.setting else None
        return None if twin is self else twin

    @cached_property
    def base(self) -> Result | None:
        """The same without its correction, where it has one and that was measured."""
        return self.beside.get(self.setting.base) if self.setting and self.setting.base else None

    @property
    def result(self) -> SeedResult:
        """The first of its results, of several that differ in their calibration windows alone."""
        return next(iter(self.results.values()))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The calibration seeds; none where no text is looked at."""
        return tuple(each.seed for each in self.results.values() if each.seed is not None)

    # --- numbers, over windows and seeds ---------------------------------------------------------------------------

    @cached_property
    def losses(self) -> Array:
        """(seeds,) mean over windows, nats/token."""
        return np.array([each.evaluated.nll.mean() for each in self.results.values()])

    @property
    def loss(self) -> float:
        return float(np.mean(self.losses))

    @property
    def perplexities(self) -> Array:
        """(seeds,)"""
        with np.errstate(over="ignore"):
            return np.exp(self.losses)

    @property
    def perplexity(self) -> float:
        """`exp` of the mean loss: the geometric mean over seeds; NaN where a loss is."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.loss))

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.perplexities).all())

    def mean(self, name: str) -> float:
        """Mean of a field of its losses over windows, or over linears where a layer may lack one; then over seeds."""
        of_seed = np.nanmean if name == "zeros" else np.mean
        return float(np.mean([of_seed(getattr(each.evaluated, name)) for each in self.results.values()]))

    @property
    def planned(self) -> Array | None:
        """(layers,) or (layers, linears) sparsity that was asked of the pruner; None for the dense model."""
        return np.array(self.result.pruned.sparsity) if self.result.pruned else None

    @property
    def target(self) -> float:
        """Mean share that is saved of its weights."""
        return self.setting.allocation.target

    @property
    def level(self) -> str:
        """The same in words: `70 % zeros`, `3 bits`."""
        return self.setting.allocation.budget_unit.phrase(self.target)

    @property
    def strength(self) -> float:
        """Strength of its correction; 0 without one."""
        return self.setting.allocation.correction.strength

    @property
    def control(self) -> str:
        """Control of its correction; `none` for the correction itself and without one."""
        return self.setting.allocation.correction.control

    # --- what went wrong -------------------------------------------------------------------------------------------

    @property
    def broken(self) -> int | None:
        """First layer whose output is not finite, over the seeds; None where that is not known or all losses are."""
        broken = ((each.about.get("broken"), len(each.evaluated.zeros)) for each in self.results.values())
        return min((layer for layer, layers in broken if layer is not None and layer < layers), default=None)

    @property
    def trouble(self) -> str:
        """The reason for a perplexity that is not a finite number, in words; empty where it is one."""
        if np.isfinite(self.perplexity):
            return ""
        if self.perplexity == np.inf:
            return "beyond what can be written"
        return "not a number, " + ("after the last layer" if self.broken is None else f"from layer {self.broken} on")

    @property
    def written(self) -> str:
        """The perplexity with four digits, or where it broke."""
        return self.trouble or digits(self.perplexity, 4)

    @property
    def warnings(self) -> list[str]:
        """Warnings of pruning over all seeds, each once."""
        return unique(text for each in self.results.values() for text in each.about.get("warnings", []))

    @property
    def helped(self) -> str | None:
        """The warnings and what stopped pruning, in words; None where all went well with every seed."""
        stopped = (each.about.get("stopped") for each in self.results.values())
        return pruning_troubles(self.warnings, unique(filter(None, stopped)))

    # --- zero-shot tasks -------------------------------------------------------------------------------------------

    def has(self, *tasks: TaskSpec) -> bool:
        """True where any seed has answers to each of these zero-shot tasks."""
        return all(any(task in each.tasks for each in self.results.values()) for task in tasks)

    def answers(self, task: TaskSpec) -> Array:
        """(examples,) 1 where right and 0 where wrong, seeds averaged."""
        return np.mean([each.tasks[task].acc for each in self.results.values() if task in each.tasks], axis=0)

    def accuracy(self, *tasks: TaskSpec) -> Accuracy:
        """Fraction right, the mean over tasks."""
        return Accuracy.mean([self.answers(task) for task in tasks])

    # --- against another -------------------------------------------------------------------------------------------

    def against(self, other: Result, of: Callable[[Losses], Array] = lambda it: it.nll) -> Change:
        """Change of perplexity against another setting, over the calibration seeds that both were measured with.

        Args:
            of: (windows,) another logarithm, whose change is meant instead.

        Geometric: losses are averaged over those seeds, so that -10, -20 and -70 % pool to -40 %. Both intervals are
        Student's t on logarithms: over windows of the losses averaged over seeds, and over seeds.

        Returns:
            n = 0 throughout where they have no seed in common.

        Raises:
            UserError: they were measured on different windows.
        """
        if None in self.results or None in other.results:  # what was measured once stands beside every seed
            pairs = [list(each.results.values()) for each in (self, other)]
        else:
            common = sorted(self.results.keys() & other.results.keys())
            pairs = [[each.results[seed] for seed in common] for each in (self, other)]
        if not pairs[0]:
            return Change(UNKNOWN, UNKNOWN)
        a, b = (np.array([of(each.evaluated) for each in side]) for side in pairs)
        windows = percent(paired(a.mean(0), b.mean(0)))
        several = {*self.results, *other.results} != {None}
        return Change(windows, percent(mean((a - b).mean(1), FEWEST_SEEDS)) if several else UNKNOWN)

    @property
    def against_uniform(self) -> Change | None:
        return self.against(self.uniform) if self.uniform else None

    @property
    def against_base(self) -> Change | None:
        return self.against(self.base) if self.base else None

    def accuracy_against(self, other: Result, tasks: Sequence[TaskSpec]) -> Accuracy | None:
        """Mean over tasks of the difference in accuracy, paired over examples.

        None without tasks, and where one of them was not asked of both.
        """
        if not tasks or not (self.has(*tasks) and other.has(*tasks)):
            return None
        return Accuracy.mean([self.answers(task) - other.answers(task) for task in tasks])
