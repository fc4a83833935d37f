"""Results -> charts: which numbers go into which figure. Pure but for the palette."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.allocation.allocate import estimate
from core.analysis import responses
from core.analysis.comparing import Line, Results, Slice
from core.analysis.comparison import FEWEST_WINDOWS, Interval
from core.figures import evaluation
from core.figures.estimate import trusted
from core.figures.labels import percent
from core.figures.style import LIGHT, Chart, Palette
from core.specs import naming
from core.specs.errors import UserError
from core.store.profiles import Profile
from core.store.results import Array

FEW_ROWS = 12  # up to this many, corrections at every strength stand among the methods
MEAN = "mean of tasks"
CORRECTED = ", corrections"
CONTROLS = {"none": "correction", "reversed": "reversed", "ramp": "ramp", "shuffled": evaluation.SHUFFLES}


def perplexity(results: Results, shown: Line | None, look: Palette = LIGHT) -> Chart:
    """Every method over its targets; the corrections of one base as one, their controls left to their own chart."""
    found: dict[tuple[str, bool], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    strengths, bases = defaultdict(set), defaultdict(set)
    for line in results.lines:
        mine = shown is not None and line.name == shown.name
        if line.finite and (mine or line.setting.allocation.correction.control == "none"):
            found[_method(results, line, mine), mine][line.setting.allocation.target] += line.perplexities.tolist()
            strengths[_method(results, line, mine), mine].add(line.strength)
            bases[_method(results, line, mine)].add(line.setting.allocation.base)
    curves = [
        evaluation.Curve(
            name,
            {target: np.array(values) for target, values in points.items()},
            shown=mine,
            loose=len(strengths[name, mine]) > 1,
        )
        for (name, mine), points in found.items()
    ]
    dense = results.dense.perplexity if results.dense else float("nan")
    broken = {
        f"{each.name} at {percent(each.setting.allocation.target)}": each.broken
        for each in results.lines
        if not each.finite
    }
    few = results.study.spec.text.sequences < FEWEST_WINDOWS
    chart = evaluation.perplexity(curves, dense, broken, look, few)
    tuned = [name for name, found in bases.items() if len(found) > 1 and not name.endswith(CORRECTED)]
    if not tuned:
        return chart
    which = " and ".join([", ".join(tuned[:-1]), tuned[-1]] if len(tuned) > 1 else tuned)
    said = f"{which} stood with other parameters at each target, which Every number names."
    return replace(chart, finding=f"{chart.finding} {said}")


def _method(results: Results, line: Line, mine: bool) -> str:
    """The curve that a line belongs to: its own, or the one of all corrections of its base."""
    if mine or not line.strength:
        return line.name
    base = results.base(line)
    name = base.name if base else f"{naming.base(line.setting.allocation)}, {naming.PRUNERS[line.setting.pruner]}"
    return f"{name}{CORRECTED}"


def against_uniform(results: Results, part: Slice, shown: Line | None, look: Palette = LIGHT) -> Chart | None:
    """The methods of a slice against its uniform setting; None where there is nothing but uniform."""
    lines = [each for each in results.within(part) if results.uniform(each)]
    if len(lines) > FEW_ROWS:
        lines = [each for each in lines if not each.strength or each is shown]
    rows = {each.name: results.against_uniform(each).windows for each in lines}
    if not any(np.isfinite(each.value) for each in rows.values()):
        return None
    return evaluation.changes(rows, shown.name if shown else None, "uniform", look)


def corrected_bases(results: Results, part: Slice) -> list[Line]:
    """Lines that a correction was measured of, in order."""
    lines = results.within(part)
    return [each for each in lines if any(results.base(other) is each for other in lines)]


def correction(results: Results, part: Slice, base: Line, shown: Line | None, look: Palette = LIGHT) -> Chart:
    """The correction of a base and its controls over strength."""
    families: dict[str, dict[float, list[Interval]]] = {name: defaultdict(list) for name in CONTROLS.values()}
    for line in results.within(part):
        if results.base(line) is base:
            name = CONTROLS[line.setting.allocation.correction.control]
            families[name][line.strength].append(results.against_base(line).windows)
    known = {name: dict(found) for name, found in families.items() if found}
    marked = shown.strength if shown is not None and results.base(shown) is base else None
    at_paper = abs(part.target - evaluation.PAPER_TARGET) < 1e-9
    return evaluation.correction(known, base.name, marked, at_paper, look)


def zero_shot(results: Results, part: Slice, task: str, shown: Line | None, look: Palette = LIGHT) -> Chart:
    """Accuracy of the dense model and every line of a slice, at one task or as the mean of those that all share."""
    tasks = results.shared(part) if task == MEAN else (task,)
    lines = results.within(part)
    if len(lines) > FEW_ROWS:
        lines = [each for each in lines if not each.strength or each is shown]
    lines = [*([Line(None, "dense", (results.dense,))] if results.dense else []), *lines]
    rows = {each.name: accuracy(each, tasks) for each in lines if all(map(each.has, tasks))}
    broken = {each.name: each.broken for each in lines if each.name in rows and not each.finite}
    what = f"{MEAN} ({', '.join(tasks)})" if task == MEAN else task
    return evaluation.accuracies(rows, shown.name if shown else None, what, look, broken)


def tasks_within(results: Results, part: Slice) -> dict[str, str]:
    """What can be chosen for that chart, value -> words: the mean where there is one, and each task asked there."""
    found = {MEAN: MEAN} if results.shared(part) else {}
    return found | {name: name for name in results.tasks if any(each.has(name) for each in results.within(part))}


def accuracy(line: Line, tasks: Sequence[str]) -> tuple[float, float]:
    """Mean accuracy over some tasks and its standard error; tasks are independent."""
    each = np.array([line.accuracy(name)[:2] for name in tasks])
    return float(each[:, 0].mean()), float(np.sqrt((each[:, 1] ** 2).sum()) / len(each))


def trust(
    results: Results,
    part: Slice,
    profile: Profile,
    objective: str,
    shown: Line | None,
    look: Palette = LIGHT,
    now: Array | None = None,
) -> Chart:
    """The additive estimate of every line of a slice against what it was measured to cost.

    Args:
        now: (layers,) or (layers, linears), the allocation in view where no line is known to be it.

    Raises:
        UserError: the profile holds too few residuals of this pruner, or the dense model is not measured.
    """
    responses.measured(profile, part.pruner, objective)
    if results.dense is None:
        raise UserError("the dense model is not measured yet")
    lines = results.within(part)
    estimated = np.array([_estimate(each.planned, profile, objective, part.pruner) for each in lines])
    measured = np.array([each.loss for each in lines]) - float(results.dense.evaluated.nll.mean())
    if shown is None and now is not None:
        shown = next((each for each in lines if _alike(each.planned, now)), None)
    here = _estimate(now, profile, objective, part.pruner) if shown is None and now is not None else float("nan")
    marked = [each.name for each in lines if each is shown]
    uniform = [each.name for each in lines if each.setting == each.setting.uniform]
    unit = f"{responses.NAMES[objective]}, curves from {naming.PRUNERS[part.pruner]}"
    return trusted(
        [each.name for each in lines],
        estimated,
        measured,
        marked,
        unit,
        part.name,
        look,
        uniform=uniform,
        here=here if np.isfinite(here) else None,
    )


def _alike(planned: Array, now: Array) -> bool:
    """Whether two allocations ask the same of a pruner."""
    return planned.shape == now.shape and np.allclose(planned, now, rtol=0, atol=1e-6)


def _estimate(planned: Array, profile: Profile, objective: str, pruner: str) -> float:
    """NaN beyond what was measured, and for budgets per linear, whose estimates are not comparable with others."""
    if planned.ndim == 2 and not np.allclose(planned, planned[:, :1]):
        return float("nan")
    try:
        return estimate(planned if planned.ndim == 1 else planned[:, 0], profile, objective, pruner)
    except UserError:
        return float("nan")
