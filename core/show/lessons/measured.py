"""Chapter 6, its end: what was measured of allocations as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from core.base.errors import UserError
from core.base.formats import digits
from core.plan.estimates import estimates
from core.results.comparison import spearman
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.results.protocols import Place, place
from core.results.verdicts import beside
from core.show.figures.labels import percent
from core.show.lessons.shared import TARGET
from core.store.profiles import Profile
from core.store.results import Array


def measured(known: Iterable[Evaluations]) -> Place | None:
    """The allocations of the tour's target or, where none was pruned to that, of the nearest, as all pages choose them.

    None where nothing was measured.
    """
    return place(known, TARGET)


def estimated(found: Place, profile: Profile) -> Array:
    """(settings,) additive estimate of the KL divergence, nats; NaN where it is not known."""
    return np.array([_estimate(each.planned, profile) for each in found.settings])


def _estimate(planned: Array, profile: Profile) -> float:
    if planned.ndim != 1 or len(planned) != profile.layers:
        return math.nan
    try:
        return float(estimates(planned[None], profile, "kl")[0])
    except UserError:
        return math.nan


def measured_said(found: Place, profile: Profile) -> str:
    """Which allocation was measured best, and whether the estimates had ranked them so."""
    known = _known(found)
    if len(known) < 2:
        return ranked(found)
    estimate = estimated(found, profile)[[math.isfinite(each.perplexity) for each in found.settings]]
    agreement = spearman(estimate, np.array([each.perplexity for each in known]))
    if not math.isfinite(agreement):
        return ranked(found)
    count = int(np.isfinite(estimate).sum())
    which = "" if count == len(known) else f" over the {count} that could be estimated"
    return f"{ranked(found)} The rank correlation between estimate and measurement{which} is {agreement:.2f}."


def ranked(found: Place) -> str:
    """Which allocation was measured best, and which worst."""
    known = _known(found)
    if len(known) < 2:
        return "Fewer than two allocations were measured, so there is nothing to compare."
    best, worst = (pick(known, key=lambda each: each.perplexity) for pick in (min, max))
    return (
        f"Measured at {_aim(found.part.target)}, “{best.name}” is best ({_cost(best)}) and “{worst.name}” worst "
        f"({_cost(worst)})."
    )


def _known(found: Place) -> list[EvaluatedSetting]:
    return [each for each in found.settings if math.isfinite(each.perplexity)]


def _cost(one: EvaluatedSetting) -> str:
    """`perplexity 403: 64 % [60, 68] below uniform, one calibration seed`; of uniform itself the perplexity alone."""
    change = one.against_uniform
    perplexity = f"perplexity {digits(one.perplexity, 3)}"
    return perplexity if change is None else f"{perplexity}: {beside(change, 'uniform')}"


def _aim(target: float) -> str:
    """A target in words; one that the tour does not speak of is said to be the nearest."""
    near = abs(target - TARGET) < 1e-9
    return f"{percent(target)} zeros" + ("" if near else f" (nothing was measured at {percent(TARGET)})")
