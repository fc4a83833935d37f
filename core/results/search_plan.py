"""The best setting of a model: its stages as requests, and what they cost at most. No torch."""

from collections.abc import Iterable, Iterator

from core.base import number
from core.methods import ANY, DEFAULT_PRUNER, Treatment
from core.requests import (
    EACH,
    BestRequest,
    Correction,
    EvaluationRequest,
    MeasureRequest,
    ModelShape,
    ModelSpec,
    Recipe,
    StudyRequest,
    WindowRequest,
    expanded,
    workload,
)
from core.requests.measurements import measurements
from core.requests.perturbations import OF_LINEARS, SPARSITIES, perturbation
from core.results.shortlist import MOST
from core.store import Entry, Store

ANCHORS, TRIES = 4, 3  # where a largest loss was asked: default anchors, and targets that are tried after them
MEASURED_WINDOWS, MEASURED_LENGTH = 1, 128  # of the profile for the candidates: more predict no better
# Candidates are told apart on a part of the selection text, pruned by a part of the calibration text: norms of inputs
# need less of it than second moments.
HALF, QUARTER = 2, 4


# --- the stages as requests ----------------------------------------------------------------------------------------


def profile_request(request: BestRequest) -> MeasureRequest:
    """The profile for the candidates: the noise that drives the correction, layers and linears pruned alone."""
    text, pruner = request.calibration, response_pruner(request)
    amount = {"sequences": min(text.sequences, MEASURED_WINDOWS), "length": min(text.length, MEASURED_LENGTH)}
    layers = (f"residual:{pruner}:{number(each)}" for each in SPARSITIES)
    linears = (f"residual_linear:{pruner}:{number(each)}:{EACH}" for each in OF_LINEARS)
    looked_at = measurements(map(perturbation, (Correction().driver, *layers, *linears)))
    return request.to(MeasureRequest, text=text.replace(**amount), measurements=looked_at)


def response_pruner(request: BestRequest) -> str:
    """The pruner of the response curves."""
    return DEFAULT_PRUNER if request.pruner == ANY else request.pruner


def holding(request: BestRequest, store: Store, model: ModelSpec) -> Iterator[Entry]:
    """Profiles in the cache that hold all that would be measured, the newest first."""
    settings = profile_request(request).measurements
    for entry in store.entries():
        if entry.spec.model == model and store.measured(entry.spec):
            linears = entry.provenance.get("linears", ())
            if {*expanded(settings, linears)} <= {*entry.spec.measurements}:
                yield entry


def selection_request(request: BestRequest, profile: str | None, recipes: tuple[Recipe, ...]) -> StudyRequest:
    """Candidates on the selection text."""
    solves = any(each.solves for each in request.treatments)
    part = request.replace(calibration=_part(request.calibration, HALF if solves else QUARTER))
    return _study(part, profile, recipes, _part(request.selection, HALF))


def _part(text: WindowRequest, share: int) -> WindowRequest:
    return text.replace(sequences=-(-text.sequences // share))


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


def _study(
    request: BestRequest, profile: str | None, settings: tuple[Recipe, ...], text: WindowRequest
) -> StudyRequest:
    return request.to(StudyRequest, profile=profile, settings=settings, evaluation=EvaluationRequest(text=text))


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
    }
