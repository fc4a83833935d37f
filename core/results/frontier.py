"""The frontier of a model: size, or zeros, against divergence from the dense model. No torch."""

from functools import cached_property

import numpy as np

from core.base import Array, Estimate, UserError, frozen, listed, per_cent
from core.methods import HALF, METHODS, OUTSIDE, Treatment
from core.plan import (
    DENSE,
    allocate,
    outside_harm,
    prediction,
    responses,
    same_allocation,
    taken,
    total,
    with_outside,
    with_target,
)
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
        return tuple(map(self.even, self.treatment.budget_unit.shares or self._amounts))

    @cached_property
    def plans(self) -> tuple[Point, ...]:
        """Plans of least harm, in the same order.

        Raises:
            UserError: the profile lacks the curves that they are made of, or nothing predicts.
        """
        return tuple(self.point(self.plan(each)) for each in self._amounts)

    @cached_property
    def _amounts(self) -> list[float]:
        """Bytes falling, or zeros rising."""
        unit, highest = self.treatment.budget_unit, responses.highest(self.profile, unit=self.treatment.budget_unit)
        if not self.in_bytes:
            return [each for each in np.linspace(LEAST, MOST, STEPS).round(9).tolist() if each <= highest]
        first, last = unit.shares[0], min(unit.shares[-1], highest)
        narrow = with_outside(self._request.replace(at_most=1.0), self.counts, self.treatment, self.profile).outside
        most = taken(self.counts, self.treatment, first)
        return np.linspace(most, taken(self.counts, self.treatment, last, narrow), STEPS).tolist()

    @property
    def _request(self) -> AllocationRequest:
        """Least harm, before its target is known."""
        unit = self.treatment.budget_unit
        return AllocationRequest(base=default_method(METHODS["response"], self.profile, unit), currency=unit.name)

    def plan(self, amount: float) -> AllocationRequest:
        """The allocation of least harm of so many bytes, or zeros.

        Raises:
            UserError: it cannot be met.
        """
        if not self.in_bytes:
            return self._request.replace(target=amount)
        return with_target(self._request.replace(at_most=amount), self.counts, self.treatment, self.profile)

    def point(self, request: AllocationRequest) -> Point:
        """The point of an allocation.

        Raises:
            UserError: as `plans`, or the budget is impossible.
        """
        exact = allocate(request, self.profile).exact
        alike = (each for each in self.results if each.setting.allocation.outside == request.outside)
        if measured := next((each for each in alike if same_allocation(each.planned, exact)), None):
            return self._measured(measured, request)
        kl = self._predicted(exact, request.outside)
        return Point(self._name(request, exact), self._amount(request), kl, False, request)

    def _measured(self, result: Result, request: AllocationRequest) -> Point:
        nats = result.mean("kl")
        name = self._name(request, result.planned)
        return Point(name, self._amount(request), Estimate(nats, nats, nats), True, request)

    def _amount(self, request: AllocationRequest) -> float:
        return taken(self.counts, self.treatment, request.target, request.outside) if self.in_bytes else request.target

    def even(self, share: float, outside: str | None = None) -> Point:
        """Uniform at a share saved. outside: types of the matrices outside the layers."""
        return self.point(uniform(share, self.treatment.budget_unit.name).replace(outside=outside))

    def best(self, amount: float) -> Point:
        """The point of least divergence, measured or else predicted, of so many bytes at most, or zeros at least."""
        measured = (self._measured(each, each.setting.allocation) for each in self.results)
        within = (
            each for each in (*measured, *self.plain, *self.plans)
            if (each.amount <= amount if self.in_bytes else each.amount >= amount)
        )  # fmt: skip
        return min((self.point(self.plan(amount)), *within), key=lambda each: each.kl.value)

    def amount_within(self, rise: float) -> float:
        """The fewest bytes, or most zeros, whose predicted divergence keeps within a rise of the perplexity.

        Raises:
            UserError: not even the mildest is so near the dense model.
        """
        mild, harsh = self._amounts[0], self._amounts[-1]
        step = 2 * STEP * self.counts.linears if self.in_bytes else -STEP  # bytes of float16
        amounts = np.arange(harsh, mild + step / 2, step).clip(min(mild, harsh), max(mild, harsh)).tolist()
        within = next((each for each in amounts if self.point(self.plan(each)).kl.value <= np.log1p(rise)), None)
        if within is None:
            least = self.treatment.budget_unit.phrase(self.plan(mild).target)
            raise UserError(
                f"even {least} is predicted to raise the perplexity by more than {per_cent(rise)}: allow more"
            )
        return within

    def _predicted(self, exact: Array, outside: str | None = None) -> Estimate:
        """Divergence of an allocation, nats: by anchors of it with the usual types outside the layers, if any."""
        by = self.treatment
        harms = responses.layer_harms(exact[None], self.profile, by.budget_unit)
        anchored = self.forecast and "kl" in self.forecast.predictors
        plain = by.budget_unit.bits and not by.solves  # how much feedback makes up for is not known before
        if plain and not (anchored and len(self.forecast.settings) >= MIN_ANCHORS):
            kl = prediction.of_rounding(harms, outside_harm(self.profile, outside or OUTSIDE))
        elif anchored:
            kl = self.forecast.increases_from_harms(harms, cost="kl", outside=outside or OUTSIDE)
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
        places = zip(("embeddings", "output matrix"), (request.outside or "").split("/"), strict=False)
        ends = listed(f"{place} {each}" for place, each in places if each)
        return f"{name}{spread and f' by {spread}'}{ends and f', {ends}'}"
