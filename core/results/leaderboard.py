"""The methods of allocation side by side: what each gives the layers, and what that was measured to cost. No torch."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from core.base import UserError, frozen
from core.methods import DEFAULT_PRUNER, METHODS
from core.plan import allocate, layer_means, linear_parameters, responses, same_allocation
from core.requests import AllocationRequest, Correction, recipe_names
from core.results.comparison import verdict
from core.results.forecast import Forecast, Prediction, usable_settings
from core.results.protocols import StudySlice, best_slice
from core.results.setting_result import Result
from core.results.study_results import Slice, Study
from core.results.study_table import Row
from core.store import Array, Profile

THIS_ALLOCATION = "this"  # the kind of the allocation on screen, which stands beside the methods


@frozen
class RankedMethod:
    """One method at the target: its allocation, and the measured setting that has it."""

    kind: str
    name: str  # with the parameters that it was measured with
    sparsity: Array  # (layers,)
    measured: Result | None  # None: computed with the usual parameters, and never evaluated
    predicted: Prediction | None = None  # where it was not measured

    @property
    def perplexity(self) -> float:
        """Measured, else predicted; NaN where it is neither, or not finite."""
        source = self.measured or self.predicted
        return source.perplexity if source and math.isfinite(source.perplexity) else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the measured interval, 95 %, else of the predicted one, 90 %; NaN where there is none."""
        if self.measured:
            return interval(self.measured)
        return (self.predicted.low, self.predicted.high) if self.predicted else (math.nan, math.nan)

    @property
    def spoken(self) -> str:
        return recipe_names.spoken(self.name)


class Leaderboard(NamedTuple):
    """All methods at one target: a profile, the study that measured settings lie in, and a forecast for the others."""

    profile: Profile
    study: Study | None = None  # None, and no part: nothing was measured at this target
    part: Slice | None = None
    forecast: Forecast | None = None  # None: nothing predicts

    @property
    def measured(self) -> list[Result]:
        """The settings of the part that serve as anchors do: of one budget, none true-sequential."""
        usable = usable_settings(self.study, self.part.treatment) if self.study and self.part else []
        return [one for one in usable if one.target == self.part.target]

    def in_view(self, name: str, now: Array) -> RankedMethod:
        """The allocation on screen, as it was measured where it was, else as it is predicted.

        Args:
            now: (layers,) or (layers, linears).
        """
        measured = (each for each in self.measured if same_allocation(each.planned, now))
        return self._ranked(THIS_ALLOCATION, name, now, next(measured, None))

    def ranking(self, request: AllocationRequest) -> list[RankedMethod]:
        """Every method of the table at the target of a request, lowest perplexity first, measured or else predicted.

        One that was measured with a budget for every linear too runs twice. The target and bounds of the request hold
        for the methods that were not measured.
        """
        by_method = defaultdict(list)  # by kind, and whether per linear
        for one in self.measured:
            base = one.setting.allocation.base
            if not one.strength and base.kind in METHODS:
                by_method[base.kind, base.per_linear].append(one)
        every = []
        for (kind, _), several in by_method.items():
            one = max(several, key=lambda one: len(one.results))  # seeds
            every.append(self._ranked(kind, recipe_names.long(one.setting.allocation), one.planned, one))
        every += [self._computed(kind, request) for kind in METHODS if (kind, False) not in by_method]
        return sorted(filter(None, every), key=lambda each: (math.isnan(each.perplexity), each.perplexity))

    def _computed(self, kind: str, request: AllocationRequest) -> RankedMethod | None:
        """A method as computed; None where the profile lacks what it looks at.

        One that leads a layer beyond what predicts it is kept to the largest sparsity that was measured, as its name
        says.
        """
        base = request.base if request.base.kind == kind else METHODS[kind]()  # type: ignore[call-arg]  # none by hand
        wanted = request.replace(base=base, correction=Correction(), unclipped=False)
        first = None
        for high in (request.high, *([responses.highest(self.profile)] if self.forecast else [])):
            with suppress(UserError):  # said beside the method when it is chosen
                bounded = wanted.replace(high=min(high, request.high))
                ranked = self._ranked(kind, recipe_names.long(bounded), allocate(bounded, self.profile).exact)
                if ranked.predicted:
                    return ranked
                first = first or ranked
        return first

    def _ranked(self, kind: str, name: str, exact: Array, measured: Result | None = None) -> RankedMethod:
        predicted = None
        if self.forecast and not measured:
            with suppress(UserError):  # beyond what was measured
                predicted = self.forecast.predict(exact)
        of_layers = exact if exact.ndim == 1 else layer_means(exact, linear_parameters(self.profile))
        return RankedMethod(kind, name, of_layers, measured, predicted)


def place_at(
    groups: Iterable[Study],
    target: float,
    pruner: str = DEFAULT_PRUNER,
    has: Callable[[Study, Slice], bool] = lambda *_: True,
) -> StudySlice | None:
    """The protocol and slice that all pages show of a target; None where nothing was measured at just that.

    Args:
        has: as `best_slice` takes it.
    """
    place = best_slice(groups, target, pruner, has=has)
    return place if place and abs(place.part.target - target) < 1e-9 and place.part.pattern is None else None


def lowest_at(groups: Iterable[Study], target: float, pruner: str) -> Row | None:
    """The lowest perplexity of a target by a pruner with any repair, where all pages look; None where none is known.

    Corrections and patterns are left out.
    """
    place = place_at(groups, target, pruner, lambda _, part: part.treatment.pruner == pruner)
    alike = (one for one in place.study.settings if one.target == place.part.target) if place else ()
    plain = (one for one in alike if one.setting.pruner == pruner and not one.setting.pattern and not one.strength)
    rows = (Row(place.study, one) for one in plain if one.finite)
    return min(rows, key=lambda row: row.one.perplexity, default=None)


def interval(one: Result) -> tuple[float, float]:
    """The perplexities between which its change against uniform puts it, 95 %; NaN where there is no interval."""
    change = one.against_uniform
    if change is None or not change.quoted.certain:
        return math.nan, math.nan
    factor = one.perplexity / (1 + change.quoted.value / 100)
    return factor * (1 + change.quoted.low / 100), factor * (1 + change.quoted.high / 100)


def tied(first: RankedMethod, second: RankedMethod) -> bool:
    """True where neither measurements nor predictions tell which of two has the lower perplexity."""
    if first.measured and second.measured:
        return verdict(first.measured.against(second.measured).quoted) != "gains"
    low, high = second.interval[0], first.interval[1]
    return not (first.perplexity if math.isnan(high) else high) < (second.perplexity if math.isnan(low) else low)
