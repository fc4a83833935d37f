"""What is tried for the best setting, and how one of it is chosen. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.ask.settings import Setting
from core.base.errors import UserError
from core.kinds import BASES, Uniform
from core.kinds.allocator import Allocator
from core.kinds.treatments import USUAL
from core.plan.spread import spread
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.store.profiles import Profile
from core.store.results import Array

TARGETS = tuple(round(0.05 * step, 2) for step in range(1, 19))  # what a largest loss is searched on


@dataclass(frozen=True)
class Grid:
    """What is tried. Uniform is always among the candidates."""

    bases: Callable[[float, int], Iterable[Allocator]]  # of a target and a number of layers
    strengths: tuple[float, ...] = ()  # of the correction of uniform, each with its reverse
    corrects_best: bool = False  # the same of the base that did best


# `quick` tries every method once, `full` the whole grid of a method's paper or published commands; what is ours gets no
# more than that. More tries can win by luck on the selection text alone: the final text knows of none of them.
GRIDS = {
    "quick": Grid(lambda *of: chain(*(form.quick(*of) for form in BASES.values())), (0.04,)),
    "full": Grid(lambda *of: chain(*(form.full(*of) for form in BASES.values())), (0.02, 0.04), corrects_best=True),
}


def candidates(grid: Grid, pruner: str, target: float, layers: int, seed: int) -> tuple[Setting, ...]:
    """Uniform, every base of the grid, and the corrections of uniform, each once."""
    bases = [Uniform()]
    for base in grid.bases(target, layers):
        curves = {"pruner": pruner} if "pruner" in type(base).model_fields else {}  # that it goes by
        bases.append(base.model_copy(update=curves))
    asked = (AllocationRequest(base=base, target=target) for base in bases)
    plain = [Setting(pruner=pruner, allocation=each, calibration_seed=seed) for each in asked]
    return tuple(dict.fromkeys([*plain, *corrections(plain[0], grid.strengths)]))


def corrections(setting: Setting, strengths: Iterable[float]) -> tuple[Setting, ...]:
    """A plain setting with the absorption-aware correction on top, and with its reverse, at some strengths."""
    corrected = setting.allocation.corrected(strengths, ("none", "reversed"))
    return tuple(setting.model_copy(update={"allocation": each}) for each in corrected)


def most_candidates(grid: Grid, target: float, layers: int) -> int:
    """How many there are at most, the corrections of the best base included."""
    return len(candidates(grid, USUAL, target, layers, 0)) + (2 * len(grid.strengths) if grid.corrects_best else 0)


def possible(asked: Sequence[Setting], parameters: Array, profile: Profile) -> tuple[tuple[Setting, ...], list[str]]:
    """The candidates whose budget can be spread, and a note on each of the others.

    Args:
        parameters: (layers, linears) prunable weights.
    """
    kept, notes = [], []
    for setting in asked:
        try:
            spread(setting.allocation, parameters, profile)
        except UserError as reason:
            notes.append(f"{naming.long(setting.allocation)} is left out: {reason}")
        else:
            kept.append(setting)
    return tuple(kept), notes


# --- choosing ------------------------------------------------------------------------------------------------------


def ranked(study: Evaluations) -> list[EvaluatedSetting]:
    """A study's pruned points, the least mean loss first; of equals the one asked first; broken ones are left out."""
    sound = [each for each in study.singles if each.setting is not None and math.isfinite(each.loss)]
    return sorted(sound, key=lambda each: each.loss)


def choose(study: Evaluations) -> tuple[Setting, Setting | None]:
    """The winner of a selection study, and the best setting of another base allocator.

    Raises:
        UserError: every candidate broke the model.
    """
    order = [each.setting for each in ranked(study)]
    if not order:
        raise UserError("every candidate broke the model: its losses are not finite; ask for a lower target")
    kind = order[0].allocation.base.kind
    return order[0], next((each for each in order if each.allocation.base.kind != kind), None)


def best_base(study: Evaluations) -> Setting:
    """The best setting without a correction.

    Raises:
        UserError: as `choose`.
    """
    choose(study)
    return next(each.setting for each in ranked(study) if not each.setting.allocation.correction.strength)


def loss(study: Evaluations, setting: Setting) -> float:
    """Rise of the perplexity over the dense model's, a fraction of it."""
    return study.single(setting).perplexity / study.dense.perplexity - 1


def kept_by_uniform(trials: Iterable[Mapping], max_loss: float) -> float | None:
    """The largest target tried at which uniform kept within a loss on the selection text; None: at none of them.

    Args:
        trials: each with its `target` and, unless it is not known, the `uniform` loss there.
    """
    known = [each for each in trials if each.get("uniform") is not None]
    return max((each["target"] for each in known if each["uniform"] <= max_loss), default=None)


def largest(targets: Sequence[float], fits: Callable[[float], bool]) -> float | None:
    """The largest target that fits, by bisection: what fits at a target is taken to fit at every lower one.

    Args:
        targets: ascending.

    Returns:
        None if even the lowest does not fit.
    """
    low, high = -1, len(targets)  # targets[low] fits, targets[high] does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(targets[middle]) else (low, middle)
    return None if low < 0 else targets[low]
