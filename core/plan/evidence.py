"""Measurements and budget that a base allocator may look at."""

from functools import lru_cache

import numpy as np

from core.base import Array, Flags, UserError, frozen, listed
from core.methods import LAYERS, OUTLIER_THRESHOLDS, TREATMENTS, default_pruner
from core.plan import responses, sketches
from core.plan.budget import TOLERANCE, Bounds
from core.plan.solvers import Choices, Curves, solve, solve_levels
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

    def block_influence(self) -> Array:
        """Mean block influence, (layers,)."""
        return self.profile.activation.block_influence.mean(1)

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

    def least_harm(self, pruner: str, objective: str, granularity: str) -> Array:
        """The sparsity of every unit that meets the target with the least total harm, (units,): exact for the hulls.

        Of a quantiser whole levels, and of the greatest harm left what the rest of the budget pays.

        Args:
            granularity: layer, linear, joined, or both: leave whole layers out too, share 1, where that harms less.

        Raises:
            UserError: too few sparsities were measured, or leaving out layers was not; the target lies beyond them or
                outside the bounds; or zeros are to be spread over joined linears, or beside layers left out.
        """
        if TREATMENTS[pruner].budget_unit.levels:
            return self._by_levels(pruner, objective, granularity)
        if granularity in ("joined", "both"):
            words = "linears are joined" if granularity == "joined" else "layers are left out"
            raise UserError(f"{words} beside few bits, not beside zeros: write granularity=linear")
        per_linear = granularity == "linear"
        response, bounds = responses.of_profile(self.profile, pruner, objective, per_linear), self.bounds
        bounds.check(self.target)
        high = min(bounds.high, response.highest)
        if self.target > high:
            raise UserError(
                f"target sparsity {self.target:g} exceeds the largest measured one, {response.highest:g}: "
                "measure a larger one"
            )
        return solve(_choices(response, self.parameters.tobytes(), Bounds(bounds.low, high)), self.target)

    def _by_levels(self, pruner: str, objective: str, granularity: str) -> Array:
        """Least harm by the measured levels of a quantiser; raises as `least_harm`."""
        drop_harm = np.zeros(1)  # all units in one layer, which stays
        if granularity == "both":
            drop_harm = responses.at_levels(self.profile, default_pruner(LAYERS), objective, False)[1][:, 1]
        weights, units = self.parameters, np.arange(len(self.parameters))
        if granularity == "joined":
            units = sketches.joined_units(self.profile)
            weights = np.bincount(units, weights)
            levels = responses.at_joined_levels(self.profile, pruner, objective)
        else:
            levels = responses.at_levels(self.profile, pruner, objective, granularity != "layer")
        choices = Choices(weights, *levels)
        phrase, shares = TREATMENTS[pruner].budget_unit.phrase, choices.shares
        if not shares[0] - TOLERANCE <= self.target <= shares[-1] + TOLERANCE:
            ends = listed(map(phrase, shares))
            raise UserError(f"{phrase(self.target)} a weight lie outside what was measured alone, {ends}")
        return solve_levels(choices, self.target, drop_harm)[units]


@lru_cache(maxsize=8)
def _choices(response: Curves, weights: bytes, bounds: Bounds) -> Choices:
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
