"""Settings that were evaluated under one protocol, from one study or from several put together. No torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from core.base import UserError, distinct, frozen
from core.methods import Treatment
from core.methods.treatments import table_position
from core.requests import Recipe, StudySpec, TaskSpec, recipe_names
from core.results.setting_result import Result, SeedResult
from core.store import Entry, Store


class Slice(NamedTuple):
    """Recipes that may be compared, which differ in their allocation: one treatment, one pattern, one target."""

    treatment: Treatment
    pattern: str | None
    target: float

    @property
    def pruned(self) -> str:
        """All but the target: `Wanda + refit`, `Wanda, 2:4`."""
        return ", ".join(filter(None, [self.treatment.label, self.pattern]))

    @property
    def name(self) -> str:
        return f"{self.treatment.budget_unit.phrase(self.target)}, {self.pruned}"


def slice_of(recipe: Recipe) -> Slice:
    return Slice(recipe.treatment, recipe.pattern, recipe.allocation.target)


@frozen
class Study:
    """Everything measured of one model on one text, as far as it is measured."""

    spec: StudySpec
    provenance: Mapping
    points: tuple[SeedResult, ...]  # in the order asked
    entries: tuple[Entry, ...] = ()  # the studies that they are from, the newest first
    guests: tuple[Entry, ...] = ()  # studies of which only some points are here
    profiles: tuple[str, ...] = ()  # what their allocations looked at, by whole keys
    selects: bool = False  # a search chose by this text, so that it judges nothing

    @property
    def complete(self) -> bool:
        return all(each.evaluated is not None for each in self.points)

    # --- settings ----------------------------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> tuple[Result, ...]:
        """One per pruned setting, over its calibration seeds, in the order asked."""
        by_recipe = defaultdict(dict)  # setting -> by seed
        for each in self.points:
            if each.setting is not None and each.evaluated is not None:
                by_recipe[each.setting.seedless].setdefault(each.seed, each)
        return _linked(by_recipe, recipe_names.titles(by_recipe))

    @cached_property
    def singles(self) -> tuple[Result, ...]:
        """Every point that is measured, the dense model too, by itself, in the order asked."""
        by_recipe = {each.setting: {None: each} for each in self.points if each.evaluated is not None}
        names = {setting: each[None].name for setting, each in by_recipe.items()}
        return tuple(self.dense if each.setting is None else each for each in _linked(by_recipe, names))

    @cached_property
    def dense(self) -> Result | None:
        """The dense model; None until it is measured."""
        dense = (each for each in self.points if each.setting is None and each.evaluated is not None)
        return next((Result(None, "dense", {None: each}) for each in dense), None)

    def of(self, recipe: Recipe) -> Result | None:
        """A setting over its calibration seeds, whatever seed is named."""
        return self._by_setting.get(recipe.seedless)

    @cached_property
    def _by_setting(self) -> dict[Recipe, Result]:
        return {each.setting: each for each in self.settings}

    def single(self, recipe: Recipe | None) -> Result | None:
        """A setting with its own calibration seed alone; None: the dense model."""
        return next((each for each in self.singles if each.setting == recipe), None)

    # --- corrections -------------------------------------------------------------------------------------------------

    def corrections(self, base: Result) -> list[Result]:
        """Settings corrected from a base: the correction at every strength, and every control."""
        return [each for each in self.settings if each.base is base]

    def controls(self, one: Result) -> dict[str, list[Result]]:
        """Control -> settings that differ from a corrected one in that alone; `none` is the correction itself."""
        by_control = defaultdict(list)
        if one.setting and one.strength:
            for each in self.singles if one in self.singles else self.settings:
                if each.setting and uncontrolled(each.setting) == uncontrolled(one.setting):
                    by_control[each.control].append(each)
        return by_control

    # --- parts -------------------------------------------------------------------------------------------------------

    @cached_property
    def _sliced(self) -> dict[Slice, list[Result]]:
        by_slice = defaultdict(list)
        for each in self.settings:
            by_slice[slice_of(each.setting)].append(each)
        return by_slice

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Slices by pruner, then target."""
        return tuple(sorted(self._sliced, key=lambda each: (table_position(each.treatment.name), each.target)))

    def within(self, part: Slice) -> list[Result]:
        return list(self._sliced.get(part, ()))

    @cached_property
    def tasks(self) -> dict[TaskSpec, str]:
        """Zero-shot tasks that any point has answers to, with their names."""
        return {task: name for task, name in labels(self.spec.tasks).items()
                if any(task in each.tasks for each in self.points)}  # fmt: skip


