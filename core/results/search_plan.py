"""The best setting of a model: its stages as requests, and what they cost at most. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.ask.allocations import Correction
from core.ask.inputs import WindowRequest
from core.ask.measurements import EACH, MeasureRequest, measurements
from core.ask.perturbations import OF_LINEARS, SPARSITIES, perturbation
from core.ask.requests import BestRequest
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.base.spec import number
from core.kinds.treatments import NO_REPAIR, Treatment
from core.models import work
from core.models.outline import Outline
from core.results.shortlist import MOST
from core.store.cache import Store

MEASURED_SPARSITIES, MEASURED_LINEARS = SPARSITIES, OF_LINEARS  # of every layer and of every linear alone
ANCHORS, TRIES = 4, 3  # where a largest loss was asked: default anchors, and targets that are tried after them
MEASURED_WINDOWS, MEASURED_LENGTH = 4, 128  # of the profile for the candidates: more predict no better


# --- the stages as requests ----------------------------------------------------------------------------------------


def profile_request(request: BestRequest) -> MeasureRequest:
    """The profile for the candidates: the noise that drives the correction, layers and linears pruned alone."""
    text, pruner = request.calibration, request.pruner
    amount = {"sequences": min(text.sequences, MEASURED_WINDOWS), "length": min(text.length, MEASURED_LENGTH)}
    layers = (f"residual:{pruner}:{number(each)}" for each in MEASURED_SPARSITIES)
    linears = (f"residual_linear:{pruner}:{number(each)}:{EACH}" for each in MEASURED_LINEARS)
    looked_at = measurements(map(perturbation, (Correction().driver, *layers, *linears)))
    return request.to(MeasureRequest, text=text.model_copy(update=amount), measurements=looked_at)


def selection_request(request: BestRequest, profile: str | None, asked: tuple[Setting, ...]) -> StudyRequest:
    """Candidates on the selection text."""
    return _study(request, profile, asked, request.selection)


def final_request(request: BestRequest, profile: str | None, chosen: Iterable[Setting]) -> StudyRequest:
    """Settings that were chosen, with every calibration seed, on the text that judges."""
    chosen = tuple(chosen)
    asked = [
        each.model_copy(update={"calibration_seed": seed})
        for seed in request.seeds
        for each in chosen
        if seed in drawn(request, each.treatment)
    ]
    return _study(request, profile, tuple(asked), request.final)


def drawn(request: BestRequest, treatment: Treatment) -> tuple[int, ...]:
    """The calibration seeds that judge: one will do for what looks at no text."""
    return request.seeds if treatment.reads_text else request.seeds[:1]


def _study(request: BestRequest, profile: str | None, asked: tuple[Setting, ...], text: WindowRequest) -> StudyRequest:
    return request.to(StudyRequest, profile=profile, settings=asked, evaluation=EvaluationRequest(text=text))


# --- what it will cost ---------------------------------------------------------------------------------------------


def most(request: BestRequest) -> int:
    """The most settings that are evaluated on the selection text."""
    return MOST + (ANCHORS + 2 * TRIES + 2 if request.max_loss else 0)  # each try beside its uniform twin


def planned(request: BestRequest, shape: Outline) -> dict[str, float]:
    """FLOP of every stage at most, by its name."""
    plain = Treatment(request.pruner)
    repaired = None if request.repair == NO_REPAIR else Treatment(request.pruner, request.repair)
    judged = [plain] * len(drawn(request, plain)) * (3 + bool(request.max_loss))
    judged += [repaired] * len(drawn(request, repaired)) * 2 if repaired else []

    def selecting(*treatments: Treatment) -> float:
        return work.studying(shape, selection_request(request, None, ()), treatments)

    return {
        "profile": 0.0 if request.profile else work.measuring(shape, profile_request(request)),
        "selection": most(request) * selecting(plain),  # one by one, beside the dense model
        "repair": selecting(repaired, repaired) if repaired else 0.0,
        "final": work.studying(shape, _study(request, None, (), request.final), judged),
    }


def estimate(request: BestRequest, store: Store, device: str = "cpu") -> work.Cost | None:
    """The most that it costs while nothing is measured yet, or None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    model = work.model_of(request, store)
    if model is None:
        return None
    stages = planned(request, model[1])
    judging = final_request(request, None, [Setting(pruner=request.pruner)])
    runs = [judging, *([] if request.profile else [profile_request(request)])]
    costs = [work.estimate(each, store, device) for each in runs]
    memory = max(each.memory for each in costs)
    return replace(costs[0], flops=sum(stages.values()), memory=memory, parts=sum(map(bool, stages.values())))
