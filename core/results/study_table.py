"""One table of a study: an evaluated setting a row, as pages, commands, reports and the README show it. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from core.base import Fields, digits, frozen, per_cent
from core.requests import recipe_names
from core.results.comparison import Accuracy, Change
from core.results.protocols import short_name
from core.results.setting_result import Result
from core.results.study_results import Study, labels, shared_tasks, slice_of
from core.store import Array, Losses

Control = Callable[[Result], Result | None]
CHANGE, MEAN = "against ", "mean of tasks"


@frozen
class Row:
    """An evaluated setting and the studies that it is from."""

    study: Study
    one: Result

    @property
    def key(self) -> str:
        """The study's key and the place of the setting's first point in it."""
        return f"{self.study.spec.key}-{self.study.points.index(self.one.result)}"

    @property
    def model(self) -> str:
        return str(self.study.provenance.get("model", self.study.spec.model.content))

    @property
    def allocation(self) -> str:
        """With every parameter that is not usual; a number where others set by hand are called alike."""
        if self.one.setting is None:
            return "dense"
        _, number, which = self.one.name.partition(" #")
        return f"{recipe_names.long(self.one.setting.allocation)}{number}{which}"

    @property
    def called(self) -> str:
        """The setting in words, its target and pruner too."""
        return recipe_names.setting(self.one.setting.seedless) if self.one.setting else "dense"

    @property
    def name(self) -> str:
        """The setting with all that tells it from others in a list."""
        return " · ".join([self.called, self.model, short_name(self.study)])


def rows_of(study: Study, settings: Iterable[Result] | None = None) -> list[Row]:
    """The dense model, then every setting over its calibration seeds: by pruner, then target, then as asked.

    Args:
        settings: those that are wanted, in their order; None: all.
    """
    if settings is None:
        pruned = chain.from_iterable(study.slices.values())
        settings = [*([study.dense] if study.dense else []), *pruned]
    return [Row(study, one) for one in settings]


# --- columns ------------------------------------------------------------------------------------------------------

Value = Callable[[Row], Any]  # of a column in a row


class Column(NamedTuple):
    """A column's value in each row, None or empty where it has none, and how it is written."""

    of: Value
    write: Callable[[Any], str] = str
    about: str = ""


def _pruned(value: Value) -> Value:
    """The value of rows of pruned models; None for the dense one."""
    return lambda row: value(row) if row.one.setting else None


def _mean(name: str, about: str) -> Column:
    """The mean of a field of the losses."""
    return Column(lambda row: row.one.mean(name), "{:.4g}".format, about)


def _pruner(row: Row) -> str:
    setting = row.one.setting
    parts = [slice_of(setting).pruned, setting.allocation.budget_unit.levels and row.one.level]
    return ", ".join(filter(None, [*parts, setting.true_sequential and "true-sequential"]))


def _zeros(row: Row) -> float | None:
    request = row.one.setting.allocation
    return None if request.budget_unit.levels else request.target


RESULTS = {
    "allocation": Column(attrgetter("allocation")),
    "pruner": Column(_pruned(_pruner)),
    "zeros": Column(_pruned(_zeros), per_cent, "Fraction of zeros"),
    "perplexity": Column(attrgetter("one.perplexity"), lambda it: digits(it, 4) if np.isfinite(it) else "not a number"),
    "protocol": Column(
        lambda row: short_name(row.study), about="Text that judges, windows × tokens, and what is unusual"
    ),
}
MORE = {
    "not a number": Column(attrgetter("one.trouble")),
    "while pruning": Column(attrgetter("one.helped"), about="What pruning needed help with, or where it stopped"),
    "KL, nats": _mean("kl", "Mean divergence of the next token from the dense model's"),
    "agreement": _mean("agreement", "Tokens whose likeliest next token is the dense model's"),
    "zeros, mean of linears": _mean("zeros", "Fraction of zeros that pruning reached"),
}
ORIGIN = {
    "options": Column(_pruned(attrgetter("one.setting.repair_options")), about="Of repair and training"),
    "pruned in, s": Column(_pruned(lambda row: row.one.result.about.get("seconds_pruning")), "{:.3g}".format),
    "calibration seeds": Column(lambda row: ", ".join(map(str, row.one.seeds))),
    "written": Column(lambda row: row.one.setting.name if row.one.setting else "dense", about="As commands read it"),
    "model": Column(attrgetter("model")),
    "created": Column(lambda row: row.study.provenance.get("created")),
    "study": Column(attrgetter("study.spec.key")),
}


def _beside(control: Control, compare: Callable[[Result, Result], Any]) -> Value:
    """Compare each row with its control; None for a row without one."""

    def value(row):
        other = control(row.one)
        return None if other in (None, row.one) else compare(row.one, other)

    return value


