"""Chapter 1: what noise at one layer does to the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.lessons.shared import Scale, between, mean, noise, scale, usual
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Hit:
    """What noise at one layer does to the model's predictions."""

    sizes: Scale
    flips: Array  # (steps, layers) fraction of next-token predictions that change
    said: str


def perturb(profile: Profile) -> Hit:
    """Noise of every size at every layer.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    flips = np.stack([mean(profile.seeds(name), "flips") for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    return Hit(sizes, between(sizes, flips), _hit_said(list(measured), flips))


def _hit_said(measured: Sequence[float], flips: Array) -> str:
    at = usual(measured)
    most, least = int(flips[at].argmax()), int(flips[at].argmin())
    said = (
        f"The same noise, size {measured[at]:g}, changes {flips[at][most]:.0%} of the predictions at layer {most} but "
        f"{flips[at][least]:.0%} at layer {least}: where a network is hit matters."
    )
    if len(measured) > 1:
        said += f" At size {measured[0]:g} no layer changes more than {flips[0].max():.1%} of them."
    return said
