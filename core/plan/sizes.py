"""Bytes of a model in each number format, counted without reading weights."""

import math

import numpy as np

from core.base import UserError, listed, megabytes
from core.methods import HALF, LAYERS, OUTSIDE, QUANT_FORMATS, Treatment
from core.plan.allocation import limits
from core.requests import AllocationRequest, BestRequest, Counts

FINEST = 100_000  # parts of a share that a budget in bytes is met by


DENSE, MASKED, PATTERN, SMALLEST = "float16", "float16, zeros as a bitmask", "2:4", "Q4_0"


def total(counts: Counts, bits: float, gguf: bool, gone: float = 0.0, outside: str = OUTSIDE) -> int:
    """Bytes of all weights, without the names, settings and vocabulary that a file holds beside them.

    What lies beside the linears has half precision, but in a GGUF file of few bits matrices the type `outside`, and
    vectors of any have full.

    Args:
        bits: the mean over the linears' weights, with scales and zero points.
        gone: the share of layers that are left out.
        outside: GGUF type of embeddings and output matrix.
    """
    vectors = (counts.vectors - gone * counts.inner) * (4 if gguf else 2)
    beside = QUANT_FORMATS[outside].bits_per_weight if gguf and bits < HALF else HALF
    return round((counts.linears * bits + counts.matrices * beside) / 8 + vectors)


def taken(counts: Counts, treatment: Treatment, share: float, outside: str = OUTSIDE) -> int:
    """Bytes of all weights at a share saved of the linears' weights."""
    return total(
        counts,
        treatment.stored(share),
        treatment.budget_unit.in_gguf,
        share * (treatment.budget_unit is LAYERS),
        outside,
    )


def with_target(request: AllocationRequest, counts: Counts, treatment: Treatment) -> AllocationRequest:
    """The request with the least target, to five decimals, at which all weights take no more than its bytes.

    Raises:
        UserError: no target meets them: not even the upper bound does, or less than the lower one would do.
    """
    most, bounds = request.at_most, limits(request)
    least, greatest = (taken(counts, treatment, share, request.outside) for share in reversed(bounds))
    share = float(np.interp(most, [least, greatest], [bounds.high, bounds.low]))  # a straight line of bits
    greatest = min(greatest, total(counts, HALF, False))
    if not least <= most <= greatest:
        levels = listed(map(treatment.budget_unit.phrase, reversed(bounds)), "to")
        ends = f"{megabytes(least, math.ceil)} to {megabytes(greatest, math.floor)}"
        raise UserError(f"{megabytes(most)} cannot be met: from {levels} this model's weights take {ends}")
    target = math.floor(share * FINEST) / FINEST
    if taken(counts, treatment, target, request.outside) > most:
        target = min(round(target + 1 / FINEST, 5), bounds.high)
    return request.replace(target=target, at_most=None)


def within_bytes(request: BestRequest, counts: Counts) -> BestRequest:
    """The search with the target at which all weights take no more than its bytes; as it is where it names none.

    Raises:
        UserError: as `with_target`.
    """
    if request.at_most is None:
        return request
    wish = AllocationRequest(currency=request.budget_unit.name, at_most=request.at_most)
    return request.replace(target=with_target(wish, counts, Treatment(request.pruner)).target, at_most=None)


def sizes(
    counts: Counts, own: str, bits: float, gguf: bool = False, gone: float = 0.0, outside: str = OUTSIDE
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
