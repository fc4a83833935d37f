"""Bytes of a model in each number format, counted without reading weights."""

import math
from itertools import product

import numpy as np

from core.base import Array, UserError, megabytes, unique
from core.methods import HALF, LAYERS, OUTSIDE, QUANT_FORMATS, Treatment, level_at, outside_types
from core.plan import responses
from core.plan.allocation import limits, linear_parameters
from core.plan.solvers import Choices, hull_of_levels, least_harm
from core.requests import AllocationRequest, BestRequest, Counts
from core.store import Profile

FINEST = 100_000  # parts of a share that a budget in bytes is met by


DENSE, MASKED, PATTERN, SMALLEST = "float16", "float16, zeros as a bitmask", "2:4", "Q4_0"


def total(counts: Counts, bits: float, gguf: bool, gone: float = 0.0, outside: str | None = None) -> int:
    """Bytes of all weights, without the names, settings and vocabulary that a file holds beside them.

    What lies beside the linears has half precision, but in a GGUF file of few bits matrices the types `outside`, and
    vectors of any have full.

    Args:
        bits: the mean over the linears' weights, with scales and zero points.
        gone: the share of layers that are left out.
        outside: GGUF types of embeddings and output matrix; None: `OUTSIDE`.
    """
    vectors = (counts.vectors - gone * counts.inner) * (4 if gguf else 2)
    types = (QUANT_FORMATS[name].bits_per_weight for name in outside_types(outside or OUTSIDE))
    embeddings, head = types if gguf and bits < HALF else (HALF, HALF)
    matrices = (counts.matrices - counts.head) * embeddings + counts.head * head
    return round((counts.linears * bits + matrices) / 8 + vectors)


def taken(counts: Counts, treatment: Treatment, share: float, outside: str | None = None) -> int:
    """Bytes of all weights at a share saved of the linears' weights."""
    return total(
        counts,
        treatment.stored(share),
        treatment.budget_unit.in_gguf,
        share * (treatment.budget_unit is LAYERS),
        outside,
    )


def with_target(
    request: AllocationRequest, counts: Counts, treatment: Treatment, profile: Profile | None = None
) -> AllocationRequest:
    """The request with the least target, to five decimals, at which all weights take no more than its bytes.

    Types of the matrices outside the layers are chosen first, see `with_outside`.

    Raises:
        UserError: no target meets them: not even the upper bound does, or less than the lower one would do.
    """
    most, bounds, before = request.at_most, limits(request), request.outside
    request = with_outside(request, counts, treatment, profile)
    least, greatest = (taken(counts, treatment, share, request.outside) for share in reversed(bounds))
    share = float(np.interp(most, [least, greatest], [bounds.high, bounds.low]))  # a straight line of bits
    greatest = min(taken(counts, treatment, bounds.low, before), total(counts, HALF, False))
    wanted, (mildest, harshest) = megabytes(most), map(treatment.budget_unit.phrase, bounds)
    if most < least:
        raise UserError(f"{wanted} cannot be met: even at {harshest} this model takes {megabytes(least, math.ceil)}")
    if most > greatest:
        ends = megabytes(greatest, math.floor)
        raise UserError(f"{wanted} is more than this model takes at {mildest}: ask for {ends} or less")
    target = math.floor(share * FINEST) / FINEST
    if taken(counts, treatment, target, request.outside) > most:
        target = min(round(target + 1 / FINEST, 5), bounds.high)
    outside = before or (request.outside if request.outside != OUTSIDE else None)
    return request.replace(target=target, at_most=None, outside=outside)


def within_bytes(
    request: BestRequest, counts: Counts, profile: Profile | None, outside: str | None = None
) -> AllocationRequest:
    """Uniform with the target, and the types outside the layers, that a search for a size begins with.

    Args:
        outside: these types; None: the best, where the profile tells.

    Raises:
        UserError: as `with_target`.
    """
    wish = AllocationRequest(currency=request.budget_unit.name, at_most=request.at_most, outside=outside)
    return with_target(wish, counts, Treatment(request.pruner), profile)


