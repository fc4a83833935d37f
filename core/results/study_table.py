"""One table of a study: an evaluated setting a row, as pages, commands, reports and the README show it. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from core.base import Fields, frozen
from core.results.comparison import Accuracy, Change
from core.results.study_columns import (
    BASE,
    CHANGE,
    MEAN,
    MORE,
    ORIGIN,
    RESULTS,
    UNIFORM,
    Column,
    Control,
    Row,
    against,
    tasks,
)


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
