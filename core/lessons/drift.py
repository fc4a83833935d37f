"""Chapter 2: drift on its way through the network, and that it is not harm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.analysis import propagation
from core.analysis.comparison import spearman
from core.lessons.shared import Scale, between, mean, noise, scale, usual
from core.specs.formats import digits
from core.store.profiles import Profile
from core.store.results import Array


@dataclass(frozen=True, eq=False)
class Spread:
    """Drift on its way through the network."""

    sizes: Scale
    drift: Array  # (steps, injection, read), geometric means; NaN below the diagonal
    said: str


def drift(profile: Profile) -> Spread:
    """Drift curves for noise of every size.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    logs = np.stack([np.log(propagation.curves(profile.seeds(name)).value) for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    name = measured[list(measured)[usual(list(measured))]]
    return Spread(sizes, np.exp(between(sizes, logs)), drift_is_not_harm(profile, name))


def drift_is_not_harm(profile: Profile, name: str) -> str:
    """How well the drift that reaches the end tells the harm, over the layers hit; two layers that it misjudges."""
    seeds = profile.seeds(name)
    final = propagation.curves(seeds).value[:, -1]
    harm = mean(seeds, "kl")
    agreement = spearman(final, harm)
    if not math.isfinite(agreement):
        return "Drift is not harm, but here one of them is the same for every layer, so that they cannot be compared."
    said = f"Drift is not harm: over the layers hit, the rank correlation of final drift and harm is {agreement:.2f}."
    pair = misjudged(final, harm)
    if pair is None:
        return f"{said} In this profile more drift at the end always comes with more harm."
    loud, quiet = pair
    return (
        f"{said} Noise at layer {loud} ends with {digits(final[loud] / final[quiet])} times the drift of noise at "
        f"layer {quiet}, yet does only {digits(harm[loud] / harm[quiet])} times the harm."
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
