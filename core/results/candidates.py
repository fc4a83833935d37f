"""Settings to be tried, of a search and of a study that a page asks for, and how one is chosen. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.ask.settings import Setting, uniform
from core.base.errors import UserError
from core.base.spec import checked
from core.kinds import BASES, METHODS, Uniform
from core.kinds.allocator import Allocator
from core.kinds.treatments import Treatment
from core.plan.spread import linear_parameters, spread
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.store.profiles import Profile
from core.store.results import Array

WHAT = {"alone": "this setting", "family": "this family: the correction and its controls", "methods": "all allocators"}
CONTROLS = ("reversed", "shuffled", "ramp")
TARGETS = tuple(round(0.05 * step, 2) for step in range(1, 19))  # what a largest loss is searched on


@dataclass(frozen=True)
class Grid:
    """The allocations that a search tries. Uniform is always among them."""

    bases: Callable[[float, int], Iterable[Allocator]]  # of a target and a number of layers
    strengths: tuple[float, ...] = ()  # of the correction of uniform, each with its reverse
    corrects_best: bool = False  # the same of the base that did best


# `quick` tries every method once, `full` the whole grid of a method's paper or published commands; what is ours gets no
# more than that. More tries can win by luck on the selection text alone: the final text knows of none of them.
GRIDS = {
    "quick": Grid(lambda *of: chain(*(form.quick(*of) for form in BASES.values())), (0.04,)),
    "full": Grid(lambda *of: chain(*(form.full(*of) for form in BASES.values())), (0.02, 0.04), corrects_best=True),
}


def candidates(grid: Grid, pruner: str, target: float, layers: int) -> tuple[AllocationRequest, ...]:
    """Uniform, every base of the grid, and the corrections of uniform, each once."""
    plain = []
    for base in (Uniform(), *grid.bases(target, layers)):
        curves = {"pruner": pruner} if "pruner" in type(base).model_fields else {}  # that it goes by
        plain.append(AllocationRequest(base=base.model_copy(update=curves), target=target))
    return tuple(dict.fromkeys([*plain, *corrections(plain[0], grid)]))


def corrections(plain: AllocationRequest, grid: Grid) -> Iterator[AllocationRequest]:
    """A base with the absorption-aware correction on top, and with its reverse, at the strengths of the grid."""
    return plain.corrected(grid.strengths, ("none", "reversed"))


def possible(
    asked: Iterable[AllocationRequest], parameters: Array, profile: Profile | None
) -> tuple[list[AllocationRequest], list[str]]:
    """The allocations whose budget can be spread, and a note on each of the others.

    Args:
        parameters: (layers, linears) prunable weights.
    """
    kept, notes = [], []
    for each in asked:
        try:
            spread(each, parameters, profile)
        except UserError as reason:
            notes.append(f"{naming.long(each)} is left out: {reason}")
        else:
            kept.append(each)
    return kept, list(dict.fromkeys(notes))


def combined(
    allocations: Iterable[AllocationRequest],
    pruner: str,
    seeds: Sequence[int],
    pattern: str | None = None,
    true_sequential: bool = False,
    repair: str | None = None,
) -> tuple[Setting, ...]:
    """Every allocation with every calibration seed; a pruner that looks at no text needs but one.

    Raises:
        UserError: a pattern with an allocation that it does not allow.
    """
    used = seeds if Treatment(pruner, repair).reads_text else seeds[:1]
    how = {"pruner": pruner, "repair": repair, "pattern": pattern, "true_sequential": true_sequential}
    return tuple(
        checked(Setting, allocation=allocation, calibration_seed=seed, **how)
        for allocation in allocations
        for seed in used
    )


# --- a study of the allocation in view ------------------------------------------------------------------------------


def alone(asked: AllocationRequest) -> list[AllocationRequest]:
    """An allocation, its own base before it where it is corrected."""
    return [asked.plain, asked] if asked.correction.strength else [asked]


def family(
    asked: AllocationRequest, driver: str, strengths: Sequence[float], controls: Iterable[str], shuffles: int
) -> list[AllocationRequest]:
    """The base, and at every strength the correction and the controls beside it.

    Args:
        asked: its correction's clip is kept.
        driver: the perturbation whose gain drives the correction.
        shuffles: how many permutations the shuffled control gets.

    Raises:
        UserError: an allocation set by hand, which has no correction.
    """
    if asked.base.by_hand:
        raise UserError("an allocation set by hand has no correction: let the layers go, or evaluate this setting")
    how = {"driver": driver, "clip": asked.correction.clip}
    return [asked.plain, *asked.corrected(strengths, ("none", *controls), shuffles, **how)]


def methods(
    asked: AllocationRequest, targets: Iterable[float], profile: Profile
) -> tuple[list[AllocationRequest], list[str]]:
    """Every base allocator at every target, the chosen one as set and corrected as set, the others as published.

    Returns:
        The allocations, and a note on each that this profile or these bounds do not allow.
    """
    wanted = []
    for target in targets:
        here = asked.model_copy(update={"target": target})
        for kind, method in METHODS.items():
            mine = kind == asked.base.kind
            wanted += alone(here) if mine else [here.plain.model_copy(update={"base": method()})]
    return possible(wanted, linear_parameters(profile), profile)


# --- choosing ------------------------------------------------------------------------------------------------------


def ranked(study: Evaluations) -> list[EvaluatedSetting]:
    """A study's pruned points, the least mean loss first; of equals the one asked first; broken ones are left out.

    Raises:
        UserError: every candidate broke the model.
    """
    sound = [each for each in study.singles if each.setting is not None and math.isfinite(each.loss)]
    if not sound:
        raise UserError("every candidate broke the model: its losses are not finite; ask for a lower target")
    return sorted(sound, key=lambda each: each.loss)


def choose(study: Evaluations) -> tuple[Setting, Setting | None]:
    """The winner of a selection study, and the best setting of another base allocator.

    Raises:
        UserError: as `ranked`.
    """
    winner, *others = (each.setting for each in ranked(study))
    kind = winner.allocation.base.kind
    return winner, next((each for each in others if each.allocation.base.kind != kind), None)


def best_base(study: Evaluations) -> Setting:
    """The best setting without a correction.

    Raises:
        UserError: as `ranked`.
    """
    return next(each.setting for each in ranked(study) if not each.setting.allocation.correction.strength)


def loss(study: Evaluations, setting: Setting) -> float:
    """Rise of the perplexity over the dense model's, a fraction of it."""
    return study.single(setting).perplexity / study.dense.perplexity - 1


def fallback(winner: Setting, trials: Iterable[Mapping], max_loss: float | None) -> Setting:
    """Uniform where the winner does not hold: at the largest target tried at which it kept within the loss itself.

    The winner's twin where no loss was asked, or where uniform kept within it at no target.

    Args:
        trials: each with its `target` and, unless it is not known, the `uniform` loss there on the selection text.
    """
    known = [each for each in trials if max_loss is not None and each.get("uniform") is not None]
    target = max((each["target"] for each in known if each["uniform"] <= max_loss), default=None)
    return winner.uniform if target is None else winner.model_copy(update={"allocation": uniform(target)})


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
