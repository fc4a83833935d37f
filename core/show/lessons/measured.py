"""Chapter 6, its end: what was measured of allocations as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from core.base.errors import UserError
from core.base.formats import digits
from core.kinds.treatments import USUAL
from core.plan.estimates import estimates
from core.results import protocols
from core.results.comparison import spearman
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice, slice_of
from core.results.verdicts import beside
from core.show.figures.labels import percent
from core.show.lessons.shared import TARGET
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Whole:
    """Pruned models that compare, each over all its calibration seeds."""

    evaluations: Evaluations
    part: Slice

    @property
    def settings(self) -> list[EvaluatedSetting]:
        """Shuffles are left out: each is a draw of many, which says nothing on its own."""
        return [each for each in self.evaluations.within(self.part) if each.control != "shuffled"]

    @property
    def made(self) -> str:
        """When the last study that asked for any of them was."""
        entries = (*self.evaluations.entries, *self.evaluations.guests)
        asked = [each for each in entries for point in each.spec.points
                 if point.setting is not None and slice_of(point.setting) == self.part]  # fmt: skip
        return max((str(each.provenance.get("created", "")) for each in asked), default="")


def measured(known: Iterable[Evaluations]) -> Whole | None:
    """Whole allocations of one protocol, pruner and pattern, of all that is known; None where nothing was measured.

    They are of the tour's target or, where none was pruned to that, of the nearest. Where several such lists are, one
    by the usual pruner is taken before the others, then that of the most methods, then the longest, of equals the one
    made last: when its files were written here says nothing after a checkout. What was measured alike by another
    profile stands beside it, as in the race of Allocate: the tour would else name another best method.
    """
    known = tuple(known)
    best = max((Whole(each, part) for each in known for part in each.slices), key=_worth, default=None)
    return best and replace(best, evaluations=protocols.across_profiles(best.evaluations, known))


def _worth(found: Whole) -> tuple[float, bool, int, int, str]:
    usual, methods = found.part.treatment.name == USUAL, len(found.evaluations.methods(found.part))
    return -round(abs(found.part.target - TARGET), 6), usual, methods, len(found.settings), found.made


def estimated(found: Whole, profile: Profile) -> Array:
    """(settings,) additive estimate of the KL divergence, nats; NaN where it is not known."""
    return np.array([_estimate(each.planned, profile) for each in found.settings])


def _estimate(planned: Array, profile: Profile) -> float:
    if planned.ndim != 1 or len(planned) != profile.layers:
        return math.nan
    try:
        return float(estimates(planned[None], profile, "kl")[0])
    except UserError:
        return math.nan


def measured_said(found: Whole, profile: Profile) -> str:
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


def ranked(found: Whole) -> str:
    """Which allocation was measured best, and which worst."""
    known = _known(found)
    if len(known) < 2:
        return "Fewer than two allocations were measured, so there is nothing to compare."
    best, worst = (pick(known, key=lambda each: each.perplexity) for pick in (min, max))
    return (
        f"Measured at {_aim(found.part.target)}, “{best.name}” is best ({_cost(best)}) and “{worst.name}” worst "
        f"({_cost(worst)})."
    )


def _known(found: Whole) -> list[EvaluatedSetting]:
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
