"""Results -> charts: which numbers go into which figure. Pure but for the palette."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.ask.naming import spoken
from core.base.errors import UserError
from core.kinds.treatments import Treatment
from core.plan import responses
from core.plan.estimates import estimate
from core.results import verdicts
from core.results.comparison import FEWEST_WINDOWS
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice, slice_of
from core.results.leaderboard import interval
from core.show.figures import evaluation
from core.show.figures.estimate import trusted
from core.show.figures.labels import percent
from core.show.figures.perplexity import Curve
from core.show.figures.perplexity import perplexity as figure_of_perplexity
from core.show.figures.style import LIGHT, Chart, Palette
from core.store.profiles import Profile
from core.store.results import Array

FEW_ROWS = 12  # up to this many, corrections at every strength stand among the methods
MEAN = "mean of tasks"


def perplexity(
    found: Evaluations, shown: EvaluatedSetting | None, look: Palette = LIGHT, part: Slice | None = None
) -> Chart:
    """Every method over its targets; of corrections that in view alone, for they have a chart of their own.

    Args:
        part: what is compared, over all targets, with the lowest there by whatever pruner; None: everything.
    """
    drawn: dict[tuple[str, bool], list[EvaluatedSetting]] = defaultdict(list)
    for each in _compared(found, part):
        mine = shown is not None and each.name == shown.name
        if each.finite and (mine or not each.strength):
            drawn[each.name, mine].append(each)
    curves = [
        Curve(
            name,
            {each.setting.allocation.target: each.perplexities for each in settings},
            shown=mine,
            ends={each.setting.allocation.target: interval(each) for each in settings},
            kind=settings[0].setting.allocation.base.kind,
        )
        for (name, mine), settings in drawn.items()
    ]
    dense = found.dense.perplexity if found.dense else float("nan")
    targets = {each: percent(each.setting.allocation.target) for each in found.settings}
    broken = {f"{spoken(each.name)} at {targets[each]}": each.broken for each in found.settings if not each.finite}
    few = found.spec.text.sequences < FEWEST_WINDOWS
    return figure_of_perplexity(curves, dense, broken, look, few, part and part.target)


def _compared(found: Evaluations, part: Slice | None) -> list[EvaluatedSetting]:
    """What is pruned alike, over all targets, and the method that is lowest at the target by whatever pruner."""
    if part is None:
        return list(found.settings)
    here = [each for each in found.settings if each.finite and each.setting.allocation.target == part.target]
    lowest = {each.name for each in sorted(here, key=lambda each: each.perplexity)[:1]}
    return [each for each in found.settings if slice_of(each.setting).pruned == part.pruned or each.name in lowest]


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
    found: Evaluations, base: EvaluatedSetting, shown: EvaluatedSetting | None, look: Palette = LIGHT
) -> Chart:
    """The correction of a base at every strength, and its controls, each against the base."""
    changes = {each: each.against(base).windows for each in found.corrections(base)}
    mine = shown.name if shown else None
    rows = {each.name: change for each, change in changes.items()}
    chart = evaluation.changes(rows, mine, base.name, look, "The correction beside its controls")
    own = {each.strength: change for each, change in changes.items() if each.control == "none"}
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
    return evaluation.accuracies(rows, shown.name if shown else None, what, look)


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
