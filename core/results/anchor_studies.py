"""Anchors that are not evaluated yet: the default ones as a study, and the one that narrows an interval most."""

from typing import Any, NamedTuple

import numpy as np

from core.base import UserError, checked, exists, expanded
from core.methods import Response, Treatment
from core.models import run_cost
from core.plan import prediction, responses
from core.plan.allocation import allocate
from core.requests import AllocationRequest, EvaluationRequest, Recipe, StudyRequest, recipe_names, uniform
from core.requests.commands import command_line
from core.results.anchors import Anchors, half_width
from core.store import Profile, Store

HIGHEST, APART = 0.8, (0.3, 0.1, 0.0)  # the targets of `usual`: the highest, and how far below it each lies
OF_LAYERS = [0.1, 0.2, 0.3]  # the same where whole layers are left out
WIDE = 0.15  # half width of an interval, as a fraction of the increase, that one more anchor may narrow
SPARE = 0.1  # between the highest target and the largest sparsity measured: room for an allocation to differ in


class Narrower(NamedTuple):
    """A measurement that narrows an interval."""

    setting: str
    command: str  # evaluates it, so that it is one more anchor
    minutes: float | None  # None: a text of the other anchors is not on this machine


def narrower(anchors: Anchors, wanted: AllocationRequest, store: Store) -> Narrower | None:
    """The cheapest anchor that narrows the interval of an allocation enough, else the one that narrows it most.

    Of uniform, response and itself at its target: more text is no candidate, for an interval is as wide as the anchors
    lie off the curve. None where it is not wide, no command evaluates it as the others were, or the model is not here.
    """

    def harms(allocation):
        return responses.layer_harms(
            allocate(allocation, anchors.profile).exact[None], anchors.profile, wanted.budget_unit
        )

    def width(allocation=None):
        """With one more anchor, were it just as predicted."""
        more, predictor = allocation and harms(allocation), anchors.predictor
        if allocation:
            increases = np.append(anchors.increases, predictor(more).increase)
            predictor = prediction.fit(np.concatenate([anchors.harms, more]), increases)
        return half_width(predictor(harms(wanted)))[0]

    def offer(allocation):
        setting = anchors.settings[0].setting.replace(allocation=allocation)
        judged = EvaluationRequest(text=evaluated.evaluation.text)
        request = evaluated.replace(settings=(setting,), profile=anchors.profile.key, evaluation=judged)
        sources = request.calibration.source, request.evaluation.text.source
        here = all(exists(expanded(each.removeprefix("file:"))) for each in sources if each.startswith("file:"))
        cost = run_cost.estimate(request, store) if here else None
        line = command_line(request, cache=store.elsewhere)
        return Narrower(recipe_names.setting(setting), line, cost and cost.seconds / 60) if cost or not here else None

    if not width() > WIDE:
        return None
    usual = Response(pruner=responses.usual(anchors.profile, currency=wanted.budget_unit))
    response = AllocationRequest(base=usual, target=wanted.target, currency=wanted.currency)
    measured = {each.setting.allocation for each in anchors.settings}
    try:
        evaluated = StudyRequest.model_validate(anchors.study.provenance["request"])
        left = {
            each: width(each)
            for each in (uniform(wanted.target, wanted.currency), response, wanted)
            if each not in measured
        }
        enough = [each for each in left if left[each] <= WIDE] or sorted(left, key=left.get)[:1]
        return min(filter(None, map(offer, enough)), key=lambda each: each.minutes or np.inf, default=None)
    except (UserError, ValueError, KeyError):
        return None


def study(profile: Profile, treatment: Treatment, request: StudyRequest, **trained: Any) -> StudyRequest:
    """The default anchors of a profile's model as a study.

    Args:
        request: its texts; windows begin as the profile's do.
        trained: what a repair that trains is told.

    Raises:
        UserError: as `usual`, or the profile does not say where its model came from.
    """
    provenance, bos = profile.provenance, profile.spec.text.bos
    if not provenance.get("model_source"):
        raise UserError(f"profile {profile.key} does not say where its model is: measure it again")
    return StudyRequest(
        model=provenance["model_source"],
        revision=provenance.get("revision"),
        dtype=profile.spec.model.dtype,
        profile=profile.key,
        calibration=request.calibration.replace(bos=bos),
        settings=usual(profile, treatment, **trained),
        evaluation=request.evaluation.replace(text=request.evaluation.text.replace(bos=bos)),
    )


def usual(profile: Profile, treatment: Treatment, **trained: Any) -> tuple[Recipe, ...]:
    """The default anchors: uniform at three targets, or at the three narrowest levels, and response at the middle one.

    Raises:
        UserError: the profile lacks response curves, or a repair that trains is told no budget.
    """
    budget_unit = treatment.budget_unit
    top = min(HIGHEST, responses.highest(profile, currency=budget_unit) - SPARE)
    levels = OF_LAYERS if budget_unit.of_layers else [*budget_unit.levels.values()][-len(APART) :]
    targets = levels or [round(top - below, 2) for below in APART]
    base = Response(pruner=responses.usual(profile, currency=budget_unit))
    response = AllocationRequest(base=base, target=targets[1], currency=budget_unit.name)
    even = (uniform(each, budget_unit.name) for each in targets)
    return tuple(checked(Recipe, allocation=each, **treatment._asdict(), **trained) for each in (*even, response))
