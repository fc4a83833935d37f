"""Settings that were evaluated under one protocol, from one study or from several put together. No torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from core.base import UserError, distinct, frozen
from core.methods import Treatment, table_position
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
        return tuple(self._by_setting.values())

    @cached_property
    def singles(self) -> tuple[Result, ...]:
        """Every point that is measured, the dense model too, by itself, in the order asked."""
        return tuple(self._by_point.values())

    @property
    def dense(self) -> Result | None:
        """The dense model; None until it is measured."""
        return self.single(None)

    def of(self, recipe: Recipe) -> Result | None:
        """A setting over its calibration seeds, whatever seed is named."""
        return self._by_setting.get(recipe.seedless)

    def single(self, recipe: Recipe | None) -> Result | None:
        """A setting with its own calibration seed alone; None: the dense model."""
        return self._by_point.get(recipe)

    @cached_property
    def _by_setting(self) -> dict[Any, Result]:
        by_recipe = defaultdict(dict)  # setting -> by seed
        for each in self.points:
            if each.setting is not None and each.evaluated is not None:
                by_recipe[each.setting.seedless].setdefault(each.seed, each)
        return _side_by_side(by_recipe, recipe_names.titles(by_recipe))

    @cached_property
    def _by_point(self) -> dict[Any, Result]:
        by_recipe = {each.setting: {None: each} for each in self.points if each.evaluated is not None}
        return _side_by_side(by_recipe, {setting: each[None].name for setting, each in by_recipe.items()})

    # --- corrections -------------------------------------------------------------------------------------------------

    def corrections(self, base: Result) -> list[Result]:
        """Settings corrected from a base: the correction at every strength, and every control."""
        return [each for each in self.settings if each.base is base]

    def controls(self, one: Result) -> dict[str, list[Result]]:
        """Control -> settings that differ from a corrected one in that alone; `none` is the correction itself."""
        by_control = defaultdict(list)
        if one.setting and one.strength:
            for each in one.beside.values():
                if each.setting and uncontrolled(each.setting) == uncontrolled(one.setting):
                    by_control[each.control].append(each)
        return by_control

    # --- parts -------------------------------------------------------------------------------------------------------

    @cached_property
    def slices(self) -> dict[Slice, list[Result]]:
        """Settings by slice, in the order of pruners, then targets."""
        by_slice = defaultdict(list)
        for each in self.settings:
            by_slice[slice_of(each.setting)].append(each)
        order = sorted(by_slice, key=lambda each: (table_position(each.treatment.name), each.target))
        return {each: by_slice[each] for each in order}

    def within(self, part: Slice) -> list[Result]:
        return self.slices.get(part, [])

    @cached_property
    def tasks(self) -> dict[TaskSpec, str]:
        """Zero-shot tasks that any point has answers to, with their names."""
        return {task: name for task, name in labels(self.spec.tasks).items()
                if any(task in each.tasks for each in self.points)}  # fmt: skip


def _side_by_side(by_recipe: Mapping[Any, Mapping[Any, SeedResult]], names: Mapping[Any, str]) -> dict[Any, Result]:
    """Results by recipe, each with all of them beside it."""
    results: dict[Any, Result] = {}
    results |= {each: Result(each, names[each], seeds, results) for each, seeds in by_recipe.items()}
    return results


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
    largest = {task.name: task for task in sorted(shared, key=lambda task: task.examples or np.inf)}
    return [task for task in shared if largest[task.name] == task]


# --- from the store -----------------------------------------------------------------------------------------------


def load(store: Store, entry: Entry, treatment: Treatment | None = None) -> Study:
    """Read a stored study; treatment: as `read` takes it."""
    looked_at = profile_key(store, entry.provenance.get("profile"))
    study = read(store, entry.spec, entry.provenance, treatment)
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