def _linked(by_recipe: Mapping[Any, Mapping[Any, SeedResult]], names: Mapping[Any, str]) -> tuple[Result, ...]:
    """Every setting with the twin and the base that it is compared with, where they are among them."""
    others = {each: (each and each.uniform, each and each.base) for each in by_recipe}
    made = {}
    for setting in sorted(by_recipe, key=lambda each: (others[each][1] is not None, others[each][0] != each)):
        linked = [made.get(other) if other else None for other in others[setting]]  # none is its own twin
        made[setting] = Result(setting, names[setting], by_recipe[setting], *linked)
    return tuple(made[each] for each in by_recipe)


def uncontrolled(recipe: Recipe) -> Recipe:
    """A setting with the correction itself in place of a control of it."""
    fix = recipe.allocation.correction.replace(control="none", seed=0)
    return recipe.replace(allocation=recipe.allocation.replace(correction=fix))


# --- zero-shot tasks ----------------------------------------------------------------------------------------------


def labels(tasks: Iterable[TaskSpec]) -> dict[TaskSpec, str]:
    """A name for each task as it was asked: its own, and where several are called alike, what tells them apart.

    Answers to other examples, or to another version of a task, are answers to another task.
    """
    forms = {}
    for task in tasks:
        amount, seed = examples(task), f"seed {task.seed}"
        more = [[amount], [amount, seed], [amount, seed, task.content[:12]]]
        forms[task] = [task.name, *(f"{task.name} ({', '.join(each)})" for each in more)]
    return dict(zip(forms, distinct(forms.values()), strict=True))


def examples(task: TaskSpec) -> str:
    """The number of its examples that are asked, in words."""
    return "all examples" if task.examples is None else f"{task.examples} examples"


def shared_tasks(tasks: Iterable[TaskSpec], settings: Sequence[Result]) -> list[TaskSpec]:
    """Tasks that a mean may be taken over: those that all settings were asked, in their order.

    Of one task with several samples the largest that all of them have: a mean counts no task twice.
    """
    shared = [task for task in tasks if all(one.has(task) for one in settings)]
    largest = {task.name: task for task in sorted(shared, key=sample_size)}
    return [task for task in shared if largest[task.name] == task]


def sample_size(task: TaskSpec) -> float:
    """The number of examples that are asked; infinite for all."""
    return np.inf if task.examples is None else task.examples


# --- from the store -----------------------------------------------------------------------------------------------


def load(store: Store, entry: Entry) -> Study:
    """Read a stored study."""
    looked_at = profile_key(store, entry.provenance.get("profile"))
    study = read(store, entry.spec, entry.provenance)
    return replace(study, entries=(entry,), profiles=(looked_at,) if looked_at else ())


def read(store: Store, spec: StudySpec, provenance: Mapping | None = None, treatment: Treatment | None = None) -> Study:
    """Read a study as far as it is measured: what a running job has finished is there already.

    Args:
        treatment: of the settings that are wanted beside the dense model; None: all.
    """
    points = []
    for point in spec.points:
        if treatment and point.setting and point.setting.treatment != treatment:
            continue
        losses = store.get(spec.evaluated(point))
        answers = {unit.task: store.load(unit) for unit in spec.zero_shot(point)}
        answered = {task: each for task, each in answers.items() if each is not None}
        measured = (losses.result, answered, losses.provenance) if losses else (None, answered, {})
        points.append(SeedResult(point.setting, point.pruned, *measured))
    return Study(spec, provenance or {}, tuple(points))


def profile_key(store: Store, typed: str | None) -> str | None:
    """The profile that a study's allocations looked at by its whole key, however it was named."""
    try:
        return store.profile(typed).key if typed else None
    except UserError:
        return typed
