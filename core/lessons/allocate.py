"""Chapter 5: the correction and its reverse, on top of OWL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.allocation.estimates import estimates
from core.allocation.owl import Owl
from core.allocation.spread import family
from core.lessons.shared import DRIVER, TARGET
from core.specs.allocations import AllocationRequest, Correction
from core.specs.formats import digits
from core.store.profiles import Profile
from core.store.results import Array

LARGEST_PUSH = 0.1  # sparsity units, the correction's strength at the ends of the slider
PUSHES = 51  # steps on either side of none


@dataclass(frozen=True, eq=False)
class Push:
    """The correction and, on the left of zero, its reverse, on top of OWL."""

    request: AllocationRequest  # without correction
    strengths: Array  # (steps,) sparsity units; negative: the reversed control
    base: Array  # (layers,)
    rows: Array  # (steps, layers)
    harm: Array  # (steps,) additive estimate of the KL divergence, nats
    said: str


def correction(profile: Profile) -> Push:
    """OWL at 70% with the correction pushed either way.

    Raises:
        UserError: the model cannot be pruned, or the profile lacks the driver or the residuals of two sparsities.
    """
    plain = AllocationRequest(base=Owl(), target=TARGET)
    half = np.linspace(0, LARGEST_PUSH, PUSHES).round(6)
    sides = []
    for control in ("reversed", "none"):
        asked = plain.model_copy(update={"correction": Correction(driver=DRIVER, control=control)})
        sides.append(family(asked, profile, half))
    rows = np.concatenate([sides[0][:0:-1], sides[1]])
    strengths = np.concatenate([-half[:0:-1], half])
    harm = estimates(rows, profile, "kl")
    return Push(plain, strengths, rows[PUSHES - 1], rows, harm, _push_said(strengths, harm))


def _push_said(strengths: Array, harm: Array) -> str:
    if not np.isfinite(harm).all():
        return "Some of these allocations go beyond the largest sparsity measured, so that not all can be estimated."
    middle, best = harm[len(harm) // 2], int(harm.argmin())
    ends = {"the correction": harm[-1], "its reverse": harm[0]}
    better = min(ends, key=ends.get)
    said = (
        f"At full strength the estimate is {digits(ends['the correction'], 3)} nats with the correction and "
        f"{digits(ends['its reverse'], 3)} with its reverse, against {digits(middle, 3)} with neither"
    )
    if abs(strengths[best]) < 1e-12:
        verdict = "it prefers to correct nothing"
    else:
        side = "correction" if strengths[best] > 0 else "reverse"
        verdict = f"it prefers the {side}, at strength {abs(strengths[best]):.3f}"
    said += f": {verdict}" + (f", and of the two at full strength {better}." if best not in (0, len(harm) - 1) else ".")
    return f"{said} A correction must be measured before it is trusted: this is a sum over layers pruned alone."
