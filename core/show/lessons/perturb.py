"""Chapter 1: what noise at one layer does to the predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.show.figures.labels import percent
from core.show.lessons.marks import of, ref
from core.show.lessons.shared import Scale, between, mean, noise, scale, usual
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Noise:
    """What noise at one layer does to the model's predictions."""

    sizes: Scale
    flips: Array  # (steps, layers) fraction of next-token predictions that change
    notes: tuple[str, ...]  # (steps) which layers matter most and least
    faint: str  # what the weakest noise does
    at: int  # the step of the usual size

    @property
    def said(self) -> str:
        return self.notes[self.at]


def perturb(profile: Profile) -> Noise:
    """Noise of every size at every layer.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    flips = np.stack([mean(profile.seeds(name), "flips") for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    table = between(sizes, flips)
    notes = tuple(_where(size, row) for size, row in zip(sizes.values, table, strict=True))
    return Noise(sizes, table, notes, _faint(sizes, flips[0]), sizes.measured[usual(list(measured))])


def _where(size: float, flips: Array) -> str:
    most, least, at = int(flips.argmax()), int(flips.argmin()), ref(f"{size:.2g}", "control-noise")
    if percent(flips[most]) == percent(flips[least]):
        return f"At size {at}, noise changes {of(most, percent(flips[most]))} of the predictions wherever it enters."
    return (
        f"Where the noise enters matters. At size {at}, it changes "
        f"{of(most, percent(flips[most]))} of the predictions after layer {of(most)}, but "
        f"{of(least, percent(flips[least]))} after layer {of(least)}."
    )


def _faint(sizes: Scale, flips: Array) -> str:
    """Empty where one size alone was measured."""
    if len(sizes.measured) == 1:
        return ""
    least, most = (ref(each, "stop-noise-0") for each in (f"{sizes.values[0]:g}", percent(flips.max(), 1)))
    return f"At size {least}, no layer changes more than {most} of them."
