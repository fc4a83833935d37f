"""The best setting of a model: its stages as requests, and what they cost at most. No torch."""

from __future__ import annotations

import math
from dataclasses import replace

from core.ask.allocations import Correction
from core.ask.measurements import MeasureRequest, measurements
from core.ask.perturbations import EACH, perturbation
from core.ask.presets import SPARSITIES
from core.ask.requests import BestRequest
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import WindowRequest
from core.base.spec import number
from core.kinds.treatments import NO_REPAIR, Treatment
from core.models import cost, effort, flops
from core.models.machine import chosen
from core.models.outline import Outline
from core.search.candidates import GRIDS, TARGETS, candidates, most_candidates
from core.store.cache import Store

MEASURED_SPARSITIES = SPARSITIES
LIKELY = 0.5  # share told of what is done only where a repair lowers the loss
MEASURED_WINDOWS, MEASURED_LENGTH = 8, 256  # of a profile that is measured for the candidates


# --- the stages as requests ----------------------------------------------------------------------------------------


def profile_request(request: BestRequest, linears: bool = False) -> MeasureRequest:
    """What the candidates look at: the noise that drives the correction, and one-layer-pruned responses.

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


def final_request(
    request: BestRequest, profile: str | None, winner: Setting, runner_up: Setting | None,
    fallback: Setting | None = None, better: tuple[Setting, ...] = (),
) -> StudyRequest:  # fmt: skip
    """Winner, runner-up and uniform with every calibration seed, on the text that judges.

    Args:
        fallback: uniform at a lower target, judged too.
        better: the winner repaired, judged too.
    """
    chosen = [each for each in (winner, runner_up, fallback, *better) if each is not None]
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
    trial = len(candidates(quick, request.pruner, target, shape.layers, 0))
    tried = len(candidates(grid, request.pruner, target, shape.layers, 0))
    more = most_candidates(grid, target, shape.layers) - tried
    selecting = selection_request(request, None, ())
    return {
        "profile": 0.0 if request.profile else flops.request_flops(shape, profile_request(request)),
        "search": flops.study_flops(shape, selecting, trial + 1, trial + 1, trial) if request.max_loss else 0.0,
        "selection": flops.study_flops(shape, selecting, tried + 1, tried + 1, tried),
        "repair": flops.study_flops(shape, selecting, 2, 2, 2) if request.repair != NO_REPAIR else 0.0,
        "corrections": flops.study_flops(shape, selecting, more, more, more) if more else 0.0,
        "final": _final_flops(request, shape, 1.0),
    }


def _treatments(request: BestRequest) -> tuple[Treatment, Treatment]:
    """What is done to the weights without the repair, and with it."""
    repair = None if request.repair == NO_REPAIR else request.repair
    return Treatment(request.pruner), Treatment(request.pruner, repair)


def _better(request: BestRequest) -> int:
    """Settings that are judged where the repair helps: winner and uniform repaired."""
    return 2 * (request.repair != NO_REPAIR)


def _final_flops(request: BestRequest, shape: Outline, better: float) -> float:
    """Winner, runner-up and uniform on the text that judges, and a share of what is better."""
    plain, repaired = (len(drawn(request, each)) for each in _treatments(request))
    judged = plain * (3 + bool(request.max_loss)) + repaired * better * _better(request)
    return flops.study_flops(shape, _study(request, None, (), request.final), judged + 1, judged + 1, judged)


def trials(request: BestRequest) -> int:
    """How many targets are tried at most."""
    return math.ceil(math.log2(len(TARGETS) + 1)) if request.max_loss else 0


def estimate(request: BestRequest, store: Store, device: str = "cpu") -> cost.Cost | None:
    """The cost of which nothing is measured yet, or None while the model's files are not on this machine.

    Work is told at most, time as it may come: half of what is done only where a repair helps.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    judging, profile = final_request(request, None, Setting(pruner=request.pruner), None), profile_request(request)
    asked = cost.model_of(judging, store, chosen(device))
    if asked is None:
        return None
    shape = asked.shape
    stages = planned(request, shape)
    stages["search"] *= trials(request)
    studies = stages | {"profile": 0.0, "final": _final_flops(request, shape, LIKELY)}
    took = _slower(shape, judging) * sum(studies.values()) + _repairs_work(request, shape)
    if stages["profile"]:
        groups = flops.groups(shape, profile.text.sequences, profile.text.length, request.dtype, None)
        took += effort.measuring(shape, profile, groups, asked.device)
    measured = None if request.profile else cost.estimate(profile, store, device)
    memory = max(each.memory for each in (cost.of_study(judging, store, device), measured) if each)
    found = asked.told(sum(stages.values()), took, 0, sum(map(bool, stages.values())))
    return replace(found, memory=memory)


def _repairs_work(request: BestRequest, shape: Outline) -> float:
    """What walks that repair take beyond others, as FLOP: two are tried, and more follow where they help."""
    if request.repair == NO_REPAIR:
        return 0.0
    plain, repaired = (effort.walk_work(shape, request.calibration, each) for each in _treatments(request))
    seeds = len(drawn(request, _treatments(request)[1]))
    return (2 + LIKELY * seeds * _better(request)) * (repaired - plain)


def _slower(shape: Outline, study: StudyRequest) -> float:
    """What a setting of a study takes without a repair, as FLOP for each that it computes."""
    taken = effort.studying(shape, study, [Treatment(study.settings[0].pruner)], dense=False)
    return taken / flops.study_flops(shape, study, 1, 1, 1)
