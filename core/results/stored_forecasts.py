"""Forecasts from what a store holds: of the studies that can serve as anchors the best, and predictions checked."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from core.base import UserError, several
from core.methods import Treatment
from core.plan import prediction, responses
from core.requests import Recipe, StudyRequest, WindowRequest, line
from core.results import protocols, text_splits
from core.results.forecast import Forecast, Prediction, forecast_of_study
from core.results.study_results import Study, load
from core.store import Entry, Profile, Store, profiles

MIN_ANCHORS = 4  # anchors that carry a curve


class TooFewAnchors(UserError):
    """Fewer settings were evaluated than a prediction needs."""


def load_forecast(
    store: Store, profile: Profile, treatment: Treatment, key: str | None = None, judge: WindowRequest | None = None
) -> Forecast:
    """The best forecast that the studies of a store allow.

    Args:
        key: of the study whose settings are the anchors; None for the best protocol.
        judge: text that nothing may be chosen on: settings that were evaluated on it do not serve.

    Raises:
        UserError: no such study, or as `best_forecast`.
    """
    if key is not None:
        entries = [store.by_key(key, ("study",))]
    else:
        mine = store.of_model(profile.spec.model, "study")
        entries = [each for each in mine if not (judge and _evaluates(each, judge))]

    def best_of(studies):
        return best_forecast((load(store, each, treatment) for each in studies), profile, treatment)

    main = protocols.main_protocol(Study(each.spec, each.provenance, ()) for each in entries)
    with suppress(UserError):  # where the main protocol has enough, nothing else is read
        forecast = best_of(each for each in entries if protocols.protocol(each.spec) == main)
        if len(forecast.settings) >= MIN_ANCHORS:
            return forecast
    return best_of(entries)


def _evaluates(study: Entry, text: WindowRequest) -> bool:
    """True where a study of this machine says that it evaluated on documents of a text, or says nothing."""
    try:
        own = StudyRequest.model_validate(study.provenance["request"]).evaluation.text
    except (ValueError, KeyError):  # of an older version
        return True
    return text_splits.reads(own.source, own.documents, text)


def load_forecasts(
    store: Store, profile: Profile, treatments: Iterable[Treatment], judge: WindowRequest
) -> list[Forecast]:
    """Forecasts of the treatments with enough anchors in a store, all on one text, not the judge's.

    Raises:
        UserError: the profile lacks response curves.
    """
    treatments, forecasts = [*treatments], []
    responses.highest(profile, unit=treatments[0].budget_unit)
    for each in treatments:
        with suppress(UserError):  # nothing of it is stored
            forecast = load_forecast(store, profile, each, judge=judge)
            if len(forecast.settings) >= MIN_ANCHORS:
                forecasts.append(forecast)
    return [each for each in forecasts if each.study.spec.text == forecasts[0].study.spec.text]


def best_forecast(groups: Iterable[Study], profile: Profile, treatment: Treatment) -> Forecast:
    """The forecast of the main protocol if it has enough anchors, else of the one with enough and most tokens.

    Args:
        groups: studies of any models; those of other models never predict.

    Raises:
        UserError: the profile lacks response curves, or fewer than two settings can serve.
    """
    responses.highest(profile, unit=treatment.budget_unit)
    mine = [each for each in groups if each.spec.model.weights == profile.spec.model.weights]
    forecasts = [forecast_of_study(each, profile, treatment) for each in protocols.by_protocol(mine)]
    main = protocols.main_protocol(mine)

    def worth(forecast):
        count = len(forecast.settings)
        enough, spec = count >= MIN_ANCHORS, forecast.study.spec
        return enough, enough and protocols.protocol(spec) == main, enough * spec.text.token_count, count

    best = max(forecasts, key=worth, default=None)
    if best is None or len(best.settings) < prediction.FEWEST:
        evaluates = line("anchors", profile=profile.key, pruner=treatment.pruner, repair=treatment.repair)
        some = several(len(best.settings), "setting") if best and best.settings else "no setting"
        raise TooFewAnchors(
            f"{some} evaluated with {treatment.spoken} can predict this model, and {prediction.FEWEST} or more are "
            f"needed; this evaluates four: {evaluates}"
        )
    return best


def transferred_to(study: Study, forecasts: Sequence[Forecast]) -> list[Forecast]:
    """Forecasts for the text of another study: costs differ by a factor, which its settings tell.

    The factor of text is one for all pruners and repairs; divergences have it too to 5 %, and changed words to 8 %. An
    interval is wider by what few settings leave open of it.
    """
    here = [(each, forecast_of_study(study, each.profile, each.treatment)) for each in forecasts]
    off = [np.log(its.increases / each.predictors["loss"](its.harms).value) for each, its in here if its.settings]
    every = np.concatenate(off or [[0.0]])
    factor = float(np.exp(every.mean())), float(np.sqrt(1 + 1 / len(every)))
    return [replace(each, judge=study, factor=factor) for each in forecasts]


def check_settings(store: Store, study: Study) -> dict[Recipe, Prediction]:
    """Settings of a study predicted by the other settings of its protocol in a store.

    A setting is missing where fewer than two others of its pruner and repair serve, or no curves cover it.
    """
    home, mine = protocols.protocol(study.spec), store.of_model(study.spec.model, "study")
    alike = (each for each in mine if protocols.protocol(each.spec) == home)
    whole = protocols.merged([study, *(load(store, each) for each in alike)])
    profile = next((profiles.load(store, each) for each in store.entries() if each.key in study.profiles), None)
    predicted = {}
    for treatment in {each.setting.treatment for each in study.settings} if profile else ():
        forecast = forecast_of_study(whole, profile, treatment)
        if len(forecast.settings) > prediction.FEWEST:
            costs = {name: prediction.leave_one_out(forecast.harms, each) for name, each in forecast.costs.items()}
            for row, (one, true) in enumerate(zip(forecast.settings, forecast.increases, strict=True)):
                its = forecast.prediction(costs, row)
                predicted[one.setting] = its._replace(off=float(its.loss_increase / true - 1))
    return {each.setting: predicted[each.setting] for each in study.settings if each.setting in predicted}
