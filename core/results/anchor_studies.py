"""The default anchors of a model, not evaluated yet, as a study."""

from typing import Any

from core.base import UserError, checked
from core.methods import Response, Treatment
from core.plan import responses
from core.requests import AllocationRequest, Recipe, StudyRequest, uniform
from core.store import Profile

HIGHEST, APART = 0.8, (0.3, 0.1, 0.0)  # of the default targets: the highest, and how far below it each lies
OF_LAYERS = [0.1, 0.2, 0.3]  # the same where whole layers are left out
SPARE = 0.1  # between the highest target and the largest sparsity measured: room for an allocation to differ in


def anchor_study(profile: Profile, treatment: Treatment, request: StudyRequest, **trained: Any) -> StudyRequest:
    """The default anchors of a profile's model as a study.

    Args:
        request: its texts; windows begin as the profile's do.
        trained: budgets of a repair that trains.

    Raises:
        UserError: as `default_anchors`, or the profile does not say where its model came from.
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
        settings=default_anchors(profile, treatment, **trained),
        evaluation=request.evaluation.replace(text=request.evaluation.text.replace(bos=bos)),
    )


def default_anchors(profile: Profile, treatment: Treatment, **trained: Any) -> tuple[Recipe, ...]:
    """Uniform at three targets, or at the three narrowest levels, and response at the middle one.

    Raises:
        UserError: the profile lacks response curves, or a repair that trains has no budget.
    """
    unit = treatment.budget_unit
    top = min(HIGHEST, responses.highest(profile, unit=unit) - SPARE)
    levels = OF_LAYERS if unit.of_layers else unit.shares[-len(APART) :]
    targets = levels or [round(top - below, 2) for below in APART]
    base = Response(pruner=responses.pruner_with_curves(profile, unit=unit))
    response = AllocationRequest(base=base, target=targets[1], currency=unit.name)
    even = (uniform(each, unit.name) for each in targets)
    return tuple(checked(Recipe, allocation=each, **treatment._asdict(), **trained) for each in (*even, response))
