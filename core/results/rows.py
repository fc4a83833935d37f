"""Stored studies as rows that can be compared. Pure: the page and the report read from here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.ask import naming
from core.ask.settings import Setting
from core.ask.studies import TaskSpec
from core.ask.texts import TextSpec
from core.base.formats import capital, digits
from core.base.spec import number, word
from core.kinds import Uniform
from core.kinds.treatments import PRUNER_LABELS
from core.results.comparison import Interval
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.results.protocols import SHORT
from core.results.tasks import labels, tasks_asked
from core.results.verdicts import sentence


@dataclass(frozen=True, eq=False)
class Row:
    """One point of a stored study by itself: a row of the table of all of them."""

    study: Evaluations
    one: EvaluatedSetting
    index: int  # of the point in its study

    @property
    def key(self) -> str:
        return f"{self.study.spec.key}-{self.index}"

    @property
    def model(self) -> str:
        return str(self.study.provenance.get("model", self.study.spec.model.content))

    @property
    def text(self) -> str:
        """The text it was judged on, by name."""
        return str(self.study.provenance.get("text", self.study.spec.text.content[:6]))

    @property
    def imported(self) -> bool:
        """Whether its study came in a pack."""
        return any(entry.packs for entry in self.study.entries)

    @property
    def called(self) -> str:
        """The setting in words, its calibration seed too where the study has several."""
        setting = self.one.setting
        if setting is None:
            return "dense"
        first = setting.calibration_seed == 0 and len(self.study.of(setting).results) > 1
        return naming.whole(setting) + (", calibration seed 0" if first else "")

    @property
    def name(self) -> str:
        """The setting with all that tells it from others in a list."""
        return f"{self.called} · {self.model} · {protocol(self.text, self.study.spec.text)}" + (
            " · imported" if self.imported else ""
        )


def distinct(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The names, where several are alike with the study and the point's place in it."""
    return [name if names.count(name) == 1 else f"{name} ({row.key})" for name, row in zip(names, rows, strict=True)]


def rows_of(study: Evaluations) -> list[Row]:
    """A row per point that is measured, in the order asked."""
    return [Row(study, each, study.points.index(each.result)) for each in study.singles]


def protocol(text: str, spec: TextSpec) -> str:
    """What perplexity was read on: `demo text, 24 × 512`."""
    return f"{text}, {spec.sequences} × {spec.length}"


