"""Settings as rows of dots: changes of perplexity with their intervals, accuracies with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from core.base.formats import capital, digits, listed
from core.results import verdicts
from core.results.comparison import Interval
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.show.figures.axes import row_axis
from core.show.figures.style import LIGHT, Chart, Palette, dots
from core.store.results import Array

PAPER_PERPLEXITY, PAPER_ACCURACY = -7.13, 1.02
PAPER = "paper, second-hand; other models"
TICKS = (-99, -95, -90, -80, -70, -60, -50, -40, -30, -20, -15, -10, -5, -2, -1, 0, 1, 2, 5, 10, 15, 20, 30, 50, 75)
BIG_TICKS = (100, 150, 200, 300, 500, 900, 1900, 4900, 9900, 99_900, 999_900)
FEW_TICKS = 4  # that a phone has room for beside names and numbers
FEW_ROWS = 12  # up to this many, corrections at every strength stand among the methods
MEAN = "mean of tasks"


def changes(
    rows: Mapping[str, Interval], shown: str | None, against: str, look: Palette = LIGHT, title: str | None = None
) -> Chart:
    """Change of perplexity with its paired interval, a row per setting, least first.

    Args:
        rows: name -> change in per cent, from `core.results.comparison.percent`.
        shown: the highlighted name.
        against: what they are compared with.
    """
    known = {name: each for name, each in rows.items() if math.isfinite(each.value)}
    names = sorted(known, key=lambda name: known[name].value)
    values = np.array([_in_logs(known[name]) for name in names]).reshape(-1, 3)
    told = [verdicts.said(known[name]) for name in names]
    figure = dots("change", names, values, told, _hues(names, shown, look), look)
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    axis = _change_axis(values, f"change of perplexity against {against}, %")
    figure.update_layout(xaxis=axis | {"tickangle": 0}, yaxis=row_axis(names))
    cells = [(name, each.value, each.low, each.high, each.n) for name, each in rows.items()]
    table = pd.DataFrame(cells, columns=["setting", "change, %", "low", "high", "windows or seeds"])
    title = title or f"Change of perplexity against {against}"
    return Chart("changes", title, figure, verdicts.counted(rows, against), table)


def accuracies(rows: Mapping[str, tuple[float, float]], shown: str | None, what: str, look: Palette = LIGHT) -> Chart:
    """Accuracy with its standard error, a row per setting, in the order given.

    Args:
        rows: name -> accuracy and standard error, fractions; NaN where the model broke, which gets no row.
        what: the task, or the mean of tasks.
    """
    known = {name: each for name, each in rows.items() if np.isfinite(each[0])}
    told = {name: _percents(*each) for name, each in known.items()}
    values = np.array([(mean, mean - error, mean + error) for mean, error in known.values()]).reshape(-1, 3)
    names = list(known)
    figure = dots("accuracy", names, 100 * values, list(told.values()), _hues(names, shown, look), look)
    figure.update_layout(xaxis={"title": f"accuracy, %: {what}", "rangemode": "tozero"}, yaxis=row_axis(names))
    lacking = [f"{name} has no accuracy: its outputs are not finite." for name in rows if name not in known]
    cells = [(name, *each) for name, each in rows.items()]
    table = pd.DataFrame(cells, columns=["setting", "accuracy", "standard error"])
    return Chart("zero-shot", "Zero-shot accuracy", figure, " ".join([*_most_right(known, told), *lacking]), table)


def bench(table: pd.DataFrame, column: str, title: str, look: Palette = LIGHT) -> Chart:
    """A dot for each row that has a number in the column; the first column names it."""
    known = table.dropna(subset=[column])
    names, values = known.iloc[:, 0].tolist(), known[column].to_numpy(float)
    texts = [digits(each, 3) for each in values]
    rows = np.stack([values, *np.full((2, len(values)), np.nan)], axis=1)
    figure = dots("bench", names, rows, texts, [look.ink] * len(names), look)
    figure.update_layout(xaxis={"title": column, "rangemode": "tozero"}, yaxis=row_axis(names))
    finding = f"{capital(column)}: {listed(f'{name} {text}' for name, text in zip(names, texts, strict=True))}."
    return Chart("bench", title, figure, finding, table)


def _hues(names: Sequence[str], shown: str | None, look: Palette) -> list[str]:
    return [look.accent if name == shown else look.ink for name in names]


def _percents(mean: float, error: float) -> str:
    """A single example has no standard error."""
    return f"{100 * mean:.1f} ± {100 * error:.1f}" if np.isfinite(error) else f"{100 * mean:.1f}"


def _most_right(known: Mapping[str, tuple[float, float]], told: Mapping[str, str]) -> list[str]:
    """Who answers most and least right."""
    if not known:
        return ["No setting has an accuracy."]
    best, worst = (pick(known, key=lambda name: known[name][0]) for pick in (max, min))
    least = "" if best == worst else f", {worst} least ({told[worst]} %)"
    return [f"{capital(best)} answers most right ({told[best]} %){least}; ± is the standard error."]


def _change_axis(values: Array, title: str) -> dict:
    """An axis of `ln(1 + per cent / 100)`: twice and half lie equally far from nothing; ticks in per cent."""
    low, high = np.nanmin(values, initial=-0.02), np.nanmax(values, initial=0.02)
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    inside = [each for each in (*TICKS, *BIG_TICKS) if low <= math.log1p(each / 100) <= high]
    chosen = [0]
    for each in sorted(inside, key=lambda tick: (abs(tick) % 10 != 0, abs(tick) % 5 != 0, abs(tick))):
        if all(abs(math.log1p(each / 100) - math.log1p(other / 100)) > (high - low) / FEW_TICKS for other in chosen):
            chosen.append(each)
    return {
        "title": title,
        "range": [low, high],
        "tickvals": [math.log1p(each / 100) for each in sorted(chosen)],
        "ticktext": [f"{each:+,d}" if each else "0" for each in sorted(chosen)],
    }


def _in_logs(found: Interval) -> list[float]:
    """A change in per cent and the ends of its interval, on that axis; NaN where they are not finite."""
    ends = (found.value, found.low, found.high)
    return [math.log1p(each / 100) if math.isfinite(each) else math.nan for each in ends]


# --- of a slice ---------------------------------------------------------------------------------------------------


def against_uniform(
    found: Evaluations, part: Slice, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart | None:
    """The methods of a slice against its uniform setting; None where there is nothing but uniform."""
    asked = _few([each for each in found.within(part) if each.uniform], shown)
    rows = {each.name: each.against_uniform.quoted for each in asked}
    if not any(np.isfinite(each.value) for each in rows.values()):
        return None
    return changes(rows, shown.name if shown else None, "uniform", look)


def _few(settings: list[EvaluatedSetting], shown: EvaluatedSetting | None) -> list[EvaluatedSetting]:
    """Settings as rows; where they are many, without the corrections that are not in view."""
    return [each for each in settings if len(settings) <= FEW_ROWS or not each.strength or each is shown]


def corrected_bases(found: Evaluations, part: Slice) -> list[EvaluatedSetting]:
    """Settings that a correction was measured of, in order."""
    return [each for each in found.within(part) if found.corrections(each)]


def correction(
    found: Evaluations, base: EvaluatedSetting, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart:
    """The correction of a base at every strength, and its controls, each against the base."""
    changed = {each: each.against(base).windows for each in found.corrections(base)}
    mine = shown.name if shown else None
    rows = {each.name: change for each, change in changed.items()}
    chart = changes(rows, mine, base.name, look, "The correction beside its controls")
    own = {each.strength: change for each, change in changed.items() if each.control == "none"}
    spoken_of = verdicts.in_view(found, base, shown)
    said = [verdicts.over_strengths(own, base.name), verdicts.among_shuffles(found, spoken_of) if spoken_of else ""]
    return replace(chart, name="correction", finding=" ".join(filter(None, said)))


def zero_shot(
    found: Evaluations, part: Slice, task: str, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart:
    """Accuracy of the dense model and every setting of a slice, at one task or as the mean of those that all share."""
    tasks = found.shared(part) if task == MEAN else (task,)
    asked = [*([found.dense] if found.dense else []), *_few(found.within(part), shown)]
    rows = {each.name: accuracy(each, tasks) for each in asked if all(map(each.has, tasks))}
    what = f"{MEAN} ({', '.join(tasks)})" if task == MEAN else task
    return accuracies(rows, shown.name if shown else None, what, look)


def tasks_within(found: Evaluations, part: Slice) -> dict[str, str]:
    """What can be chosen for that chart, value -> words: the mean where there is one, and each task asked there."""
    asked = {name: name for name in found.tasks if any(each.has(name) for each in found.within(part))}
    return ({MEAN: MEAN} if found.shared(part) else {}) | asked


def accuracy(one: EvaluatedSetting, tasks: Sequence[str]) -> tuple[float, float]:
    """Mean accuracy over some tasks and its standard error; tasks are independent."""
    each = np.array([one.accuracy(name)[:2] for name in tasks])
    return float(each[:, 0].mean()), float(np.sqrt((each[:, 1] ** 2).sum()) / len(each))
