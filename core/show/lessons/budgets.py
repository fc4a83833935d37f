"""Chapters 5 and 6: the correction on top of OWL, and what pruning each layer alone does."""

import numpy as np

from core.base import digits, per_cent, times
from core.plan import check_finite, responses, unreadable
from core.show.lessons.shared import LAYERS, TARGET, Lesson, at_layer, check_several, ref
from core.store import Array, Profile


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