def by_protocol(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may be compared with each other, together."""
    found: list[list[Row]] = []
    for row in rows:
        alike = next((each for each in found if all(apart(row, other) is None for other in each)), None)
        if alike is None:
            found.append([row])
        else:
            alike.append(row)
    return found


def badge(rows: Sequence[Row]) -> str:
    """The protocol that rows share, what they were calibrated on and asked, and the studies they are from."""
    first = rows[0]
    spec = first.study.spec
    said = [first.model, f"{protocol(first.text, spec.text)} tokens", *filter(None, map(_calibrated, rows))]
    keys = list(dict.fromkeys(row.study.spec.key[:SHORT] for row in rows))
    said += tasks_asked(tasks(rows))
    said += [spec.model.dtype, f"text {spec.text.content[:SHORT]}"]
    said += [("study " if len(keys) == 1 else "studies ") + ", ".join(keys)]
    said += ["imported"] if any(row.imported for row in rows) else []
    return " · ".join(dict.fromkeys(said))


def _calibrated(row: Row) -> str:
    """The calibration text with its amount; empty for the dense model, and where the pruner looks at none."""
    pruned = row.one.result.pruned
    used = pruned and pruned.calibration
    return f"calibrated on {_text_of(row, used)}, {used.sequences} × {used.length}" if used else ""


def _text_of(row: Row, used: TextSpec) -> str:
    """A calibration text by name."""
    return str(row.one.result.about.get("calibration") or row.study.provenance.get("calibration") or used.content[:12])


def tasks(rows: Iterable[Row]) -> dict[TaskSpec, str]:
    """A name for each zero-shot task of some rows; answers to other examples are answers to another task."""
    return labels(task for row in rows for task in row.study.spec.tasks)


def accuracies(row: Row, called: Mapping[TaskSpec, str]) -> dict[str, tuple[float, float]]:
    """Name of each task that a row has answers to -> fraction right and its standard error."""
    asked = [task for task in row.study.spec.tasks if task in called and row.one.has(task.name)]
    return {called[task]: row.one.accuracy(task.name)[:2] for task in asked}


def accuracy(one: EvaluatedSetting, task: str) -> str:
    """Fraction right with its standard error: `0.412 ± 0.017`; empty where the task was not asked."""
    if not one.has(task):
        return ""
    right, error, examples = one.accuracy(task)
    if not np.isfinite(right):
        return "not a number"
    return f"{right:.3f}" + (f" ± {error:.3f}" if examples > 1 else "")


def perplexity(one: EvaluatedSetting) -> str:
    """As it is written: four digits, or where it broke."""
    return one.trouble or digits(one.perplexity, 4)


# --- what differs --------------------------------------------------------------------------------------------------


def settings_of(row: Row) -> dict[str, str]:
    """Everything that was chosen for a point, as name -> words."""
    spec, setting = row.study.spec, row.one.setting
    found = {
        "model": row.model,
        "weights": spec.model.content[:12],
        "initialised": "" if spec.model.initialised is None else f"random, seed {spec.model.initialised}",
        "precision": spec.model.dtype,
        "evaluated on": row.text,
        "text hash": spec.text.content[:12],
        "windows": str(spec.text.sequences),
        "window length": str(spec.text.length),
        "packing": spec.text.packing,
        "start token": spec.text.bos,
    }
    if setting is None:
        return found | {"allocation": "dense"}
    used = row.one.result.pruned.calibration
    if row.one.result.pruned.outdated:
        found |= {"pruned before a change": row.one.result.pruned.earlier}
    if used is not None:
        amount = f"{used.sequences} × {used.length}"
        found |= {"calibrated on": _text_of(row, used), "calibration windows": amount}
        found |= {"calibration hash": used.content[:12]}
    profile = not isinstance(setting.allocation.base, Uniform) and row.study.provenance.get("profile")
    found |= {"profile": str(profile)} if profile else {}
    return found | _of_setting(setting)


def _of_setting(setting: Setting) -> dict[str, str]:
    asked = setting.allocation
    found = {
        "allocation": asked.base.label,
        "target": _share(asked.target),
        "minimum per layer": _share(asked.low),
        "maximum per layer": _share(asked.high),
        "unclipped": "yes" if asked.unclipped else "no",
        "pruned by": PRUNER_LABELS[setting.pruner],
        "repair": setting.repair or "none",
        "pattern": setting.pattern or "none",
        "true-sequential": "yes" if setting.true_sequential else "no",
        "calibration seed": str(setting.calibration_seed),
    }
    if asked.base.by_hand:
        found["set by hand"] = asked.key[:6]
    else:
        own = asked.base.model_dump(exclude={"kind"}).items()
        columns = {each.name: each.column for each in asked.base.parameters()}
        found |= {columns.get(name, name): word(value) for name, value in own}
    fix = asked.correction
    found["correction"] = number(fix.strength)
    if fix.strength:
        found |= {"driven by": fix.driver, "control": fix.control, "gains capped at": f"{math.exp(fix.clip):.3g}×"}
        found |= {"shuffle": str(fix.seed)} if fix.control == "shuffled" else {}
    return found


def differing(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The settings in which rows differ, each with a value per row; empty where a row has no such setting."""
    every = [settings_of(row) for row in rows]
    names = dict.fromkeys(name for each in every for name in each)
    columns = {name: [each.get(name, "") for each in every] for name in names}
    return {name: values for name, values in columns.items() if len(set(values)) > 1}


def _share(sparsity: float) -> str:
    """A sparsity in per cent, with every digit: what differs must be seen to."""
    return f"{100 * sparsity:.10g} %"


# --- against each other --------------------------------------------------------------------------------------------


def apart(row: Row, base: Row) -> str | None:
    """Why two perplexities cannot be compared; None where they can: one model in one precision, the same windows."""
    mine, other = row.study.spec, base.study.spec
    if mine.model.weights != other.model.weights:
        return f"they are of different models, {row.model} and {base.model}"
    if mine.model.dtype != other.model.dtype:
        return f"one ran in {mine.model.dtype}, the other in {other.model.dtype}"
    if mine.text.content != other.text.content:
        return f"they were read on different texts, {row.text} and {base.text}"
    if (mine.text.sequences, mine.text.length) != (other.text.sequences, other.text.length):
        amounts = (f"{each.sequences} windows of {each.length} tokens" for each in (mine.text, other.text))
        return "they were read on {}, and on {}".format(*amounts)
    now = {each.one.result.pruned.earlier for each in (row, base) if each.one.result.pruned}
    if len(now) > 1:
        return f"only one was pruned by {max(now)}"
    return None if mine.text.key == other.text.key else "they were read on other windows of the text"


def compared(row: Row, base: Row) -> Interval | None:
    """Change of perplexity in per cent, paired over windows; None where the two cannot be compared."""
    return None if apart(row, base) else row.one.against(base.one).windows


def said(row: Row, base: Row, found: Interval | None) -> str:
    """One sentence on a row against the first: what it does to perplexity, or why that cannot be said."""
    name, other = row.called, base.called
    if found is None:
        return f"{capital(name)} cannot be compared with {other}: {apart(row, base)}."
    broken = [each for each in (row, base) if each.one.trouble]
    if broken:
        why = " and ".join(f"the perplexity of {each.called} is {each.one.trouble}" for each in broken)
        return f"{capital(name)} cannot be compared with {other}: {why}."
    return f"{capital(sentence(name, other, found))}."
