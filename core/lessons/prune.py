"""Chapter 6: what pruning each layer alone does, and what the estimates make of whole allocations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.allocation.estimates import estimates
from core.allocation.owl import Owl
from core.allocation.response import Response
from core.allocation.spread import allocate
from core.analysis import responses
from core.lessons.shared import DRIVER, TARGET, Scale, between, scale
from core.specs.allocations import AllocationRequest, Correction, Uniform
from core.specs.formats import digits
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Alone:
    """What pruning each layer alone does to the output."""

    sparsities: Scale
    harm: Array  # (steps, layers) KL divergence, nats
    worst: int  # the layer that hurts most at the usual sparsity
    at: int  # the step of the usual sparsity
    said: str


def prune(profile: Profile) -> Alone:
    """One-layer harms by Wanda over sparsity.

    Raises:
        UserError: fewer than two sparsities were measured.
    """
    measured, harm = responses.measured(profile, "wanda", "kl")
    sparsities = scale(measured.tolist(), logarithmic=False)
    at = sparsities.measured[int(np.abs(measured - TARGET).argmin())]
    table = between(sparsities, harm.T)
    return Alone(sparsities, table, int(table[at].argmax()), at, _alone_said(sparsities.values[at], table[at]))


def _alone_said(sparsity: float, harm: Array) -> str:
    order = np.argsort(-harm)
    worst, next_worst = (int(each) for each in order[:2])
    return (
        f"Pruned alone to {sparsity:.0%} zeros, layer {worst} hurts most: {digits(harm[worst])} nats, "
        f"{digits(harm[worst] / harm[next_worst])} times the next, layer {next_worst}, and "
        f"{digits(harm[worst] / float(np.median(harm)))} times the median."
    )


def guessed(harm: Array, layer: int) -> str:
    """What is said to a guess of the layer that hurts most; harm is (layers,), nats."""
    rank = int((harm > harm[layer]).sum())
    worst = int(harm.argmax())
    if rank == 0:
        return f"Right: it is layer {layer}."
    return (
        f"You said layer {layer}, which is number {rank + 1} of {len(harm)} with {digits(harm[layer])} nats; "
        f"layer {worst} does {digits(harm[worst] / harm[layer])} times as much."
    )


def methods(profile: Profile) -> dict[str, float]:
    """Allocation -> additive estimate of its KL divergence at 70%, nats; NaN beyond what was measured.

    Raises:
        UserError: as `correction`.
    """
    corrected = Correction(strength=0.04, driver=DRIVER)
    asked = {
        "uniform": AllocationRequest(base=Uniform(), target=TARGET),
        "OWL": AllocationRequest(base=Owl(), target=TARGET),
        "OWL, corrected by 0.04": AllocationRequest(base=Owl(), target=TARGET, correction=corrected),
        "the response allocation": AllocationRequest(base=Response(objective="kl"), target=TARGET),
    }
    rows = np.stack([allocate(each, profile).sparsity for each in asked.values()])
    return dict(zip(asked, estimates(rows, profile, "kl").tolist(), strict=True))


def methods_said(told: dict[str, float]) -> str:
    """Which allocation the estimates prefer."""
    known = {name: value for name, value in told.items() if math.isfinite(value)}
    if len(known) < 2:
        return "These allocations go beyond the largest sparsity measured, so that they cannot be compared."
    best, worst = min(known, key=known.get), max(known, key=known.get)
    return (
        f"Added up over the layers, the estimate at {TARGET:.0%} zeros puts {best} first "
        f"({digits(known[best], 3)} nats) and {worst} last ({digits(known[worst], 3)}). Only pruning all layers at "
        "once and measuring tells whether that is so."
    )
