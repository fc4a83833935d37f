"""A study as a part of a report: perplexity against target, changes with their intervals, every number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from core.best import Best
from core.comparison import Interval, paired, percent, sentence
from core.report import Command, Exhibit, Part, Table
from core.results import Array
from core.settings import Setting
from core.store import Entry
from core.studies import Measured, Study
from pages.ui.charts import evaluation
from pages.ui.charts.style import Chart, Palette
from pages.ui.report import names, provenance, remake
from pages.ui.report.exhibits import exhibit, texts
from pages.ui.runs import reading

PAIRED = (
    "Changes of perplexity are paired over windows: the interval is the 95 % one of a bootstrap over the differences "
    "in loss, window by window."
)


@dataclass(frozen=True, eq=False)
class Method:
    """One setting with every calibration seed it was measured with."""

    name: str
    setting: Setting  # with calibration seed 0
    seeds: tuple[Measured, ...]

    @property
    def perplexities(self) -> Array:
        """(seeds,)"""
        return np.array([each.perplexity for each in self.seeds])

    @property
    def group(self) -> tuple[str, str | None, float]:
        """What it may be ranked within: pruner, pattern, target."""
        return self.setting.pruner, self.setting.pattern, self.setting.allocation.target


def part(entry: Entry, found: Study) -> Part:
    """Everything that is reported of a study; `entry` may be the best setting that it judges."""
    spec = found.spec
    note = provenance.note(entry, spec.model, spec.text)
    methods = methods_of(found)
    prefix = found.spec.key[:6]
    exhibits = [exhibit(lambda look: _perplexity(found, methods, look), note, prefix)] if methods else []
    exhibits += _changes(methods, note, prefix)
    return Part(
        key=entry.key,
        title=f"{found.provenance.get('model', spec.model.content)}: what does pruning cost?",
        sentences=(f"Perplexity of the dense model: {_dense(found)}.", *_broken(found), *_sentences(methods), PAIRED),
        exhibits=tuple(exhibits),
        tables=(("Every number", numbers(entry, found)),),
        provenance=provenance.rows(entry, spec.model, spec.text),
        commands=tuple(remake.study(found)),
    )


def best(entry: Entry, found: Best, commands: tuple[str, ...]) -> Part:
    """The best setting: its answer, then the study that judged it."""
    judged = part(entry, found.final)
    said = (found.sentence, found.loss_sentence, *found.more_sentences)
    remade = tuple(Command("The answer:", each) for each in commands)
    return Part(
        key=entry.key,
        title=f"{found.provenance.get('model', 'Model')}: the best setting",
        sentences=(*said, *judged.sentences),
        exhibits=judged.exhibits,
        tables=judged.tables,
        provenance=judged.provenance,
        commands=remade or judged.commands,
    )


def methods_of(found: Study) -> list[Method]:
    """The settings of a study over their seeds, in the order asked."""
    grouped: dict[Setting, list[Measured]] = defaultdict(list)
    for each in found.pruned:
        grouped[each.setting.model_copy(update={"calibration_seed": 0})].append(each)
    called = names.methods(grouped)
    return [Method(called[setting], setting, tuple(seeds)) for setting, seeds in grouped.items()]


def _dense(found: Study) -> str:
    return reading.perplexity(found.dense) if found.dense.evaluated is not None else "not measured"


def _broken(found: Study) -> list[str]:
    return [f"{each.name}: {each.trouble}." for each in found.pruned if each.trouble]


# --- against uniform -----------------------------------------------------------------------------------------------


def change(method: Method, other: Method) -> Interval:
    """Change of perplexity in per cent over the calibration seeds that both have, averaged, paired over windows."""
    mine, theirs = (
        {each.setting.calibration_seed: each.evaluated.nll for each in one.seeds} for one in (method, other)
    )
    common = sorted(mine.keys() & theirs.keys())
    if not common:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    return percent(paired(*(np.mean([one[seed] for seed in common], axis=0) for one in (mine, theirs))))


def against_uniform(methods: list[Method]) -> dict[tuple, dict[str, Interval]]:
    """Pruner, pattern and target -> name -> change against the uniform setting there."""
    twins = {each.setting: each for each in methods}
    found: dict[tuple, dict[str, Interval]] = defaultdict(dict)
    for each in methods:
        twin = twins.get(each.setting.uniform)
        if twin is not None and twin is not each:
            found[each.group][each.name] = change(each, twin)
    return dict(found)


def _within(group: tuple[str, str | None, float]) -> str:
    pruner, pattern, target = group
    return ", ".join([f"{target:.0%} zeros", names.PRUNERS[pruner], *([pattern] if pattern else [])])


def _sentences(methods: list[Method]) -> list[str]:
    """On methods as published; corrections stand beside their controls in the chart and the table."""
    plain = [each for each in methods if not each.setting.allocation.correction.strength]
    return [
        f"At {_within(group)}: {sentence(name, 'uniform', found)}."
        for group, rows in against_uniform(plain).items()
        for name, found in rows.items()
    ]


def _changes(methods: list[Method], note: str, prefix: str) -> list[Exhibit]:
    shown = []
    for group, rows in against_uniform(methods).items():
        if any(np.isfinite(each.value) for each in rows.values()):
            title = f"Cost or gain against uniform: {_within(group)}"
            shown.append(
                exhibit(
                    lambda look, rows=rows, title=title: evaluation.changes(rows, None, "uniform", look, title),
                    note,
                    f"{prefix}-{group[0]}-{group[2]:g}",
                )
            )
    return shown


# --- charts and numbers --------------------------------------------------------------------------------------------


def _perplexity(found: Study, methods: list[Method], look: Palette) -> Chart:
    grouped: dict[str, list[Method]] = defaultdict(list)
    for each in methods:
        grouped[names.curve(each.name, each.setting)].append(each)
    lines = [_curve(name, several) for name, several in grouped.items()]
    dense = found.dense.perplexity if found.dense.evaluated is not None else float("nan")
    return evaluation.perplexity(lines, dense, look=look)


def _curve(name: str, methods: list[Method]) -> evaluation.Curve:
    """Corrections of several strengths are points, since no line through them would mean anything."""
    points: dict[float, list[float]] = defaultdict(list)
    for each in methods:
        points[each.setting.allocation.target] += each.perplexities.tolist()
    fixes = {each.setting.allocation.correction for each in methods}
    values = {target: np.array(each) for target, each in points.items()}
    return evaluation.Curve(name, values, loose=len(fixes) > 1)


def numbers(entry: Entry, found: Study) -> Table:
    """A row per point: perplexity, change against uniform with its interval, divergence, agreement, accuracies."""
    tasks = [task.name for task in found.spec.tasks]
    columns = ["setting", "perplexity", "against uniform", "KL, nats", "agreement", "zeros, mean of linears", *tasks]
    rows = []
    for row in reading.rows_of(entry, found):
        each = row.measured
        against = reading.against_uniform(row)
        accuracies = [f"{each.tasks[name].acc.mean():.3f}" if name in each.tasks else "" for name in tasks]
        zeros = float(np.nanmean(each.evaluated.zeros))
        said = evaluation.said(against) if against else ""
        rows.append((each.name, reading.perplexity(each), said, each.kl, each.agreement, zeros, *accuracies))
    return texts(columns, rows)
