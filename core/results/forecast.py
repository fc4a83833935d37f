"""A forecast: evaluated settings, its anchors, that predict what any other allocation costs.

The arithmetic is that of `core.plan.prediction`; forecasts from a store are in `core.results.stored_forecasts`.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from core.base import Estimate, UserError, frozen, per_cent
from core.methods import MIXED, OUTSIDE, Treatment
from core.plan import Predictor, allocate, limits, outside_harm, prediction, responses, same_allocation
from core.requests import AllocationRequest, recipe_names
from core.results.setting_result import Result
from core.results.study_results import Study
from core.store import Array, Profile

STEP = 0.01  # of the targets that `sparsest` tries


Interval = Sequence[float]  # a value and the ends of its 90 % interval


class Prediction(NamedTuple):
    """One allocation: perplexity with the ends of its 90 % interval, and the increase of the loss, nats/token."""

    perplexity: float
    low: float
    high: float
    loss_increase: float
    off: float | None = None  # the error of that as a fraction of the measured one; None: not evaluated, or not yet
    kl: Interval | None = None  # divergence of the next token from the dense model's, nats; None: not known
    changed: Interval | None = None  # share of tokens whose likeliest next one is not the dense model's


@frozen
class Forecast:
    """Settings of one pruner, repair and protocol that were evaluated, and that the curves of a profile cover."""

    study: Study
    treatment: Treatment
    profile: Profile
    settings: tuple[Result, ...]  # the anchors
    excluded: tuple[str, ...]  # settings that cannot serve, each with its reason
    judge: Study | None = None  # the study on another text that is predicted; None: their own
    factor: tuple[float, float] = (1.0, 1.0)  # of costs on that text over those here, and of an interval's width

    @property
    def repair_options(self) -> str:
        """Options of repair and training in words, the same for every anchor."""
        return self.settings[0].setting.repair_options

    @cached_property
    def harms(self) -> Array:
        """(anchors, layers)"""
        return np.array([_harms(each, self.profile)[0] for each in self.settings])

    @cached_property
    def increases(self) -> Array:
        """(anchors,) of the loss over the dense model's, mean over calibration seeds, nats/token."""
        return np.array([each.loss for each in self.settings]) - self.study.dense.loss

    @cached_property
    def costs(self) -> dict[str, Array]:
        """Costs of the anchors, (anchors,) each: loss, divergence, and minus the logarithm of the next words kept.

        The latter two where every anchor tells them. Shares of words themselves would go beyond 1, and their odds bend.
        """
        kl, same = (np.array([each.mean(name) for each in self.settings]) for name in ("kl", "agreement"))
        with np.errstate(divide="ignore"):
            costs = {"loss": self.increases, "kl": kl, "changed": -np.log(same)}
        return {name: each for name, each in costs.items() if ((each > 0) & np.isfinite(each)).all()}

    @cached_property
    def predictors(self) -> dict[str, Predictor]:
        """Predictor of each cost."""
        return {name: prediction.fit(self.harms, each) for name, each in self.costs.items()}

    @cached_property
    def leave_one_out(self) -> prediction.Errors | None:
        """None below three anchors."""
        if len(self.settings) <= prediction.FEWEST:
            return None
        return prediction.errors(prediction.leave_one_out(self.harms, self.increases), self.increases)

    def increases_of(self, rows: Array) -> Estimate:
        """Predict the increase of many allocations, (rows, layers) or (rows, layers, linears)."""
        return self.increases_from_harms(responses.layer_harms(rows, self.profile, self.treatment.budget_unit))

    def increases_from_harms(
        self, harms: Array, beside: Result | None = None, cost: str = "loss", outside: str | None = None
    ) -> Estimate:
        """The same, or another of the `costs`, by the harm of each layer alone, (rows, layers).

        Args:
            beside: a setting, for what it was measured to cost, where it was pruned alike.
            outside: types of the matrices outside the layers; None: those of the anchors.
        """
        alike = beside and beside.setting.treatment == self.treatment
        predicted = self.predictors[cost](harms, _harms(beside, self.profile) if alike else None)
        own = self.settings[0].setting.allocation.outside or OUTSIDE
        if outside not in (None, own):
            now, then = (prediction.of_rounding(harms, outside_harm(self.profile, each)) for each in (outside, own))
            ratios = [new / old for new, old in zip(now[:3], then[:3], strict=True)]
            predicted = Estimate(*(each * more for each, more in zip(predicted[:3], ratios, strict=True)))
        if self.judge is None:
            return predicted
        middle, (times, wider) = predicted.value, self.factor
        return predicted.map(lambda each: times * middle * (each / middle) ** wider)

    def perplexities(self, rows: Array) -> Estimate:
        """Predict the perplexity of many allocations, (rows, layers) or (rows, layers, linears)."""
        return self.as_perplexities(self.increases_of(rows))

    def as_perplexities(self, increases: Estimate) -> Estimate:
        dense = (self.judge or self.study).dense.loss
        with np.errstate(over="ignore"):
            return increases.map(lambda each: np.exp(dense + each))

    def predict(self, exact: Array, outside: str | None = None) -> Prediction:
        """Predict one allocation, (layers,) or (layers, linears).

        Args:
            outside: as of `increases_from_harms`.

        Raises:
            UserError: a sparsity beyond the largest measured one.
        """
        harms = responses.layer_harms(exact[None], self.profile, self.treatment.budget_unit)
        if np.isnan(harms).any():
            highest = responses.highest(self.profile, exact.ndim == 2, self.treatment.budget_unit)
            raise UserError(
                f"a layer has sparsity {exact.max():.3f}, and none above {highest:g} was measured alone: nothing "
                "beyond is predicted; measure a larger sparsity, or lower the upper bound"
            )
        costs = {each: self.increases_from_harms(harms, cost=each, outside=outside) for each in self.costs}
        return self.prediction(costs, 0)

    def prediction(self, costs: Mapping[str, Estimate], row: int) -> Prediction:
        """One of several allocations by their predicted costs."""

        def interval(cost):
            return tuple(float(each[row]) for each in cost[:3])

        loss, kl, changed = (costs.get(name) for name in ("loss", "kl", "changed"))
        perplexity, low, high = interval(self.as_perplexities(loss))
        others = kl and interval(kl), changed and interval(changed.map(lambda logs: -np.expm1(-logs)))
        return Prediction(perplexity, low, high, float(loss.value[row]), None, *others)

    def without_allocation(self, exact: Array, base: AllocationRequest) -> tuple[Self, Result | None]:
        """The forecast without an allocation and all on its base, and that setting where it was evaluated.

        No allocation is predicted by what it was measured to cost, but where too few others are left; nor by what a
        correction of its base cost, so that one curve predicts every strength.

        Args:
            exact: (layers,) or (layers, linears)
            base: without a correction.
        """
        usable = usable_settings(self.study, self.treatment)
        measured = next((each for each in usable if same_allocation(each.planned, exact)), None)
        apart = (each for each in self.settings if each.setting.allocation.uncorrected != base)
        others = tuple(each for each in apart if not same_allocation(each.planned, exact))
        alone = len(others) in (len(self.settings), *range(prediction.FEWEST))
        return self if alone else replace(self, settings=others), measured

    def corrections_of(self, request: AllocationRequest) -> list[Result]:
        """Results of a request's base and of its corrections by the same driver, computed from the same numbers."""
        wanted = request.correction

        def corrects(result):
            there = result.setting.allocation
            alike = (there.correction.driver, there.correction.clip) == (wanted.driver, wanted.clip)
            with suppress(UserError):  # this profile lacks what drove it
                return (
                    (alike or not result.strength)
                    and there.uncorrected == request.uncorrected
                    and same_allocation(result.planned, allocate(there, self.profile).exact)
                )
            return False

        return [each for each in usable_settings(self.study, self.treatment) if each.finite and corrects(each)]

    def sparsest(self, request: AllocationRequest, rise: float) -> AllocationRequest:
        """The allocation at the largest target, in steps of 1 %, whose predicted perplexity rises by no more than this.

        Targets of whole levels begin at the least of them.

        Args:
            rise: a fraction of the dense model's perplexity.

        Raises:
            UserError: even 1 % is predicted to cost more.
        """
        allowed, unit = np.log1p(rise), request.budget_unit
        targets = [each for each in np.arange(STEP, 1, STEP).round(2).tolist() if each >= limits(request).low]

        def exceeds(target):
            try:
                exact = allocate(request.replace(target=target), self.profile).exact
            except UserError:  # beyond the bounds, or beyond what was measured
                return True
            return not self.increases_of(exact[None]).value[0] <= allowed

        within = bisect(targets, False, key=exceeds)  # what a target keeps within, every lower one does
        if not within:
            least = unit.phrase(targets[0]) if unit.levels else "1 % of zeros"
            raise UserError(f"even {least} is predicted to raise the perplexity by more than {per_cent(rise)}")
        return request.replace(target=targets[within - 1])


