"""Results -> charts: which numbers go into which figure. Pure but for the palette."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.ask.naming import spoken
from core.base.errors import UserError
from core.base.formats import listed
from core.kinds.treatments import Treatment
from core.plan import responses
from core.plan.estimates import estimate
from core.results import verdicts
from core.results.comparison import FEWEST_WINDOWS, Interval
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice, slice_of
from core.results.leaderboard import interval
from core.show.figures import evaluation
from core.show.figures.estimate import trusted
from core.show.figures.labels import percent
from core.show.figures.style import LIGHT, Chart, Palette
from core.store.profiles import Profile
from core.store.results import Array

FEW_ROWS = 12  # up to this many, corrections at every strength stand among the methods
MEAN = "mean of tasks"
CORRECTED = ", corrections"
CONTROLS = {"none": "correction", "reversed": "reversed", "ramp": "ramp", "shuffled": evaluation.SHUFFLES}


def perplexity(
    found: Evaluations, shown: EvaluatedSetting | None, look: Palette = LIGHT, part: Slice | None = None
) -> Chart:
    """Every method over its targets; the corrections of one base as one, their controls left to their own chart.

    Args:
        part: what is compared; curves of other pruners, repairs and patterns are pale. None: all have their names.
    """
    points: dict[tuple[str, bool], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    strengths, bases, ends = defaultdict(set), defaultdict(set), defaultdict(dict)
    named, front = _named(found, part), set()
    for each in found.settings:
        mine = shown is not None and each.name == shown.name
        fix = each.setting.allocation.correction
        if each.finite and (mine or fix.control == "none"):
            name = each.name
            if not mine and fix.strength:  # all corrections of a base are one curve
                base = f"{each.setting.allocation.base.title}, {each.setting.treatment.label}"
                name = f"{each.base.name if each.base else base}{CORRECTED}"
            points[name, mine][each.setting.allocation.target] += each.perplexities.tolist()
            strengths[name, mine].add(fix.strength)
            bases[name].add(each.setting.allocation.base)
            ends[name, mine][each.setting.allocation.target] = interval(each)
            front |= {name} if each in named else set()
    curves = [
        evaluation.Curve(
            name,
            {target: np.array(values) for target, values in drawn.items()},
            shown=mine,
            loose=len(strengths[name, mine]) > 1,
            ends=ends[name, mine],
            kind=next(iter(bases[name])).kind,
            behind=name not in front,
        )
        for (name, mine), drawn in points.items()
    ]
    dense = found.dense.perplexity if found.dense else float("nan")
    broken = {
        f"{spoken(each.name)} at {percent(each.setting.allocation.target)}": each.broken
        for each in found.settings
        if not each.finite
    }
    few = found.spec.text.sequences < FEWEST_WINDOWS
    chart = evaluation.perplexity(curves, dense, broken, look, few, part and part.target)
    several = {name for name in front if sum(not each.by_hand for each in bases[name]) > 1}
    tuned = [spoken(name) for name in bases if name in several and not name.endswith(CORRECTED)]
    if not tuned:
        return chart
    said = f"Parameters of {listed(tuned)} differ by target; see All results."
    return replace(chart, finding=f"{chart.finding} {said}")


def _named(found: Evaluations, part: Slice | None) -> list[EvaluatedSetting]:
    """Settings that are drawn with their names: those compared, over all targets, and the lowest at their target."""
    if part is None:
        return list(found.settings)
    alike = [each for each in found.settings if slice_of(each.setting).pruned == part.pruned]
    here = [each for each in found.settings if each.finite and each.setting.allocation.target == part.target]
    return [*alike, *sorted(here, key=lambda each: each.perplexity)[:1]]


def against_uniform(
    found: Evaluations, part: Slice, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart | None:
    """The methods of a slice against its uniform setting; None where there is nothing but uniform."""
    asked = _few([each for each in found.within(part) if each.uniform], shown)
    rows = {each.name: each.against_uniform.quoted for each in asked}
    if not any(np.isfinite(each.value) for each in rows.values()):
        return None
    return evaluation.changes(rows, shown.name if shown else None, "uniform", look)


def _few(settings: list[EvaluatedSetting], shown: EvaluatedSetting | None) -> list[EvaluatedSetting]:
    """Settings as rows; where they are many, without the corrections that are not in view."""
    return [each for each in settings if len(settings) <= FEW_ROWS or not each.strength or each is shown]


def corrected_bases(found: Evaluations, part: Slice) -> list[EvaluatedSetting]:
    """Settings that a correction was measured of, in order."""
    return [each for each in found.within(part) if found.corrections(each)]


def correction(
    found: Evaluations, part: Slice, base: EvaluatedSetting, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart:
    """The correction of a base and its controls over strength."""
    families: dict[str, dict[float, list[Interval]]] = {name: defaultdict(list) for name in CONTROLS.values()}
    for each in found.corrections(base):
        families[CONTROLS[each.control]][each.strength].append(each.against(base).windows)
    known = {name: dict(changes) for name, changes in families.items() if changes}
    marked = shown.strength if shown is not None and shown.base is base else None
    at_paper = abs(part.target - evaluation.PAPER_TARGET) < 1e-9
    spoken_of = verdicts.in_view(found, base, shown)
    among = verdicts.among_shuffles(found, spoken_of) if spoken_of else ""
    return evaluation.correction(known, base.name, marked, at_paper, look, among)


def zero_shot(
    found: Evaluations, part: Slice, task: str, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart:
    """Accuracy of the dense model and every setting of a slice, at one task or as the mean of those that all share."""
    tasks = found.shared(part) if task == MEAN else (task,)
    asked = [*([found.dense] if found.dense else []), *_few(found.within(part), shown)]
    rows = {each.name: accuracy(each, tasks) for each in asked if all(map(each.has, tasks))}
    broken = {each.name: each.broken for each in asked if each.name in rows and not each.finite}
    what = f"{MEAN} ({', '.join(tasks)})" if task == MEAN else task
    return evaluation.accuracies(rows, shown.name if shown else None, what, look, broken)


def tasks_within(found: Evaluations, part: Slice) -> dict[str, str]:
    """What can be chosen for that chart, value -> words: the mean where there is one, and each task asked there."""
    asked = {name: name for name in found.tasks if any(each.has(name) for each in found.within(part))}
    return ({MEAN: MEAN} if found.shared(part) else {}) | asked


def accuracy(one: EvaluatedSetting, tasks: Sequence[str]) -> tuple[float, float]:
    """Mean accuracy over some tasks and its standard error; tasks are independent."""
    each = np.array([one.accuracy(name)[:2] for name in tasks])
    return float(each[:, 0].mean()), float(np.sqrt((each[:, 1] ** 2).sum()) / len(each))


def trust(
    found: Evaluations,
    part: Slice,
    profile: Profile,
    objective: str,
    shown: EvaluatedSetting | None,
    look: Palette = LIGHT,
    now: Array | None = None,
) -> Chart:
    """The additive estimate of every setting of a slice against what it was measured to cost.

    Args:
        now: (layers,) or (layers, linears), the allocation in view where no setting is known to be it.

    Raises:
        UserError: the profile holds too few residuals of this pruner, or the dense model is not measured.
    """
    curves = part.treatment if part.treatment.name in responses.pruners(profile) else Treatment(part.pruner)
    responses.measured(profile, curves.name, objective)
    if found.dense is None:
        raise UserError("the dense model is not measured yet")
    settings = found.within(part)
    estimated = np.array([_estimate(each.planned, profile, objective, curves.name) for each in settings])
    measured = np.array([each.loss for each in settings]) - found.dense.loss
    if shown is None and now is not None:
        shown = next((each for each in settings if _alike(each.planned, now)), None)
    here = _estimate(now, profile, objective, curves.name) if shown is None and now is not None else float("nan")
    marked = [each.name for each in settings if each is shown]
    uniform = [each.name for each in settings if each.setting == each.setting.uniform]
    unit = f"{responses.NAMES[objective]}, curves from {curves.label}"
    return trusted(
        [each.name for each in settings],
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