def against(control: Control, **of: Callable[[Losses], Array]) -> Column:
    change = _beside(control, lambda one, other: one.against(other, **of))
    return Column(change, lambda change: change.said if change.windows.n else "no seed in common")


def divergence(control: Control) -> Column:
    """The change of the KL divergence from the dense model, geometric over windows."""
    return against(control, of=lambda it: np.log(it.kl))


def tasks(rows: Sequence[Row], name: str, control: Control) -> dict[str, Column]:
    """A column per zero-shot task; the mean of those that every row answered, and its change against the control."""
    names = labels(task for row in rows for task in row.study.spec.tasks)
    shared = shared_tasks(names, [row.one for row in rows])

    change = _beside(control, lambda one, other: one.accuracy_against(other, shared))
    columns = {
        name: Column(lambda row, task=task: row.one.accuracy(task) if row.one.has(task) else None)  # type: ignore[misc]  # mypy infers no type of a default
        for task, name in names.items()
    }
    means = {MEAN: Column(lambda row: row.one.accuracy(*shared)), f"{MEAN}, {CHANGE}{name}": Column(change)}
    return columns | (means if len(shared) > 1 else {})


UNIFORM = {"uniform": lambda one: one.uniform}
BASE = {"its base": lambda one: one.base if one.base is not one.uniform else None}


# --- the table of some rows ------------------------------------------------------------------------------------------


@frozen
class Table:
    """Rows in their order, and the columns in which any of them has something."""

    rows: tuple[Row, ...]
    columns: Mapping[str, Column]

    @cached_property
    def values(self) -> dict[str, list[Any]]:
        """Name -> a value per row; columns without any are left out."""
        every = {name: [column.of(row) for row in self.rows] for name, column in self.columns.items()}
        return {name: values for name, values in every.items() if any(each not in (None, "") for each in values)}

    @cached_property
    def numbers(self) -> dict[str, list[Any]]:
        """Columns of plain numbers for pages and CSV files: a change or an accuracy fills several."""
        columns = {}
        for name, values in self.values.items():
            parts = [{} if value is None else _parts(name, value) for value in values]
            for head in dict.fromkeys(head for part in parts for head in part):
                columns[head] = [part.get(head) for part in parts]
        return columns

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The heads, then a row each as people read it."""
        columns = [
            ["" if value in (None, "") else self.columns[name].write(value) for value in values]
            for name, values in self.values.items()
        ]
        return [tuple(self.values), *zip(*columns, strict=True)]

    @cached_property
    def csv(self) -> str:
        """Every number."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.numbers)
        writer.writerows(zip(*self.numbers.values(), strict=True))
        return text.getvalue()

    def only(self, *names: str) -> Table:
        """Some columns, in this order; those that it lacks are left out."""
        return replace(self, columns={name: self.columns[name] for name in names if name in self.columns})

    @property
    def compared(self) -> list[str]:
        """The changes, and the accuracies that every row has."""
        measured = [name for name in self.values if name not in RESULTS | MORE | ORIGIN]
        changes = (CHANGE, f"{MEAN}, {CHANGE}")
        return [name for name in measured if name.startswith(changes) or None not in self.values[name]]

    @cached_property
    def read(self) -> Table:
        """The columns for readers: the setting, its perplexity, what it is compared by, and the repair's options."""
        return self.only("allocation", "pruner", "zeros", "perplexity", *self.compared, "options")

    @property
    def differing(self) -> Table:
        """The numbers, and of all else what differs between rows."""
        names = [name for name, values in self.values.items()
                if name not in {*ORIGIN, "pruner", "zeros", "protocol"} or len(set(values)) > 1]  # fmt: skip
        return self.only(*names)


def study_table(rows: Iterable[Row], controls: Mapping[str, Control] | None = None) -> Table:
    """The table of some rows.

    Args:
        controls: what each setting is compared with, by what it is called; usually uniform, and where it has a
            correction the same without it.
    """
    rows, controls = tuple(rows), controls or UNIFORM | BASE
    changes = {f"{CHANGE}{name}": against(control) for name, control in controls.items()}
    return Table(rows, RESULTS | changes | MORE | tasks(rows, *next(iter(controls.items()))) | ORIGIN)


def _parts(name: str, value: Any) -> Fields:
    """The columns of numbers that a value fills."""
    if isinstance(value, Accuracy):
        return {name: value.value, f"{name} ±": value.error}
    if not isinstance(value, Change):
        return {name: value}
    of = name.removeprefix(CHANGE)
    columns = {f"{name}, %": value.value, f"{of} low": value.windows.low, f"{of} high": value.windows.high}
    if value.seeds.certain:
        columns |= {f"{of} low, seeds": value.seeds.low, f"{of} high, seeds": value.seeds.high}
    return columns