def forecast_of_study(study: Study, profile: Profile, treatment: Treatment) -> Forecast:
    """The settings of one protocol that can serve, each allocation once; settings that broke the model are named."""
    usable, excluded = {}, []
    for one in usable_settings(study, treatment) if study.dense else ():
        if not one.finite:
            excluded.append(f"{recipe_names.setting(one.setting)} is left out: its perplexity is not finite.")
        elif one.loss > study.dense.loss and np.isfinite(_harms(one, profile)).all():
            usable.setdefault(one.planned.tobytes(), one)
    return Forecast(study, treatment, profile, tuple(usable.values()), tuple(excluded))


def usable_settings(study: Study, treatment: Treatment) -> list[Result]:
    """Settings evaluated with a pruner and a repair, neither by a pattern nor true-sequentially.

    Zeros and integers in one linear are no longer made, so no curve predicts them. Trainings of several budgets are
    several treatments, and so are types outside the layers: those of the one with the most settings serve.
    """
    alike = defaultdict(list)
    for one in study.settings if treatment.budget_unit is not MIXED else ():
        recipe = one.setting
        if recipe.treatment == treatment and not recipe.pattern and not recipe.true_sequential:
            alike[recipe.repair_options, recipe.allocation.outside].append(one)
    return max(alike.values(), key=len, default=[])


def _harms(one: Result, profile: Profile) -> Array:
    """(1, layers); NaN where linears were not measured alone."""
    try:
        return responses.layer_harms(one.planned[None], profile, one.setting.treatment.budget_unit)
    except UserError:
        return np.full((1, profile.layers), np.nan)
