"""Anchors: evaluated settings that predict what any other allocation costs. Arithmetic of `core.plan.prediction`."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from core.base import UserError, frozen, per_cent, several
from core.methods import Treatment
from core.plan import prediction, responses
from core.plan.allocation import allocate
from core.plan.prediction import Predicted, Predictor
from core.requests import AllocationRequest, Recipe, StudyRequest, WindowRequest, recipe_names
from core.requests.commands import line
from core.results import protocols, text_splits
from core.results.setting_result import Result
from core.results.study_results import Study, load, read
from core.store import Array, Entry, Profile, Store, profiles

MIN_ANCHORS = 4  # anchors that carry a curve
SPARSITY_TOLERANCE = 1e-6  # how far a sparsity may be off in one allocation, whatever it is called
STEP = 0.01  # of the targets that `sparsest` tries


class TooFewAnchors(UserError):
    """Fewer settings were evaluated than a prediction needs."""


class Prediction(NamedTuple):
    """One allocation: perplexity with the ends of its 90 % interval, and the increase of the loss, nats/token."""

    perplexity: float
    low: float
    high: float
    loss_increase: float


class CheckedPrediction(NamedTuple):
    """A prediction of a setting that was evaluated too."""

    perplexity: float
    low: float
    high: float
    loss_increase: float
    off: float  # what the increase was overestimated by, as a fraction of it


class Errors(NamedTuple):
    """Anchors predicted by the others: errors of the loss increase as fractions, and how many intervals held it."""

    median: float
    ninety: float  # the 90th percentile
    covered: float  # fraction
    half_width: float  # median of the intervals, as a fraction of the increase


@frozen
class Anchors:
    """Settings of one pruner, repair and protocol that were evaluated, and that the curves of a profile cover."""

    study: Study
    treatment: Treatment
    profile: Profile
    settings: tuple[Result, ...]
    left_out: tuple[str, ...]  # settings that cannot serve, each with its reason
    judge: Study | None = None  # what was evaluated on another text, which is predicted; None: their own
    factor: tuple[float, float] = (1.0, 1.0)  # of increases on that text over those here, and of an interval's width

    @property
    def repair_options(self) -> str:
        """Those of every setting, in words: they are the same for all."""
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
    def predictor(self) -> Predictor:
        return prediction.fit(self.harms, self.increases)

    @cached_property
    def leave_one_out(self) -> Errors | None:
        """None below three anchors."""
        if len(self.settings) <= prediction.FEWEST:
            return None
        return errors(prediction.leave_one_out(self.harms, self.increases), self.increases)

    def of(self, rows: Array) -> Predicted:
        """Predict the increase of many allocations, (rows, layers) or (rows, layers, linears)."""
        return self.of_harms(responses.layer_harms(rows, self.profile, self.treatment.budget_unit))

    def of_harms(self, harms: Array, beside: Result | None = None) -> Predicted:
        """The same by the harm of each layer alone, (rows, layers); beside a setting where that was pruned alike."""
        alike = beside and beside.setting.treatment == self.treatment
        predicted = self.predictor(harms, _harms(beside, self.profile) if alike else None)
        if self.judge is None:
            return predicted
        middle, (times, wider) = predicted.increase, self.factor
        return Predicted(*(times * middle * (each / middle) ** wider for each in predicted))

    def perplexities(self, rows: Array) -> Predicted:
        """The same as perplexities."""
        return self.as_perplexities(self.of(rows))

    def as_perplexities(self, increases: Predicted) -> Predicted:
        """Increases as perplexities."""
        with np.errstate(over="ignore"):
            return Predicted(*(np.exp((self.judge or self.study).dense.loss + each) for each in increases))

    def one(self, exact: Array) -> Prediction:
        """Predict one allocation, (layers,) or (layers, linears).

        Raises:
            UserError: a sparsity beyond the largest measured one.
        """
        increase, budget_unit = self.of(exact[None]), self.treatment.budget_unit
        if np.isnan(increase.increase[0]):
            highest = responses.highest(self.profile, exact.ndim == 2, budget_unit)
            raise UserError(
                f"a layer has sparsity {exact.max():.3f}, and none above {highest:g} was measured alone: nothing "
                "beyond is predicted; measure a larger sparsity, or lower the upper bound"
            )
        return Prediction(*(float(each[0]) for each in self.as_perplexities(increase)), float(increase.increase[0]))

    def without_allocation(self, exact: Array, base: AllocationRequest) -> tuple[Self, Result | None]:
        """The anchors but for an allocation and all on its base, and its setting where it was evaluated.

        No allocation is predicted by what it was measured to cost, but where too few others are left; nor by what a
        correction of its base cost, so that one curve predicts every strength.

        Args:
            exact: (layers,) or (layers, linears)
            base: without a correction.
        """
        measured = next(
            (each for each in usable_settings(self.study, self.treatment) if same(each.planned, exact)), None
        )
        others = tuple(
            each for each in self.settings if each.setting.allocation.plain != base and not same(each.planned, exact)
        )
        alone = len(others) in (len(self.settings), *range(prediction.FEWEST))
        return self if alone else replace(self, settings=others), measured

    def sparsest(self, request: AllocationRequest, rise: float) -> AllocationRequest:
        """The allocation at the largest target, in steps of 1 %, whose predicted perplexity rises by no more than this.

        Args:
            rise: a fraction of the dense model's perplexity.

        Raises:
            UserError: even 1 % is predicted to cost more.
        """
        allowed, targets = np.log1p(rise), np.arange(STEP, 1, STEP).round(2).tolist()

        def exceeds(target):
            try:
                allocation = allocate(request.replace(target=target), self.profile)
            except UserError:  # beyond the bounds, or beyond what was measured
                return True
            return not self.of(allocation.exact[None]).increase[0] <= allowed

        within = bisect(targets, False, key=exceeds)  # what a target keeps within, every lower one does
        if not within:
            raise UserError(f"even 1 % of zeros is predicted to raise the perplexity by more than {per_cent(rise)}")
        return request.replace(target=targets[within - 1])


def transferred_to(study: Study, forecasts: Sequence[Anchors]) -> list[Anchors]:
    """Anchors that predict on the text of another study: increases differ by a factor, which its settings tell.

    The factor of text is one for all pruners and repairs. An interval is wider by what few settings leave open of it.
    """
    here = [(each, anchors_of_study(study, each.profile, each.treatment)) for each in forecasts]
    off = [np.log(its.increases / each.predictor(its.harms).increase) for each, its in here if its.settings]
    every = np.concatenate(off or [[0.0]])
    factor = float(np.exp(every.mean())), float(np.sqrt(1 + 1 / len(every)))
    return [replace(each, judge=study, factor=factor) for each in forecasts]


def errors(predictions: Predicted, true: Array) -> Errors:
    """How far predictions were off, (settings,) each."""
    off, covered = np.abs(predictions.increase / true - 1), (predictions.low <= true) & (true <= predictions.high)
    return Errors(
        *map(float, (np.median(off), np.quantile(off, 0.9), covered.mean(), np.median(half_width(predictions))))
    )


def half_width(prediction: Predicted) -> Array:
    """As a fraction of the increase."""
    return (prediction.high - prediction.low) / (2 * prediction.increase)


def stored(
    store: Store,
    profile: Profile,
    treatment: Treatment,
    key: str | None = None,
    judge: WindowRequest | None = None,
) -> Anchors:
    """The anchors in a store; imported settings serve only where they are named.

    Args:
        key: of the study whose settings are the anchors; None for the best protocol.
        judge: text that nothing may be chosen on: settings that were evaluated on it do not serve.

    Raises:
        UserError: no such study, or as `anchors`.
    """
    if key is not None:
        entries = [store.by_key(key, ("study",))]
    else:
        mine = store.of_model(profile.spec.model, "study")
        entries = [each for each in mine if not each.packs and not (judge and _evaluates(each, judge))]
    unread = [Study(each.spec, each.provenance, (), (each,)) for each in entries]
    main = protocols.main_protocol(unread)

    def read_all(studies):
        return (replace(each, points=read(store, each.spec, each.provenance, treatment).points) for each in studies)

    with suppress(UserError):  # where the usual protocol has enough, nothing else is read
        forecast = anchors(
            read_all(each for each in unread if protocols.protocol(each.spec) == main), profile, treatment
        )
        if len(forecast.settings) >= MIN_ANCHORS:
            return forecast
    return anchors(read_all(unread), profile, treatment)


def _evaluates(study: Entry, text: WindowRequest) -> bool:
    """True where a study of this machine says that it evaluated on documents of a text, or says nothing."""
    try:
        own = StudyRequest.model_validate(study.provenance["request"]).evaluation.text
    except (ValueError, KeyError):  # of an older version
        return True
    return text_splits.reads(own.source, own.documents, text)


def stored_of(store: Store, profile: Profile, treatments: Iterable[Treatment], judge: WindowRequest) -> list[Anchors]:
    """The anchors in a store of those pruners and repairs of which there are enough, all on one text, not the judge's.

    Raises:
        UserError: the profile lacks response curves.
    """
    responses.highest(profile)
    forecasts = []
    for each in treatments:
        with suppress(UserError):  # nothing of it is stored
            forecast = stored(store, profile, each, judge=judge)
            if len(forecast.settings) >= MIN_ANCHORS:
                forecasts.append(forecast)
    return [each for each in forecasts if each.study.spec.text == forecasts[0].study.spec.text]


def from_others(store: Store, study: Study) -> dict[Recipe, CheckedPrediction]:
    """Settings of a study predicted by the other settings of its protocol in a store, none that was imported.

    A setting is missing where fewer than two others of its pruner and repair serve, or no curves cover it.
    """
    home, mine = protocols.protocol(study.spec), store.of_model(study.spec.model, "study")
    alike = (each for each in mine if not each.packs and protocols.protocol(each.spec) == home)
    home = protocols.merged([study, *(load(store, each) for each in alike)])
    profile = next((profiles.load(store, each) for each in store.entries() if each.key in study.profiles), None)
    predicted = {}
    for treatment in {each.setting.treatment for each in study.settings} if profile else ():
        forecast = anchors_of_study(home, profile, treatment)
        if len(forecast.settings) > prediction.FEWEST:
            increases = prediction.leave_one_out(forecast.harms, forecast.increases)
            rows = (
                *forecast.as_perplexities(increases),
                increases.increase,
                increases.increase / forecast.increases - 1,
            )
            predicted |= {
                one.setting: CheckedPrediction(*row) for one, *row in zip(forecast.settings, *rows, strict=True)
            }
    return {each.setting: predicted[each.setting] for each in study.settings if each.setting in predicted}


def anchors(groups: Iterable[Study], profile: Profile, treatment: Treatment) -> Anchors:
    """The anchors among studies: of protocols with enough of them the usual one, or the one that judges by most tokens.

    Args:
        groups: studies of any models; those of other models never predict.

    Raises:
        UserError: the profile lacks response curves, or fewer than two settings can serve.
    """
    responses.highest(profile, currency=treatment.budget_unit)
    mine = [each for each in groups if each.spec.model.weights == profile.spec.model.weights]
    forecasts, main = (
        [anchors_of_study(each, profile, treatment) for each in protocols.by_protocol(mine)],
        protocols.main_protocol(mine),
    )
    best = max(forecasts, key=lambda each: _worth(each, protocols.protocol(each.study.spec) == main), default=None)
    if best is None or len(best.settings) < prediction.FEWEST:
        evaluates = line("anchors", profile=profile.key, pruner=treatment.pruner, repair=treatment.repair)
        some = several(len(best.settings), "setting") if best and best.settings else "no setting"
        raise TooFewAnchors(
            f"{some} evaluated with {treatment.spoken} can predict this model, and {prediction.FEWEST} or more are "
            f"needed; this evaluates four: {evaluates}"
        )
    return best


def _worth(forecast: Anchors, usual: bool) -> tuple[bool, bool, int, int]:
    count = len(forecast.settings)
    enough = count >= MIN_ANCHORS
    return enough, enough and usual, enough * forecast.study.spec.text.token_count, count


def anchors_of_study(study: Study, profile: Profile, treatment: Treatment) -> Anchors:
    """The settings of one protocol that can serve, each allocation once; what broke the model is named."""
    usable, left_out = {}, []
    for result in usable_settings(study, treatment) if study.dense else ():
        if not result.finite:
            left_out.append(f"{recipe_names.setting(result.setting)} is left out: its perplexity is not finite.")
        elif result.loss > study.dense.loss and np.isfinite(_harms(result, profile)).all():
            usable.setdefault(result.planned.tobytes(), result)
    return Anchors(study, treatment, profile, tuple(usable.values()), tuple(left_out))


def usable_settings(study: Study, treatment: Treatment) -> list[Result]:
    """What was evaluated with a pruner and a repair, neither by a pattern nor true-sequentially.

    Trainings of several budgets are several treatments: those of the one with the most settings serve.
    """
    alike = defaultdict(list)
    for result in study.settings:
        recipe = result.setting
        if recipe.treatment == treatment and not recipe.pattern and not recipe.true_sequential:
            alike[recipe.repair_options].append(result)
    return max(alike.values(), key=len, default=[])


def same(planned: Array, exact: Array) -> bool:
    """Whether two allocations are one, whatever they are called."""
    return planned.shape == exact.shape and np.allclose(planned, exact, rtol=0, atol=SPARSITY_TOLERANCE)


def _harms(result: Result, profile: Profile) -> Array:
    """(1, layers); NaN where linears were not measured alone."""
    try:
        return responses.layer_harms(result.planned[None], profile, result.setting.treatment.budget_unit)
    except UserError:
        return np.full((1, profile.layers), np.nan)
