"""The frontier of a model: size, or zeros, against divergence from the dense model. No torch."""

from functools import cached_property

import numpy as np

from core.base import Array, Estimate, UserError, frozen, listed, per_cent
from core.methods import HALF, METHODS, Treatment
from core.plan import DENSE, allocate, prediction, responses, same_allocation, taken, total
from core.requests import AllocationRequest, Counts, uniform
from core.results.candidates import default_method
from core.results.forecast import STEP, Forecast
from core.results.setting_result import Result
from core.results.stored_forecasts import MIN_ANCHORS
from core.store import Profile

STEPS = 13  # amounts at which plans are drawn
LEAST, MOST = 0.3, 0.9  # of zeros
NAMED = 0.02  # of the weights: less of a level does not name a plan


@frozen
class Point:
    """One way to compress a model."""

    name: str
    amount: float  # bytes of all weights, or the share of zeros
    kl: Estimate  # divergence of the next token from the dense model's, nats
    is_measured: bool
    request: AllocationRequest | None = None  # None: the dense model


@frozen
class Frontier:
    """Ways to compress a model by one treatment."""

    profile: Profile
    treatment: Treatment
    counts: Counts
    results: tuple[Result, ...]  # evaluated by it on one text: of their allocations the divergence is measured
    forecast: Forecast | None  # its anchors; few bits are predicted by the sketch where it has too few

    @property
    def in_bytes(self) -> bool:
        return bool(self.treatment.budget_unit.levels)

    @cached_property
    def dense(self) -> Point:
        amount = total(self.counts, HALF, False) if self.in_bytes else 0.0
        return Point(DENSE, amount, Estimate(0.0, 0.0, 0.0), True)

    @cached_property
    def plain(self) -> tuple[Point, ...]:
        """Uniform at every level, or along the zeros; amounts falling, or zeros rising."""
        return tuple(map(self.even, self.treatment.budget_unit.shares or self._shares))

    @cached_property
    def plans(self) -> tuple[Point, ...]:
        """Plans of least harm, in the same order.

        Raises:
            UserError: the profile lacks the curves that they are made of, or nothing predicts.
        """
        return tuple(self.point(self.plan(each)) for each in self._shares)

    @cached_property
    def _shares(self) -> list[float]:
        unit = self.treatment.budget_unit
        ends = (unit.shares[0], unit.shares[-1]) if unit.levels else (LEAST, MOST)
        highest = responses.highest(self.profile, unit=unit)
        return [each for each in np.linspace(*ends, STEPS).round(9).tolist() if each <= highest]

    def plan(self, share: float) -> AllocationRequest:
        """The allocation of least harm at a share saved."""
        unit = self.treatment.budget_unit
        base = default_method(METHODS["response"], self.profile, unit)
        return AllocationRequest(base=base, target=share, currency=unit.name)

    def point(self, request: AllocationRequest) -> Point:
        """The point of an allocation.

        Raises:
            UserError: as `plans`, or the budget is impossible.
        """
        exact = allocate(request, self.profile).exact
        if measured := next((each for each in self.results if same_allocation(each.planned, exact)), None):
            return self._measured(measured, request)
        return Point(self._name(request, exact), self._amount(request), self._predicted(exact), False, request)

    def _measured(self, result: Result, request: AllocationRequest) -> Point:
        nats = result.mean("kl")
        name = self._name(request, result.planned)
        return Point(name, self._amount(request), Estimate(nats, nats, nats), True, request)

    def _amount(self, request: AllocationRequest) -> float:
        return taken(self.counts, self.treatment, request.target, request.outside) if self.in_bytes else request.target

    def even(self, share: float) -> Point:
        """Uniform at a share saved."""
        return self.point(uniform(share, self.treatment.budget_unit.name))

    def best(self, share: float) -> Point:
        """The point of least divergence, as it was measured or else predicted, that saves a share or more."""
        measured = (self._measured(each, each.setting.allocation) for each in self.results if each.target >= share)
        others = (each for each in (*self.plain, *self.plans) if each.request.target >= share)
        return min((self.point(self.plan(share)), *measured, *others), key=lambda each: each.kl.value)

    def share_within(self, rise: float) -> float:
        """The largest share, in steps of 1 %, whose predicted divergence is no more than the loss that may be added.

        Args:
            rise: of the perplexity, a fraction.

        Raises:
            UserError: not even the least is so near the dense model.
        """
        low, high = self._shares[0], self._shares[-1]
        shares = (max(each, low) for each in np.arange(high, low - STEP / 2, -STEP).tolist())
        within = next((each for each in shares if self.point(self.plan(each)).kl.value <= np.log1p(rise)), None)
        if within is None:
            least = self.treatment.budget_unit.phrase(low)
            raise UserError(
                f"even {least} is predicted to raise the perplexity by more than {per_cent(rise)}: allow more"
            )
        return within

    def _predicted(self, exact: Array) -> Estimate:
        """Divergence of an allocation, nats."""
        by = self.treatment
        harms = responses.layer_harms(exact[None], self.profile, by.budget_unit)
        anchored = self.forecast and "kl" in self.forecast.predictors
        plain = by.budget_unit.bits and not by.solves  # how much feedback makes up for is not known before
        if plain and not (anchored and len(self.forecast.settings) >= MIN_ANCHORS):
            kl = prediction.of_rounding(harms)
        elif anchored:
            kl = self.forecast.increases_from_harms(harms, cost="kl")
        else:
            raise UserError(f"{by.spoken} is predicted from settings that were evaluated with it, and too few were")
        return kl.map(lambda each: float(each[0]))

    def _name(self, request: AllocationRequest, exact: Array) -> str:
        """`Q4_0`, `Q5_0 and Q4_0 mixed by measured harm`, `70 % zeros by measured harm`."""
        unit = self.treatment.budget_unit
        used = [each.name for each in unit.levels if np.isclose(exact, each.share).mean() > NAMED]
        bits = " bits" if used and used[-1].isdigit() else ""
        name = f"{listed(used)}{bits} mixed" if len(used) > 1 else unit.phrase(request.target)
        spread = "" if np.ptp(exact) < STEP else request.base.title if not request.base.measured else "measured harm"
        return f"{name} by {spread}" if spread else name
