"""Measurements and budget that a base allocator may look at."""

from functools import lru_cache

import numpy as np

from core.base import Array, Flags, UserError, frozen, listed
from core.methods import LAYERS, TREATMENTS, BudgetUnit, default_pruner
from core.methods.owl import OUTLIER_THRESHOLDS
from core.plan import responses
from core.plan.budget import TOLERANCE, Bounds, Choices, round_to_levels, solve
from core.plan.curves import Curves, hull
from core.store import Profile


@frozen
class Evidence:
    """A budget to be spread over units, which are layers or linears, and their measurements."""

    parameters: Array  # (units,) prunable weights
    target: float
    bounds: Bounds
    profile: Profile | None  # never None where the allocator is `profiled`

    @property
    def units(self) -> int:
        return len(self.parameters)

    def outlier_ratio(self, m: float) -> Array:
        """Share of a layer's Wanda scores above `m` times their mean, (layers,)."""
        return self.profile.scores.outlier_ratio[:, OUTLIER_THRESHOLDS.index(m)]

    def score(self, statistic: str) -> Array:
        """Mean or median of a layer's Wanda scores, (layers,)."""
        return getattr(self.profile.scores, statistic)

    def alpha(self, estimator: str) -> Array:
        """Mean exponent of the spectra of a layer's linears, (layers,); NaN where none of them has one."""
        of_linears = getattr(self.profile.weights, f"alpha_{estimator}")
        return _mean(of_linears, ~np.isnan(of_linears))

    def layers_removal(self) -> Array:
        """The mean of `removal` over the linears of a layer, (layers,).

        Raises:
            UserError: as `removal`.
        """
        return _mean(self.removal(), ~np.isnan(self.profile.weights.parameters))

    @property
    def linears(self) -> list[str]:
        """Their names, in the order of a layer's."""
        return self.profile.provenance.get("linears", [])

    def removal(self) -> Array:
        """Output error of each linear when half of its weights are removed, (layers, linears); NaN: no such linear.

        Raises:
            UserError: it was not measured.
        """
        if self.profile.removal is None:
            raise UserError(
                f"profile {self.profile.entry.key} lacks the errors of removed weights that LSA looks at: measure it "
                "again with --removal, which adds them to what is there"
            )
        return self.profile.removal.error

    def curves(self, pruner: str, objective: str, per_linear: bool) -> Curves:
        """Responses of every unit.

        Raises:
            UserError: too few sparsities were measured.
        """
        return responses.of_profile(self.profile, pruner, objective, per_linear)

    def least_harm(self, pruner: str, objective: str, per_linear: bool, layers: bool = False) -> Array:
        """The sparsity of every unit that meets the target with the least total harm, (units,): exact for the hulls.

        Of a quantiser whole levels, and of the greatest harm left what the rest of the budget pays.

        Args:
            layers: leave whole layers out too, share 1, where that harms less: of a quantiser.

        Raises:
            UserError: too few sparsities were measured, or leaving out layers was not; the target lies beyond them or
                outside the bounds; or layers are to be left out beside zeros.
        """
        if (unit := TREATMENTS[pruner].budget_unit).levels:
            skip = np.zeros(1)  # all units in one layer, which stays
            if layers:
                skip = responses.at_levels(self.profile, default_pruner(LAYERS), objective, False)[1][:, 1]
            return self._by_levels(unit, *responses.at_levels(self.profile, pruner, objective, per_linear), skip)
        if layers:
            raise UserError("layers are left out beside few bits, not beside zeros: write granularity=linear")
        response, bounds = self.curves(pruner, objective, per_linear), self.bounds
        bounds.check(self.target)
        high = min(bounds.high, response.highest)
        if self.target > high:
            raise UserError(
                f"target sparsity {self.target:g} exceeds the largest measured one, {response.highest:g}: "
                "measure a larger one"
            )
        return solve(_units(response, self.parameters.tobytes(), Bounds(bounds.low, high)), self.target)

    def _by_levels(self, unit: BudgetUnit, levels: Array, harm: Array, skip: Array) -> Array:
        """Least harm by measured levels alone, whole layers left out one by one as long as that lowers it.

        A level that harms a unit more than one that saves more is none for it. The next layer left out is that with
        which the total is least, the others' units brought to what is left of the budget.

        Args:
            levels: (levels,) shares, rising.
            harm: (units, levels)
            skip: (layers,) harm of leaving each out. One layer always stays.
        """
        if not levels[0] - TOLERANCE <= self.target <= levels[-1] + TOLERANCE:
            ends = listed(map(unit.level, levels))
            raise UserError(f"{unit.level(self.target)} a weight lie outside what was measured alone, {ends}")
        least = np.minimum.accumulate(harm[:, ::-1], axis=1)[:, ::-1]
        hulls = np.stack([hull(levels, row) for row in least])
        layer = np.arange(self.units) * len(skip) // self.units

        def without(gone):  # the total, the layers, the plan
            stays, plan = ~np.isin(layer, gone), np.ones(self.units)
            weights = self.parameters[stays]
            left = self.target - (1 - self.target) * self.parameters[~stays].sum() / weights.sum()
            shares = solve(Choices(weights, levels, hulls[stays]), max(left, levels[0]))
            shares_met = round_to_levels(shares, levels, weights, least[stays])
            harms = np.where(levels >= shares_met[:, None], harm[stays], np.inf)
            plan[stays] = levels[harms.argmin(1)]
            return skip[gone].sum() + harms.min(1).sum(), gone, plan

        best = without([])
        for _ in skip[1:]:
            more = min(without([*best[1], each]) for each in range(len(skip)))
            if more > best:
                break
            best = more
        return best[2]


@lru_cache(maxsize=8)
def _units(response: Curves, weights: bytes, bounds: Bounds) -> Choices:
    """Units by their curves inside the bounds, the same for every target."""
    inside = (response.sparsity > bounds.low + TOLERANCE) & (response.sparsity < bounds.high - TOLERANCE)
    grid = np.unique([bounds.low, *response.sparsity[inside], bounds.high])
    return Choices(
        np.frombuffer(weights), grid, np.stack([np.interp(grid, response.sparsity, row) for row in response.harm])
    )


def _mean(of_linears: Array, mask: Flags) -> Array:
    """Mean over the linears of each layer in the mask, (layers,); NaN where there is none."""
    with np.errstate(invalid="ignore"):
        return np.where(mask, of_linears, 0).sum(1) / mask.sum(1)
