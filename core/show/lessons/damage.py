"""Chapters 1 and 2: what noise at one layer does to the predictions, and its drift through the network."""

import math

import numpy as np

from core.base import per_cent, times
from core.plan import drift_curves, per_layer
from core.results import spearman
from core.show.lessons.shared import LAYERS, Lesson, at_layer, at_layers, default_index, noise, ref
from core.store import Array, Profile


def perturb(profile: Profile) -> Lesson:
    """Fraction of next-token predictions that noise of every size changes, by the layer where it enters.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    flips = np.stack([per_layer(profile.seeds(name), "flips") for name in measured.values()])
    notes = tuple(_where(size, row) for size, row in zip(measured, flips, strict=True))
    return Lesson(notes, default_index(measured), list(measured), flips)


def _where(size: float, flips: Array) -> str:
    most, least, at = int(flips.argmax()), int(flips.argmin()), ref(f"{size:.2g}", "control-noise")
    share = at_layer(most, per_cent(flips[most]))
    if per_cent(flips[most]) == per_cent(flips[least]):
        return f"At size {at}, noise changes {share} of the predictions wherever it enters."
    return (
        f"Where the noise enters matters. At size {at}, it changes {share} of the predictions "
        f"after layer {at_layer(most)}, but {at_layer(least, per_cent(flips[least]))} after layer {at_layer(least)}."
    )


def drift(profile: Profile) -> Lesson:
    """Drift curves for noise of every size, (sizes, injection, read): geometric means, NaN below the diagonal.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    curves = np.stack([drift_curves(profile.seeds(name)).value for name in measured.values()])
    notes = tuple(drift_is_not_harm(profile, *each) for each in measured.items())
    return Lesson(notes, default_index(measured), list(measured), curves)


def drift_is_not_harm(profile: Profile, size: float, name: str) -> str:
    """Sentence: rank correlation of final drift and harm over layers, and the two layers that drift misjudges most."""
    seeds = profile.seeds(name)
    final = drift_curves(seeds).value[:, -1]
    harm = per_layer(seeds, "kl")
    agreement = spearman(final, harm)
    if not math.isfinite(agreement):
        return "Drift is not harm, but here one of them is the same for every layer, so they cannot be compared."
    text = (
        f"Drift is not harm to the predictions. At size {ref(f'{size:g}', 'control-noise')}, the rank correlation "
        f"between final drift and harm is {ref(f'{agreement:.2f}', LAYERS)} over all layers."
    )
    if (pair := misjudged(final, harm)) is None:
        return f"{text} In this profile, more drift at the end always comes with more harm."
    loud, quiet = pair
    compared = times(final[loud] / final[quiet]), per_cent(1 - harm[loud] / harm[quiet])
    more, less = (at_layers((loud, quiet), each) for each in compared)
    return (
        f"{text} Noise after layer {at_layer(loud)} ends with {more} the drift of noise after layer {at_layer(quiet)}, "
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
