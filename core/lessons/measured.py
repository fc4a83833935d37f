"""Chapter 6, its end: what was measured of allocations as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core import studies
from core.allocation.allocate import estimates
from core.comparison import Interval, spearman
from core.errors import UserError
from core.lessons.shared import TARGET
from core.profiles import Profile
from core.results import Array
from core.settings import Setting
from core.store import Entry, Store
from core.words import digits

Group = tuple[Entry, list[Setting]]  # a study, and settings of it that compare


@dataclass(frozen=True)
class MeasuredPoint:
    """A pruned model that was evaluated."""

    study: studies.Study
    setting: Setting
    name: str
    target: float
    perplexity: float
    change: Interval | None  # of perplexity against uniform, per cent; None for uniform itself
    estimate: float  # additive, of the KL divergence, nats; NaN where it is not known


def measured_points(store: Store, profile: Profile | None = None) -> list[MeasuredPoint] | None:
    """Pruned models of one study of the profile's model, or of any model, that compare; None where there is none.

    They share pruner, pattern and calibration seed, and the tour's target or, where none was pruned to that, the
    nearest. Of several studies the one with most such points is taken, of equals the one made last: when its files
    were written here says nothing after a checkout.
    """
    groups = [group for entry in store.entries("study") if _of(entry, profile) for group in _alike(entry)]
    for entry, asked in sorted(groups, key=_worth, reverse=True):
        study = studies.load(store, entry)
        if points := [each for each in study.pruned if each.setting in asked]:
            return [_point(study, each, profile) for each in points]
    return None


def _of(entry: Entry, profile: Profile | None) -> bool:
    model = entry.spec.model
    mine = profile.spec.model if profile else model
    return (model.content, model.initialised) == (mine.content, mine.initialised)


def _alike(entry: Entry) -> list[Group]:
    """What a study asks for, the settings of one target, pruner, pattern and calibration seed together."""
    found: dict[tuple, list[Setting]] = {}
    for each in (point.setting for point in entry.spec.points if point.setting is not None):
        alike = each.allocation.target, each.pruner, each.pattern, each.calibration_seed
        found.setdefault(alike, []).append(each)
    return [(entry, asked) for asked in found.values()]


def _worth(group: Group) -> tuple[float, int, str]:
    entry, asked = group
    away = abs(asked[0].allocation.target - TARGET)
    return -round(away, 6), len(asked), str(entry.provenance.get("created", ""))


def _point(study: studies.Study, each: studies.Measured, profile: Profile | None) -> MeasuredPoint:
    twin = study.twin(each)
    change = studies.against(each, twin) if twin is not None and twin is not each else None
    return MeasuredPoint(
        study,
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
        f"Measured at {_aim(known[0].target)}, “{best.name}” is best (perplexity {digits(best.perplexity, 3)}) and "
        f"“{worst.name}” worst ({digits(worst.perplexity, 3)})."
    )
    agreement = spearman(np.array([each.estimate for each in known]), np.array([each.perplexity for each in known]))
    if math.isfinite(agreement):
        estimated = sum(math.isfinite(each.estimate) for each in known)
        which = "" if estimated == len(known) else f" of the {estimated} that could be estimated"
        said += f" The rank correlation of estimate and measurement{which} is {agreement:.2f}."
    return said


def _aim(target: float) -> str:
    """A target in words; one that the tour does not speak of is said to be the nearest."""
    near = abs(target - TARGET) < 1e-9
    return f"{target:.0%} zeros" + ("" if near else f" (nothing was at {TARGET:.0%})")
