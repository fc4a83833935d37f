"""Candidates of a search at one target: all are predicted, and few are evaluated. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain

import numpy as np

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.formats import several
from core.kinds import BASES, Response, Uniform
from core.kinds.treatments import Treatment
from core.plan import prediction, responses
from core.plan.spread import allocate
from core.results.anchors import fitting
from core.results.evaluations import Evaluations
from core.store.profiles import Profile
from core.store.results import Array

MOST = 8  # settings that are evaluated at one target
# Of the correction and of its reverse. Allocations of one method differ little, so only the one predicted best of each
# is evaluated: the rest would win by luck on the text that selects.
STRENGTHS = (0.01, 0.02, 0.04, 0.06, 0.08)


def usual(profile: Profile, pruner: str, target: float) -> list[AllocationRequest]:
    """The two that every search evaluates first: uniform, and the response of least harm to the output."""
    bases = (Uniform(), Response(pruner=_curves(profile, pruner)))
    return [AllocationRequest(base=each, target=target) for each in bases]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Allocations that may be evaluated, and the harm of each of their layers pruned alone."""

    profile: Profile
    allocations: tuple[AllocationRequest, ...]
    harms: Array  # (allocations, layers)
    left_out: tuple[str, ...]  # what cannot be allocated or predicted, with the reason

    def best(self, study: Evaluations, treatment: Treatment, tried: Collection[str]) -> AllocationRequest | None:
        """The candidate predicted best; None where none may be better than the best that was measured.

        It may be if its interval reaches below the best. Where too few of the losses are numbers for a prediction, it
        is the candidate of least harm.

        Args:
            study: what was evaluated, on the text that selects.
            tried: titles of methods that had their turn.
        """
        places = [place for place, each in enumerate(self.allocations) if each.base.title not in tried]
        if not places:
            return None
        anchors, harms = fitting(study, self.profile, treatment), self.harms[places]
        if len(anchors.settings) < prediction.FEWEST:
            return self.allocations[places[int(harms.sum(1).argmin())]]
        target = self.allocations[0].target
        here = (each.loss for each in study.settings if each.finite and each.setting.allocation.target == target)
        found = anchors.predictor(harms)
        hopeful = np.where(found.low < min(here, default=np.inf) - study.dense.loss, found.increase, np.inf)
        first = int(hopeful.argmin())
        return self.allocations[places[first]] if np.isfinite(hopeful[first]) else None


def candidates(profile: Profile, pruner: str, target: float) -> Candidates:
    """Every method with the grid of its paper, plain, corrected and corrected in reverse.

    Raises:
        UserError: the profile lacks response curves.
    """
    highest, kept, left_out, beyond = responses.highest(profile), {}, {}, 0
    bases = chain.from_iterable(form.grid(target, profile.layers) for form in BASES.values())
    for base in bases:
        if isinstance(base, Response):
            base = base.model_copy(update={"pruner": _curves(profile, pruner, base.per_linear)})
        plain = AllocationRequest(base=base, target=target)
        for asked in (plain, *plain.corrected(STRENGTHS, ("none", "reversed"))):
            try:
                [harms] = responses.layer_harms(allocate(asked, profile).exact[None], profile)
            except UserError as reason:
                left_out.setdefault(str(reason), f"{naming.long(asked)} is left out: {reason}")
                break  # nor can it be stronger
            if np.isfinite(harms).all():
                kept[asked] = harms
            else:
                beyond += 1
    if beyond:
        left_out[""] = (
            f"{several(beyond, 'candidate')} prune a layer beyond {highest:g}, the largest sparsity that was measured "
            "alone: nothing beyond it is predicted"
        )
    harms = np.stack([*kept.values()]) if kept else np.zeros((0, profile.layers))
    return Candidates(profile, tuple(kept), harms, tuple(left_out.values()))


def _curves(profile: Profile, pruner: str, per_linear: bool = False) -> str:
    """The pruner whose response curves serve: this one, or the usual one where the profile has none of it."""
    return pruner if pruner in responses.pruners(profile, per_linear) else responses.usual(profile, per_linear)
