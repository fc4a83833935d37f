"""Candidates of a search at one target: all are predicted, and few are evaluated. No torch."""

from collections.abc import Collection, Iterable
from itertools import chain

import numpy as np

from core.base import UserError, frozen, several
from core.methods import BASES, Response, Treatment
from core.plan import prediction, responses
from core.plan.allocation import allocate
from core.requests import AllocationRequest, Recipe, recipe_names
from core.results.forecast import Forecast
from core.results.study_results import Study
from core.store import Array, Profile

MOST = 8  # settings that are evaluated at one target
# Of the correction and of its reverse. Allocations of one method differ little, so only the one predicted best of each
# is evaluated: the rest would win by luck on the text that selects.
STRENGTHS = (0.01, 0.02, 0.04, 0.06, 0.08)


@frozen
class Candidates:
    """Allocations that may be evaluated, and the harm of each of their layers pruned alone."""

    target: float
    allocations: tuple[AllocationRequest, ...]
    harms: Array  # (allocations, layers)
    left_out: tuple[str, ...]  # what cannot be allocated or predicted, with the reason

    def best(
        self,
        study: Study | None,
        forecasts: Iterable[Forecast],
        treatment: Treatment,
        tried: Collection[tuple[str, Treatment]],
    ) -> Recipe | None:
        """The candidate predicted best; None where none may be better than the best that was measured.

        It may be if its interval reaches below the best; where both are pruned alike, the interval of what tells them
        apart. Where nothing predicts it is the candidate of least harm.

        Args:
            study: what was evaluated on the text that selects, which the forecasts predict; None: nothing.
            treatment: by which that one is pruned.
            tried: titles of methods that had their turn, each with its pruner and repair.
        """
        results = study.settings if study else ()
        here = (each for each in results if each.finite and each.target == self.target)
        best = min(here, key=lambda each: each.loss, default=None)
        least = best.loss - study.dense.loss if best else np.inf
        worths = {treatment: self.harms.sum(1)}
        for each in forecasts:
            if len(each.settings) >= prediction.FEWEST:
                predicted = each.increases_from_harms(self.harms, best)
                worths[each.treatment] = np.where(predicted.low < least, predicted.value, np.inf)
        waiting = [
            (worth, place, by)
            for by, every in worths.items()
            for place, worth in enumerate(every)
            if np.isfinite(worth) and (self.allocations[place].base.title, by) not in tried
        ]
        if not waiting:
            return None
        _, place, by = min(waiting, key=lambda each: each[0])
        return Recipe(allocation=self.allocations[place], pruner=by.pruner, repair=by.repair)


def candidates(profile: Profile, pruner: str, target: float) -> Candidates:
    """Every method with the grid of its paper, plain, corrected and corrected in reverse.

    Raises:
        UserError: the profile lacks response curves.
    """
    highest, harms_of, left_out, beyond = responses.highest(profile), {}, {}, 0
    bases = chain.from_iterable(form.grid(target, profile.layers) for form in BASES.values())
    for base in bases:
        if isinstance(base, Response):
            pruners = responses.pruners(profile, base.per_linear)  # whose curves may serve
            base = base.replace(
                pruner=pruner if pruner in pruners else responses.pruner_with_curves(profile, base.per_linear)
            )
        plain = AllocationRequest(base=base, target=target)
        for request in (plain, *plain.corrected(STRENGTHS, ("none", "reversed"))):
            try:
                [harms] = responses.layer_harms(allocate(request, profile).exact[None], profile)
            except UserError as reason:
                left_out.setdefault(str(reason), f"{recipe_names.long(request)} is left out: {reason}")
                break  # nor can it be stronger
            if np.isfinite(harms).all():
                harms_of[request] = harms
            else:
                beyond += 1
    if beyond:
        left_out[""] = (
            f"{several(beyond, 'candidate')} prune a layer beyond {highest:g}, the largest sparsity that was measured "
            "alone: nothing beyond it is predicted"
        )
    harms = np.stack([*harms_of.values()]) if harms_of else np.zeros((0, profile.layers))
    return Candidates(target, tuple(harms_of), harms, tuple(left_out.values()))
