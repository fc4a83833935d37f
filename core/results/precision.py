"""What the precision of a run leaves readable: the noise floor of its dtype, and the verdicts that drown in it."""

from __future__ import annotations

import numpy as np

from core.base.formats import digits, per_cent
from core.plan.gains import gains_of
from core.results import findings, propagation
from core.store.profiles import Profile
from core.store.results import Array


def finding(profile: Profile, name: str) -> str:
    """The finding on one perturbation, and which of its layers drown in rounding.

    Args:
        name: a perturbation that was measured, as `gaussian:0.3`.
    """
    layers = np.flatnonzero(drowned(profile, name)[:-1]).tolist()
    said = findings.finding(gains_of(profile.seeds(name)))
    if not layers:
        return said
    what = "of every layer" if len(layers) == profile.layers - 1 else f"of {findings.named(layers)}"
    return (
        f"{said} The drift {what} is below {propagation.FLOOR_MARGIN} times the noise floor: it may be rounding alone."
    )


def drowned(profile: Profile, name: str) -> Array:
    """Whether the drift at the last layer is under ten times what rounding alone does there: (layers,) bool."""
    return propagation.below_floor(profile.seeds(name), profile.floor.drift)[:, -1]


def rounding(profile: Profile) -> str:
    """What rounding alone does in half precision, in a sentence; empty in float32."""
    dtype, floor = profile.spec.model.dtype, profile.floor
    if dtype == "float32":
        return ""
    drift, distance = np.nanmedian(floor.drift[:, -1]), floor.half_precision[-1]
    return (
        f"In {dtype} rounding alone makes a drift of {digits(drift)} at the last layer (the noise floor, median over "
        f"layers), and the clean stream there is {per_cent(distance)} away from its float32 run."
    )
