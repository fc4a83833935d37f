"""Chapter 6: what pruning each layer alone does, and what the estimates make of whole allocations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.ask.allocations import AllocationRequest, Correction
from core.base.formats import digits
from core.kinds import Uniform
from core.kinds.owl import Owl
from core.kinds.response import Response
from core.plan import responses
from core.plan.estimates import estimates
from core.plan.spread import allocate
from core.results.propagation import unreadable
from core.show.figures.labels import percent, times
from core.show.lessons.marks import EVERY, of, ref
from core.show.lessons.shared import DRIVER, TARGET, Scale, between, check_several, ordinal, scale
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Alone:
    """What pruning each layer alone does to the output."""

    sparsities: Scale
    harm: Array  # (steps, layers) KL divergence, nats
    worst: int  # the layer that hurts most at the usual sparsity
    at: int  # the step of the usual sparsity
    notes: tuple[str, ...]  # (steps) which layer hurts most

    @property
    def said(self) -> str:
        return self.notes[self.at]

    def judged(self, layer: int) -> tuple[str, ...]:
        """(steps) what is said to a guess of the layer that hurts most."""
        return tuple(_judged(*each, layer) for each in zip(self.sparsities.values, self.harm, strict=True))


def prune(profile: Profile) -> Alone:
    """One-layer harms by Wanda over sparsity.

    Raises:
        UserError: fewer than two sparsities were measured, the model has one layer, or a harm is not finite.
    """
    check_several(profile)
    measured, harm = responses.measured(profile, "wanda", "kl")
    responses.check_finite(harm)
    sparsities = scale(measured.tolist(), logarithmic=False)
    at = sparsities.measured[int(np.abs(measured - TARGET).argmin())]
    table = between(sparsities, harm.T)
    notes = tuple(_alone_said(*each) for each in zip(sparsities.values, table, strict=True))
    return Alone(sparsities, table, int(table[at].argmax()), at, notes)


def _alone_said(sparsity: float, harm: Array) -> str:
    worst, runner_up = (int(each) for each in np.argsort(-harm)[:2])
    zeros, half = ref(percent(sparsity), "control-zeros"), float(np.median(harm))
    if unreadable(harm[worst]):
        return f"Pruned alone to {zeros} zeros, no layer does more harm than rounding can."
    said = f"Pruned alone to {zeros} zeros, layer {of(worst)} hurts most: {of(worst, digits(harm[worst]))} nats"
    if unreadable(harm[runner_up]):
        return f"{said}; others do no more than rounding can."
    said += f", {of(worst, times(harm[worst] / harm[runner_up]))} the next (layer {of(runner_up)})"
    if unreadable(half):
        return f"{said}; half of the layers do no more than rounding can."
    return f"{said} and {ref(times(harm[worst] / half), EVERY)} the median."


def rank(harm: Array, layer: int) -> str:
    """Where a layer stands among all, the most harm first: `8th of 30`."""
    return f"{ordinal(int((harm > harm[layer]).sum()) + 1)} of {len(harm)}"


def _judged(sparsity: float, harm: Array, layer: int) -> str:
    worst = int(harm.argmax())
    zeros = ref(percent(sparsity), "control-zeros")
    if harm[layer] == harm[worst]:
        return f"**Right.** At {zeros} zeros, your pick, layer {of(layer)}, hurts most."
    more = of(worst, times(harm[worst] / harm[layer]))
    return (
        f"**Wrong.** At {zeros} zeros, your pick, layer {of(layer)}, ranks {of(layer, rank(harm, layer))} "
        f"({of(layer, digits(harm[layer]))} nats). Layer {of(worst)} does {more} the harm."
    )


def methods(profile: Profile) -> dict[str, float]:
    """Allocation -> additive estimate of its KL divergence at 70 %, nats; NaN beyond what was measured.

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
        return "These allocations exceed the largest sparsity measured, so they cannot be compared."
    (best, low), (worst, high) = (pick(known.items(), key=lambda each: each[1]) for pick in (min, max))
    return (
        f"Summed over layers, the estimate at {percent(TARGET)} zeros puts {best} first ({digits(low, 3)} nats) and "
        f"{worst} last ({digits(high, 3)} nats). Only pruning all layers at once can confirm it."
    )
