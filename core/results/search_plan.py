"""The best setting of a model: its stages as requests, what they cost at most, and the candidates. No torch."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain

import numpy as np

from core.base import UserError, frozen, number, several
from core.methods import (
    ANY,
    BASES,
    DEFAULT_PRUNER,
    KQUANTS,
    PRUNERS,
    SKETCHED,
    SPARSITIES,
    Response,
    Treatment,
    harmed_as,
)
from core.plan import allocate, prediction, responses
from core.requests import (
    AllocationRequest,
    BestRequest,
    Correction,
    EvaluationRequest,
    MeasureRequest,
    ModelShape,
    ModelSpec,
    Recipe,
    StudyRequest,
    WindowRequest,
    perturbation,
    recipe_names,
    sketching,
    uniform,
    workload,
)
from core.requests.measurements import measurements
from core.results.forecast import Forecast
from core.results.study_results import Study
from core.store import Array, Entry, Profile, Store

ANCHORS, TRIES = 4, 3  # where a largest loss was asked: default anchors, and targets that are tried after them
# Of the profile for the candidates. More predict no better; but shares of one window spent by exact harms cost 7 % more
# harm in all than they should, and of eight by the sketch 3 %.
MEASURED_WINDOWS, MEASURED_LENGTH = 4, 128
# Candidates are told apart on a part of the selection text, pruned by a part of the calibration text: norms of inputs
# need less of it than second moments.
HALF, QUARTER = 2, 4


# --- the stages as requests ----------------------------------------------------------------------------------------


def profile_request(request: BestRequest) -> MeasureRequest:
    """The profile for the candidates: the noise that drives the correction, layers pruned alone, and the sketch.

    Of few bits the sketch tells all.
    """
    text, pruner = request.calibration, response_pruner(request)
    amount = {"sequences": min(text.sequences, MEASURED_WINDOWS), "length": min(text.length, MEASURED_LENGTH)}
    layers = [f"residual:{pruner}:{number(each)}" for each in SPARSITIES]
    if request.budget_unit.levels:
        layers = ["skip"] * request.budget_unit.of_layers
    looked_at = measurements(map(perturbation, (Correction().driver, *layers)))
    types = "fast" if request.budget_unit is KQUANTS else "none"
    return request.to(MeasureRequest, text=text.replace(**amount), measurements=looked_at, sketch=True, kquants=types)


def response_pruner(request: BestRequest) -> str:
    """The pruner of the response curves."""
    return DEFAULT_PRUNER if request.pruner == ANY else request.pruner


def even(request: BestRequest, target: float = 0.5) -> Recipe:
    """Uniform by that pruner."""
    return Recipe(allocation=uniform(target, request.budget_unit.name), pruner=response_pruner(request))


def holding(request: BestRequest, store: Store, model: ModelSpec) -> Iterator[Entry]:
    """Profiles in the cache that hold all that would be measured, the newest first."""
    wanted = profile_request(request)
    settings, damages = wanted.measurements, {*sketching(wanted.text, wanted.kquants).damages} - SKETCHED.keys()
    for entry in store.entries():
        holds = entry.spec.model == model and entry.spec.sketch and {*settings} <= {*entry.spec.measurements}
        if request.at_most and entry.spec.is_incomplete:  # types outside the layers could not be chosen by it
            continue
        if holds and damages <= {*entry.spec.sketch.damages} and store.measured(entry.spec):
            yield entry


def selection_request(request: BestRequest, profile: str | None, recipes: tuple[Recipe, ...]) -> StudyRequest:
    """Candidates on the selection text."""
    solves = any(each.solves for each in request.treatments)

    def part(text, share):
        return text.replace(sequences=-(-text.sequences // share))

    calibration = part(request.calibration, HALF if solves else QUARTER)
    return _study(request.replace(calibration=calibration), profile, recipes, part(request.selection, HALF))


def final_request(request: BestRequest, profile: str | None, chosen: Iterable[Recipe]) -> StudyRequest:
    """Settings that were chosen, with every calibration seed, on the text that judges."""
    chosen = tuple(chosen)
    settings = [
        each.replace(calibration_seed=seed)
        for seed in request.seeds
        for each in chosen
        if seed in judging_seeds(request, each.treatment)
    ]
    return _study(request, profile, tuple(settings), request.final)


def judging_seeds(request: BestRequest, treatment: Treatment) -> tuple[int, ...]:
    """The calibration seeds that judge: one will do for what looks at no text."""
    return request.seeds if treatment.reads_text else request.seeds[:1]


def _study(request: BestRequest, profile: str | None, recipes: tuple[Recipe, ...], text: WindowRequest) -> StudyRequest:
    return request.to(StudyRequest, profile=profile, settings=recipes, evaluation=EvaluationRequest(text=text))


# --- what it will cost ---------------------------------------------------------------------------------------------


def most_evaluated(request: BestRequest) -> int:
    """The most settings that are evaluated on the selection text."""
    return MOST + (ANCHORS + 2 * TRIES + 2 if request.max_loss else 0)  # each try beside its uniform twin


def planned(request: BestRequest, shape: ModelShape, speed: float = workload.SPEED) -> dict[str, float]:
    """Work of every stage at most, by its name; speed: of a training for minutes."""
    dearest = max(request.treatments, key=lambda each: workload.pruning(shape, request.calibration, each))
    tried = dearest if ANY in (request.pruner, request.repair) else Treatment(request.pruner)
    seeds = request.seeds if request.recover_minutes else judging_seeds(request, dearest)
    judged = [dearest] * len(seeds) * (2 + bool(request.max_loss))
    training = 60 * (request.recover_minutes or 0) * speed  # of one setting

    def study(studied, treatments):
        each = [workload.pruning(shape, studied.calibration, treatment) for treatment in treatments]
        return sum(each) + (1 + len(each)) * workload.judging(shape, studied.evaluation)

    def selecting(*treatments):
        return study(selection_request(request, None, ()), treatments)

    return {
        "profile": 0.0 if request.profile else workload.sweep(shape, profile_request(request)),
        "selection": most_evaluated(request) * selecting(tried),  # one by one, beside the dense model
        "repair": selecting(dearest, dearest) if tried != dearest else 0.0,
        "recovery": selecting(dearest, dearest) + 2 * training if training else 0.0,
        "final": study(_study(request, None, (), request.final), judged) + 2 * len(seeds) * training,
        "export": workload.pruning(shape, request.calibration, dearest) if request.folder else 0.0,
    }


STEPS = {
    "profile": "measure the model", "selection": "try the most promising settings", "repair": "repair the best",
    "recovery": "train it", "final": "judge it beside uniform", "export": "write the file",
}  # fmt: skip


def steps(request: BestRequest, shape: ModelShape) -> str:
    """The stages in words."""
    return f"steps: {', '.join(STEPS[name] for name, work in planned(request, shape).items() if work)}"


# --- candidates of a search at one target: all are predicted, and few are evaluated.-------------------------------

MOST = 8  # settings that are evaluated at one target
# Of the correction and of its reverse. Allocations of one method differ little, so only the one predicted best of each
# is evaluated: the rest would win by luck on the text that selects.
STRENGTHS = (0.01, 0.02, 0.04, 0.06, 0.08)


@frozen
class Candidates:
    """Allocations that may be evaluated, and the harm of each of their layers pruned alone."""

    target: float
    allocations: tuple[AllocationRequest, ...]
    harms: Array  # (allocations, layers)
    left_out: tuple[str, ...]  # what cannot be allocated or predicted, with the reason

    def best(
        self,
        study: Study | None,
        forecasts: Iterable[Forecast],
        treatment: Treatment,
        tried: Collection[tuple[str, Treatment]],
    ) -> Recipe | None:
        """The candidate predicted best; None where none may be better than the best that was measured.

        It may be if its interval reaches below the best; where both are pruned alike, the interval of what tells them
        apart. Where nothing predicts it is the candidate of least harm.

        Args:
            study: what was evaluated on the text that selects, which the forecasts predict; None: nothing.
            treatment: by which that one is pruned.
            tried: titles of methods that had their turn, each with its pruner and repair.
        """
        results = study.settings if study else ()
        here = (each for each in results if each.finite and each.target == self.target)
        best = min(here, key=lambda each: each.loss, default=None)
        least = best.loss - study.dense.loss if best else np.inf
        worths = {treatment: self.harms.sum(1)}
        for each in forecasts:
            if len(each.settings) >= prediction.FEWEST:
                predicted = each.increases_from_harms(self.harms, best)
                worths[each.treatment] = np.where(predicted.low < least, predicted.value, np.inf)
        waiting = [
            (worth, request, by)
            for by, every in worths.items()
            for worth, request in zip(every, self.allocations, strict=True)
            if np.isfinite(worth) and (request.base.title, by) not in tried
        ]
        _, request, by = min(waiting, key=lambda each: each[0], default=(None, None, None))
        return by and Recipe(allocation=request, **by._asdict())


def candidates(profile: Profile, pruner: str, target: float, outside: str | None = None) -> Candidates:
    """Every method with the grid of its paper, plain, corrected and corrected in reverse.

    Args:
        outside: types of the matrices outside the layers.

    Raises:
        UserError: the profile lacks response curves.
    """
    unit = PRUNERS[pruner].budget_unit
    highest, harms_of, left_out, beyond = responses.highest(profile, unit=unit), {}, {}, 0
    bases = chain.from_iterable(form.grid(target, profile.layers) for form in BASES.values())
    for base in bases:
        if isinstance(base, Response):
            if unit.of_layers and base.per_linear:
                continue
            usual = responses.pruner_with_curves(profile, base.per_linear, unit)
            own = harmed_as(pruner)
            base = base.replace(pruner=own if own in responses.pruners(profile, base.per_linear, unit) else usual)
        plain = AllocationRequest(base=base, target=target, currency=unit.name, outside=outside)
        corrected = () if unit.levels else plain.corrected(STRENGTHS, ("none", "reversed"))
        for request in (plain, *corrected):
            try:
                [harms] = responses.layer_harms(allocate(request, profile).exact[None], profile, unit)
            except UserError as reason:
                left_out.setdefault(str(reason), f"{recipe_names.long(request)} is left out: {reason}")
                break  # nor can it be stronger
            if np.isfinite(harms).all():
                harms_of[request] = harms
            else:
                beyond += 1
    if beyond:
        left_out[""] = (
            f"{several(beyond, 'candidate')} prune a layer beyond {highest:g}, the largest sparsity that was measured "
            "alone: nothing beyond it is predicted"
        )
    harms = np.reshape([*harms_of.values()], (-1, profile.layers))
    return Candidates(target, tuple(harms_of), harms, tuple(left_out.values()))
