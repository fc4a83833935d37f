"""Settings to be tried, of a search and of a study that a page asks for, and how one is chosen. No torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.base import UserError, checked, per_cent, unique
from core.methods import METHODS, ZEROS, Allocator, BudgetUnit, Response, Treatment, default_pruner
from core.plan import linear_parameters, responses, spread_budget
from core.requests import AllocationRequest, Recipe, StudyRequest, recipe_names, uniform
from core.results.setting_result import Result
from core.results.study_results import Study
from core.store import Profile

WHAT = {"alone": "this setting", "family": "this method and its controls", "methods": "all allocators"}
CONTROLS = ("reversed", "shuffled", "ramp")


def possible(requests: Iterable[AllocationRequest], profile: Profile) -> tuple[list[AllocationRequest], list[str]]:
    """The allocations whose budget can be spread, and a note on each of the others."""
    spreadable, notes = [], []
    for each in requests:
        try:
            spread_budget(each, linear_parameters(profile), profile)
        except UserError as reason:
            notes.append(f"{recipe_names.long(each)} is left out: {reason}")
        else:
            spreadable.append(each)
    return spreadable, unique(notes)


def combined(
    allocations: Iterable[AllocationRequest], pruner: str, seeds: Sequence[int], **how: Any
) -> tuple[Recipe, ...]:
    """Every allocation with every calibration seed; a pruner that looks at no text needs but one.

    Args:
        how: other fields of a setting: its pattern, and what is done to the weights that stay.

    Raises:
        UserError: a pattern with an allocation that it does not allow.
    """
    used = seeds if Treatment(pruner, how.get("repair")).reads_text else seeds[:1]
    return tuple(
        checked(Recipe, allocation=allocation, pruner=pruner, calibration_seed=seed, **how)
        for allocation in allocations
        for seed in used
    )


# --- a study of the allocation in view ------------------------------------------------------------------------------


def alone(request: AllocationRequest) -> list[AllocationRequest]:
    """An allocation, its own base before it where it is corrected."""
    return [request.uncorrected, request] if request.correction.strength else [request]


def family(
    request: AllocationRequest, driver: str, strengths: Sequence[float], controls: Iterable[str], shuffles: int
) -> list[AllocationRequest]:
    """The base, and at every strength the correction and the controls beside it.

    Args:
        request: its correction's clip is kept.
        driver: the perturbation whose gain drives the correction.
        shuffles: how many permutations the shuffled control gets.

    Raises:
        UserError: an allocation set by hand, which has no correction.
    """
    if request.base.by_hand:
        raise UserError("an allocation set by hand has no correction: let the layers go, or evaluate this setting")
    how = {"driver": driver, "clip": request.correction.clip}
    return [request.uncorrected, *request.corrected(strengths, ("none", *controls), shuffles, **how)]


def methods(
    request: AllocationRequest, targets: Iterable[float], profile: Profile
) -> tuple[list[AllocationRequest], list[str]]:
    """Every base allocator at every target, the chosen one as set and corrected as set, the others as usual.

    Returns:
        The allocations, and a note on each that this profile or these bounds do not allow.
    """
    wanted = []
    for target in targets:
        here = request.replace(target=target)
        for kind, method in METHODS.items():
            wanted += (
                alone(here)
                if kind == request.base.kind
                else [here.uncorrected.replace(base=default_method(method, profile))]
            )
    return possible(wanted, profile)


def default_method(method: type[Allocator], profile: Profile, budget_unit: BudgetUnit = ZEROS) -> Allocator:
    """A method with its usual parameters; a budget per linear where linears were measured alone, and of few bits."""
    if not issubclass(method, Response):
        return method()
    pruner = default_pruner(budget_unit)
    per_linear = pruner in responses.pruners(profile, True, budget_unit)
    per_linear |= responses.is_per_linear_only(profile, budget_unit)
    return method(pruner=pruner, granularity="linear" if per_linear else "layer")


# --- choosing ------------------------------------------------------------------------------------------------------


def ranked(study: Study) -> list[Result]:
    """A study's pruned points, the least mean loss first; of equals the one asked first; broken ones are left out.

    Raises:
        UserError: every candidate broke the model.
    """
    sound = [each for each in study.singles if each.setting is not None and math.isfinite(each.loss)]
    if not sound:
        raise UserError("every candidate broke the model: its losses are not finite; ask for a lower target")
    return sorted(sound, key=lambda each: each.loss)


def choose(study: Study, max_loss: float | None = None, predicted: Mapping[Recipe, float] | None = None) -> Recipe:
    """The winner of a selection study: the least mean of the loss that was measured and the one that was predicted.

    On so little text the two err about alike: at 60 % on the bundled model 4 windows alone chose the second best.

    Args:
        predicted: losses; where there is none the measured one counts alone.
        max_loss: largest rise of the perplexity, a fraction: of the targets with a setting that keeps within it only
            the largest counts.

    Raises:
        UserError: as `ranked`; or no setting keeps within the loss.
    """
    sound = ranked(study)
    if max_loss is not None:
        within = [each.target for each in sound if loss(study, each.setting) <= max_loss]
        if not within:
            raise UserError(
                f"no target that was tried keeps the rise of the perplexity within {per_cent(max_loss)}: allow more"
            )
        sound = [each for each in sound if each.target == max(within)]

    return min(sound, key=lambda each: each.loss + (predicted or {}).get(each.setting, each.loss)).setting


def loss(study: Study, recipe: Recipe) -> float:
    """Rise of the perplexity over the dense model's, a fraction of it."""
    return study.single(recipe).perplexity / study.dense.perplexity - 1


def fallback(winner: Recipe, study: Study, max_loss: float | None) -> Recipe:
    """Uniform where the winner does not hold: at the largest target at which it kept within the loss itself.

    The winner's twin where no loss was asked, or where uniform kept within it at no target that was evaluated.
    """
    even = [each.setting for each in ranked(study) if each.setting == each.setting.uniform]
    within = [each for each in even if max_loss is not None and loss(study, each) <= max_loss]
    return max(within, key=lambda each: each.allocation.target, default=winner.uniform)


# --- the default anchors of a model, not evaluated yet, as a study ---------------------------------------------------

# Of the default targets the highest, and how far below it each lies. As uniform joins each target by itself, four
# settings lie at two to four targets: of all such fours of uniform, OWL and response at 50 to 80 % these leave
# the least mean predictive variance (0.0037) over what a search would try, on both committed families together.
HIGHEST, APART = 0.8, (0.3, 0.1, 0.0)
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

    No other four settings of uniform, response and OWL at 50 to 80 % that cost as many runs leave narrower intervals, a
    mean over all methods at these targets, on the committed profiles of both families together.

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
