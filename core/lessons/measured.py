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
from core.profiles import Profile
from core.results import Array
from core.settings import Setting
from core.store import Store
from core.words import digits


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
    """The pruned models of the newest study of the profile's model, or of any model; None where there is none.

    Points of other targets or pruners than the first pruned one are left out, for they do not compare.
    """
    content = profile.spec.model.content if profile else None
    for entry in store.entries("study"):
        if content in (None, entry.spec.model.content):
            study = studies.load(store, entry)
            first = next(iter(study.pruned), None)
            if first is not None:
                return [_point(study, each, profile) for each in study.pruned if _alike(each, first)]
    return None


def _alike(one: studies.Measured, other: studies.Measured) -> bool:
    pairs = ((each.setting.pruner, each.setting.allocation.target, each.setting.pattern) for each in (one, other))
    return len(set(pairs)) == 1


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
        f"Measured, {best.name} is best (perplexity {digits(best.perplexity, 3)}) and {worst.name} worst "
        f"({digits(worst.perplexity, 3)})."
    )
    agreement = spearman(np.array([each.estimate for each in known]), np.array([each.perplexity for each in known]))
    if math.isfinite(agreement):
        said += f" The estimates had ranked them with a rank correlation of {agreement:.2f} to what was measured."
    return said
