"""Chapter 2: drift on its way through the network, and that it is not harm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.results import propagation
from core.results.comparison import spearman
from core.show.figures.labels import percent, times
from core.show.lessons.marks import EVERY, among, of, ref
from core.show.lessons.shared import Scale, between, mean, noise, scale, usual
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Spread:
    """Drift on its way through the network."""

    sizes: Scale
    drift: Array  # (steps, injection, read), geometric means; NaN below the diagonal
    notes: tuple[str, ...]  # (steps) that drift is not harm, at the measured size nearest to each
    at: int  # the step of the usual size

    @property
    def said(self) -> str:
        return self.notes[self.at]

    @property
    def remaining(self) -> Array:
        """(steps, injection, read) drift as a multiple of that where the noise entered."""
        return self.drift / np.diagonal(self.drift, axis1=1, axis2=2)[:, :, None]


def drift(profile: Profile) -> Spread:
    """Drift curves for noise of every size.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    logs = np.stack([np.log(propagation.curves(profile.seeds(name)).value) for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    told = dict(zip(sizes.measured, (drift_is_not_harm(profile, *each) for each in measured.items()), strict=True))
    notes = tuple(told[sizes.nearest(step)] for step in range(len(sizes.values)))
    return Spread(sizes, np.exp(between(sizes, logs)), notes, sizes.measured[usual(list(measured))])


def drift_is_not_harm(profile: Profile, size: float, name: str) -> str:
    """How well the drift that reaches the last layer predicts harm, over layers, and two layers that it misjudges."""
    seeds = profile.seeds(name)
    final = propagation.curves(seeds).value[:, -1]
    harm = mean(seeds, "kl")
    agreement = spearman(final, harm)
    if not math.isfinite(agreement):
        return "Drift is not harm, but here one of them is the same for every layer, so they cannot be compared."
    said = (
        f"Drift is not harm to the predictions. At size {ref(f'{size:g}', 'control-noise')}, the rank correlation "
        f"between final drift and harm is {ref(f'{agreement:.2f}', EVERY)} over all layers."
    )
    pair = misjudged(final, harm)
    if pair is None:
        return f"{said} In this profile, more drift at the end always comes with more harm."
    loud, quiet = pair
    compared = times(final[loud] / final[quiet]), percent(1 - harm[loud] / harm[quiet])
    more, less = (among((loud, quiet), each) for each in compared)
    return (
        f"{said} Noise after layer {of(loud)} ends with {more} the drift of noise after layer {of(quiet)}, "
        f"but does {less} less harm."
    )


def misjudged(final: Array, harm: Array) -> tuple[int, int] | None:
    """The two layers that drift ranks most wrongly: (more drift, more harm); None where it ranks all rightly.

    Args:
        final, harm: (layers,) positive.
    """
    more_drift = np.log(final)[:, None] - np.log(final)[None, :]
    more_harm = np.log(harm)[None, :] - np.log(harm)[:, None]
    wrong = np.nan_to_num(np.minimum(more_drift, more_harm), nan=-1.0)
    if wrong.max() <= 0:
        return None
    loud, quiet = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(loud), int(quiet)
