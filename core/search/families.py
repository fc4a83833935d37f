"""From the allocation in view to the list of settings that a study evaluates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.ask.allocations import AllocationRequest
from core.ask.settings import Setting
from core.base.errors import UserError
from core.base.spec import checked
from core.kinds import METHODS
from core.kinds.treatments import Treatment
from core.plan.spread import allocate
from core.store.profiles import Profile

WHAT = {"alone": "this setting", "family": "this family: the correction and its controls", "methods": "all allocators"}
CONTROLS = {"reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}
LARGEST_STRENGTH = 0.5


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


def steps(greatest: float, count: int) -> list[float]:
    """Strengths from 0 to the greatest, both included.

    Raises:
        UserError: fewer than two, or a greatest strength outside 0 to 0.5.
    """
    if not 0 < greatest <= LARGEST_STRENGTH or count < 2:
        raise UserError("strengths go from 0 to at most 0.5 in two steps or more, as in 0.1 in 6 steps")
    return [round(float(each), 6) for each in np.linspace(0, greatest, count)]


def methods(
    asked: AllocationRequest, targets: Iterable[float], profile: Profile
) -> tuple[list[AllocationRequest], list[str]]:
    """Every base allocator at every target, the chosen one as set and corrected as set, the others as published.

    Returns:
        The allocations, and a sentence for each that this profile or these bounds do not allow.
    """
    found, left_out = [], {}
    for target in targets:
        for kind, method in METHODS.items():
            mine = kind == asked.base.kind
            wanted = asked.model_copy(update={"base": asked.base if mine else method(), "target": target})
            for each in alone(wanted) if mine else [wanted.plain]:
                try:
                    allocate(each, profile)
                except UserError as error:
                    left_out.setdefault(f"{method.label} is left out: {error}")
                else:
                    found.append(each)
    return found, list(left_out)


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
    return tuple(
        checked(
            Setting,
            pruner=pruner,
            repair=repair,
            allocation=allocation,
            pattern=pattern,
            true_sequential=true_sequential,
            calibration_seed=seed,
        )
        for allocation in allocations
        for seed in used
    )