def check_bytes(request: BestRequest, counts: Counts) -> None:
    """Refuse a search for a size that no types meet, whatever the profile will tell.

    Raises:
        UserError: as `with_target`.
    """
    if request.at_most is not None:
        unit, outside = request.budget_unit, None
        if unit.in_gguf and request.at_most < taken(counts, Treatment(request.pruner), unit.shares[-1]):
            *_, outside = (each.name for each in unit.levels if not each.format.needs_importance)
        within_bytes(request, counts, None, outside)


def sizes(
    counts: Counts, own: str, bits: float, gguf: bool = False, gone: float = 0.0, outside: str | None = None
) -> dict[str, int]:
    """Bytes by form: dense, the form of the pruned or rounded model, and others of few bits.

    Args:
        own: what that form is called.
        bits: a weight of it, on average.
        gone: the share of layers that it leaves out.
        outside: as of `total`.
    """
    dense = {DENSE: total(counts, HALF, False), own: total(counts, bits, gguf, gone, outside)}
    return dense | {name: total(counts, QUANT_FORMATS[name].bits_per_weight, True) for name in ("Q8_0", SMALLEST)}


# --- types of the matrices outside the layers, as units of a budget in bytes -----------------------------------------


def with_outside(
    request: AllocationRequest, counts: Counts, treatment: Treatment, profile: Profile | None
) -> AllocationRequest:
    """The request with the types of least harm at its bytes, where none are chosen by hand and the profile tells.

    Every choice of them leaves the linears a budget, and the least harm that these do for it; what each linear gets is
    planned afterwards.

    Args:
        request: of a budget in bytes, `at_most`.
        profile: None, or one without that sketch, leaves the request as it is.
    """
    unit = treatment.budget_unit
    if request.outside or not (unit.in_gguf and profile and profile.outside):
        return request
    weights = [counts.matrices - counts.head, counts.head][: len(profile.outside.change)]
    shares, harm = responses.at_levels(profile, responses.pruner_with_curves(profile, True, unit), "kl", True)
    names = [level_at(unit.levels, share).name for share in shares]
    harms = np.stack([outside_harms(profile, name) for name in names], axis=1)
    if not all(weights) or np.isnan(harms).all(axis=1).any():
        return request
    linears = hull_of_levels(Choices(linear_parameters(profile).ravel(), shares, harm))
    saved = HALF * (linears.weights.sum() + sum(weights)) - 8 * (request.at_most - 4 * counts.vectors)  # bits

    def total(levels):
        left = (saved - HALF * (weights @ shares[[*levels]])) / (HALF * linears.weights.sum())
        beyond = max(left - shares[-1], 0.0)  # no plan meets the budget: then the narrowest
        return beyond, sum(harms[range(len(levels)), levels]) + least_harm(linears, left)

    possible = product(*(np.flatnonzero(np.isfinite(each)) for each in harms))
    return request.replace(outside="/".join(unique(names[each] for each in min(possible, key=total))))


def outside_harms(profile: Profile, name: str) -> Array:
    """KL(dense || rounded) to a type of each matrix, nats to second order, (matrices,); NaN where it is not known."""
    names, change = profile.spec.outside.damages, profile.outside.change
    if name not in names:
        return np.full(len(change), np.nan)
    return (change[:, names.index(name)] ** 2).mean((1, 2)) / (2 * (profile.spec.text.length - 1))


def outside_harm(profile: Profile, types: str) -> float:
    """The same of types as in a request, in all; 0 where nothing is known of them."""
    if profile.outside is None:
        return 0.0
    rows = zip(range(len(profile.outside.change)), outside_types(types), strict=False)
    return float(np.nansum([outside_harms(profile, name)[row] for row, name in rows]))
