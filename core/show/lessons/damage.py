"""Chapters 1, 2, 5 and 6: noise at one layer and its drift; the correction on top of OWL, layers pruned alone."""

import math

import numpy as np

from core.base import digits, per_cent, times
from core.plan import check_finite, drift_curves, per_layer, responses, unreadable
from core.results import spearman
from core.show.lessons.shared import (
    LAYERS,
    TARGET,
    Lesson,
    at_layer,
    at_layers,
    check_several,
    default_index,
    noise,
    ref,
)
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


# --- budgets -------------------------------------------------------------------------------------------------------


def is_predicted(perplexity: Array | None) -> bool:
    """True if every step has a predicted perplexity."""
    return perplexity is not None and bool(np.isfinite(perplexity).all())


def obvious(perplexity: Array | None) -> str:
    """Sentence on the obvious idea, and what becomes of it where that is predicted.

    Args:
        perplexity: (steps,) predicted, the full correction last and none in the middle; None: nothing predicts.
    """
    idea = "let layers that absorb lose more weights"
    if perplexity is None or not is_predicted(perplexity):
        return f"The obvious idea: {idea}."
    last = len(perplexity) - 1
    before, after = (ref(digits(perplexity[step], 3), f"gauge-{step}") for step in (last // 2, last))
    fate = "fails" if perplexity[last] >= perplexity[last // 2] else "works here"
    return f"**The obvious idea {fate}**: {idea}, and perplexity goes from {before} to {after}."


def unpredicted(perplexity: Array | None) -> str:
    """Reason that steps have no predicted perplexity; empty where all have one."""
    if perplexity is None:
        return "No perplexity is predicted: too few settings of this model were evaluated by Wanda."
    if not is_predicted(perplexity):
        return "Some of these allocations exceed the largest sparsity measured, so not all can be predicted."
    return ""


def prune(profile: Profile) -> Lesson:
    """Harm of pruning each layer alone by Wanda at every sparsity, KL divergence in nats.

    Raises:
        UserError: fewer than two sparsities were measured, the model has one layer, or a harm is not finite.
    """
    check_several(profile)
    measured, harm = responses.measured(profile, "wanda", "kl")
    check_finite(harm)
    at = int(np.abs(measured - TARGET).argmin())
    notes = tuple(_alone_sentence(*each) for each in zip(measured, harm.T, strict=True))
    return Lesson(notes, at, measured.tolist(), harm.T)


def _alone_sentence(sparsity: float, harm: Array) -> str:
    worst, half = int(harm.argmax()), float(np.median(harm))
    zeros = ref(per_cent(sparsity), "control-zeros")
    if unreadable(harm[worst]):
        return f"Pruned alone to {zeros} zeros, no layer does more harm than rounding can."
    cost = at_layer(worst, digits(harm[worst]))
    text = f"Pruned alone to {zeros} zeros, layer {at_layer(worst)} hurts most: {cost} nats"
    if unreadable(half):
        return f"{text}; half of the layers do no more than rounding can."
    return f"{text}, {ref(times(harm[worst] / half), LAYERS)} the median."


def rank(harm: Array, layer: int) -> str:
    """Rank of a layer among all, the most harm first: `8 of 30`."""
    return f"{int((harm > harm[layer]).sum()) + 1} of {len(harm)}"
