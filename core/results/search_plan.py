"""The best setting of a model: its stages as requests, and what they cost at most. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from core.ask.allocations import Correction
from core.ask.inputs import WindowRequest
from core.ask.measurements import EACH, MeasureRequest, measurements
from core.ask.perturbations import SPARSITIES, perturbation
from core.ask.requests import BestRequest
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.base.spec import number
from core.kinds.treatments import NO_REPAIR, Treatment
from core.models import work
from core.models.outline import Outline
from core.results.candidates import GRIDS, TARGETS, candidates
from core.store.cache import Store

MEASURED_SPARSITIES = SPARSITIES
MEASURED_WINDOWS, MEASURED_LENGTH = 8, 256  # of a profile that is measured for the candidates


# --- the stages as requests ----------------------------------------------------------------------------------------


def profile_request(request: BestRequest, linears: bool = False) -> MeasureRequest:
    """The profile for the candidates: the noise that drives the correction, and one-layer-pruned responses.

    Args:
        linears: each linear pruned alone too, which a budget per linear looks at: many times the work.
    """
    text = request.calibration
    amount = {"sequences": min(text.sequences, MEASURED_WINDOWS), "length": min(text.length, MEASURED_LENGTH)}
    pruned = [f"{request.pruner}:{number(each)}" for each in MEASURED_SPARSITIES]
    names = [Correction().driver, *(f"residual:{each}" for each in pruned)]
    names += [f"residual_linear:{each}:{EACH}" for each in pruned if linears]
    looked_at = measurements(map(perturbation, names))
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


def planned(request: BestRequest, shape: Outline) -> dict[str, float]:
    """FLOP of every stage at most, by its name; `search` is that of one target."""
    quick, grid = GRIDS["quick"], GRIDS[request.effort]
    target = request.target or 0.5  # where most depth ramps fit
    trial = len(candidates(quick, request.pruner, target, shape.layers))
    tried = len(candidates(grid, request.pruner, target, shape.layers))
    more = 2 * len(grid.strengths) * grid.corrects_best
    plain = Treatment(request.pruner)
    repaired = None if request.repair == NO_REPAIR else Treatment(request.pruner, request.repair)
    judged = [plain] * len(drawn(request, plain)) * (3 + bool(request.max_loss))
    judged += [repaired] * len(drawn(request, repaired)) * 2 if repaired else []

    def selecting(*treatments: Treatment) -> float:
        return work.studying(shape, selection_request(request, None, ()), treatments)

    return {
        "profile": 0.0 if request.profile else work.measuring(shape, profile_request(request)),
        "search": selecting(*[plain] * trial) if request.max_loss else 0.0,
        "selection": selecting(*[plain] * tried),
        "repair": selecting(plain, repaired) if repaired else 0.0,
        "corrections": selecting(*[plain] * more) if more else 0.0,
        "final": work.studying(shape, _study(request, None, (), request.final), judged),
    }


def trials(request: BestRequest) -> int:
    """The most targets that are tried."""
    return math.ceil(math.log2(len(TARGETS) + 1)) if request.max_loss else 0


def estimate(request: BestRequest, store: Store, device: str = "cpu") -> work.Cost | None:
    """The most that it costs while nothing is measured yet, or None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    model = work.model_of(request, store)
    if model is None:
        return None
    stages = planned(request, model[1])
    stages["search"] *= trials(request)
    judging = final_request(request, None, [Setting(pruner=request.pruner)])
    runs = [judging, *([] if request.profile else [profile_request(request)])]
    costs = [work.estimate(each, store, device) for each in runs]
    memory = max(each.memory for each in costs)
    return replace(costs[0], flops=sum(stages.values()), memory=memory, parts=sum(map(bool, stages.values())))
