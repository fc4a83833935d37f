"""Chapter 5: the correction and its reverse, on top of OWL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.ask.allocations import AllocationRequest, Correction
from core.base.formats import digits
from core.kinds.owl import Owl
from core.plan.estimates import estimates
from core.plan.spread import family
from core.show.lessons.marks import ref
from core.show.lessons.shared import DRIVER, TARGET
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

    @property
    def best(self) -> int:
        """The step whose estimate is lowest."""
        return _lowest(self.harm)


def correction(profile: Profile) -> Push:
    """OWL at 70 % with the correction pushed either way.

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


def _lowest(harm: Array) -> int:
    """The lowest step, of equals the one that corrects least; the first where one is not known."""
    if not np.isfinite(harm).all():
        return int(harm.argmin())
    lowest = np.flatnonzero(np.isclose(harm, harm.min(), rtol=1e-9, atol=0))
    return int(lowest[np.abs(lowest - len(harm) // 2).argmin()])


def _push_said(strengths: Array, harm: Array) -> str:
    if not np.isfinite(harm).all():
        return "Some of these allocations exceed the largest sparsity measured, so not all can be estimated."
    last, middle, best = len(harm) - 1, len(harm) // 2, _lowest(harm)
    with_it, reverse, alone = (ref(digits(harm[step], 3), f"gauge-{step}") for step in (last, 0, middle))
    full = ref(f"{strengths[last]:g}", "gauge-0", f"gauge-{last}")
    return (
        f"At strength {full}, the estimated harm is {with_it} nats with the correction and {reverse} with its reverse, "
        f"against {alone} for OWL alone. The estimate favours {_favoured(strengths[best], best)}."
    )


def _favoured(strength: float, step: int) -> str:
    if abs(strength) < 1e-12:
        return "no correction"
    side = "the correction" if strength > 0 else "the reverse"
    return f"{side}, at strength {ref(f'{abs(strength):g}', f'gauge-{step}')}"
