"""Chapter 6, its end: what was measured of allocations as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.allocation.allocate import estimates
from core.analysis import studies
from core.analysis.comparison import Interval, beside, spearman
from core.lessons.shared import TARGET
from core.specs.errors import UserError
from core.specs.formats import digits
from core.specs.settings import Setting
from core.specs.studies import Point
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from core.store.results import Array

Group = list[tuple[Entry, Point]]  # points that compare, each with a study that asks for it


@dataclass(frozen=True)
class MeasuredPoint:
    """A pruned model that was evaluated."""

    study: studies.Study  # what it compares with, of one study or of several put together
    keys: tuple[str, ...]  # of those studies
    setting: Setting
    name: str
    target: float
    perplexity: float
    change: Interval | None  # of perplexity against uniform, per cent; None for uniform itself
    estimate: float  # additive, of the KL divergence, nats; NaN where it is not known


def measured_points(store: Store, profile: Profile | None = None) -> list[MeasuredPoint] | None:
    """Pruned models of the profile's model, or of any model, that compare; None where there is none.

    They share text, calibration, the profile their allocations looked at, pruner and pattern, whichever study asked
    for them, and the tour's target or, where none was pruned to that, the nearest. Where several such lists are, the
    longest is taken, of equals the one made last: when its files were written here says nothing after a checkout.
    Shuffles are left out: each is a draw of many, which says nothing on its own.
    """
    for group in sorted(_groups(store, profile), key=_worth, reverse=True):
        study = _together(store, group)
        if study.pruned:
            keys = tuple(dict.fromkeys(entry.key for entry, _ in group))
            return [_point(study, keys, each, profile) for each in study.pruned]
    return None


def _of(entry: Entry, profile: Profile | None) -> bool:
    model = entry.spec.model
    mine = profile.spec.model if profile else model
    return (model.content, model.initialised) == (mine.content, mine.initialised)


def _groups(store: Store, profile: Profile | None) -> list[Group]:
    """What studies ask for, the points that may be compared together."""
    found: dict[tuple, Group] = {}
    for entry in sorted(store.entries("study"), key=_made):
        if not _of(entry, profile):
            continue
        looked = studies.profile_key(store, entry.provenance.get("profile"))
        for point in entry.spec.points:
            if point.setting is not None and point.setting.allocation.correction.control != "shuffled":
                found.setdefault((*_alike(entry, point), looked), []).append((entry, point))
    return list(found.values())


def _alike(entry: Entry, point: Point) -> tuple:
    """What must be alike for two points to be compared, but for the profile."""
    asked, spec = point.setting, entry.spec
    how = asked.pruner, asked.pattern, asked.true_sequential, asked.calibration_seed
    return spec.model.key, spec.text.key, point.pruned.calibration, asked.allocation.target, *how


def _worth(group: Group) -> tuple[float, int, str]:
    asked = {point.setting for _, point in group}
    away = abs(group[0][1].setting.allocation.target - TARGET)
    return -round(away, 6), len(asked), max(_made(entry) for entry, _ in group)


def _made(entry: Entry) -> str:
    return str(entry.provenance.get("created", ""))


def _together(store: Store, group: Group) -> studies.Study:
    """The points as one study, each once, told of as the one made last."""
    last = group[-1][0]
    dense = [each for each in last.spec.points if each.setting is None]
    points = {point.setting: point for _, point in group}
    spec = last.spec.model_copy(update={"points": (*dense, *points.values()), "tasks": ()})
    return studies.read(store, spec, last.provenance)


def _point(
    study: studies.Study, keys: tuple[str, ...], each: studies.Measured, profile: Profile | None
) -> MeasuredPoint:
    twin = study.twin(each)
    change = studies.against(each, twin) if twin is not None and twin is not each else None
    return MeasuredPoint(
        study,
        keys,
        each.setting,
        each.name,
        each.setting.allocation.target,
        each.perplexity,
        change,
        _estimate(each.planned, profile),
    )


def _estimate(planned: Array | None, profile: Profile | None) -> float:
    if profile is None or planned is None or planned.ndim != 1 or len(planned) != profile.layers:
        return math.nan
    try:
        return float(estimates(planned[None], profile, "kl")[0])
    except UserError:
        return math.nan


def measured_said(points: Sequence[MeasuredPoint]) -> str:
    """Which allocation was measured best, and whether the estimates had ranked them so."""
    known = [each for each in points if math.isfinite(each.perplexity)]
    if len(known) < 2:
        return "Fewer than two allocations were measured, so that there is nothing to compare."
    best, worst = min(known, key=lambda each: each.perplexity), max(known, key=lambda each: each.perplexity)
    said = (
        f"Measured at {_aim(known[0].target)}, “{best.name}” is best (perplexity {_cost(best)}) and "
        f"“{worst.name}” worst ({_cost(worst)})."
    )
    agreement = spearman(np.array([each.estimate for each in known]), np.array([each.perplexity for each in known]))
    if math.isfinite(agreement):
        estimated = sum(math.isfinite(each.estimate) for each in known)
        which = "" if estimated == len(known) else f" of the {estimated} that could be estimated"
        said += f" The rank correlation of estimate and measurement{which} is {agreement:.2f}."
    return said


def _cost(point: MeasuredPoint) -> str:
    """`403, 64% [60, 68] below uniform`; of uniform itself the perplexity alone."""
    change = point.change
    return ", ".join([digits(point.perplexity, 3), *([] if change is None else [beside(change, "uniform")])])


def _aim(target: float) -> str:
    """A target in words; one that the tour does not speak of is said to be the nearest."""
    near = abs(target - TARGET) < 1e-9
    return f"{target:.0%} zeros" + ("" if near else f" (nothing was at {TARGET:.0%})")
