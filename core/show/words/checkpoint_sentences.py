"""Sentences on where another checkpoint went wrong: layers, settings that differ, and the worst tensors."""

import numpy as np

from core.base import capital, digits, per_cent
from core.results.checkpoints import Compared
from core.results.suspects import WORST, Suspect, suspects
from core.show.words.gain_sentences import named


def of_checkpoint(comparison: Compared) -> list[str]:
    """All that is said of a comparison, a sentence each."""
    return [worst(comparison), parting(comparison), cost(comparison), weighed(comparison)]


def worst(comparison: Compared) -> str:
    """One sentence: the layer and the tensor that went wrong, and their cost."""
    if not comparison.weights.error.any():
        return "Every layer is equal in both: they differ outside the layers only."
    layer, odd = comparison.ranking[0], np.flatnonzero(comparison.odd).tolist()
    tensor, cost = comparison.tensor(layer), _cost_of(comparison, layer)
    name, error = comparison.tensors[tensor], per_cent(comparison.weights.error[layer, tensor])
    if not odd:
        harm = f"Layer {layer} does the most harm: {cost}; its largest error is {error}, of {name}."
        return f"No layer's weights stand out. {harm}"
    most = f"stand out, and layer {layer} does the most harm of them" if len(odd) > 1 else "stands out"
    usual = f"where the median layer's differs by {per_cent(comparison.usual[tensor])}"
    return f"{capital(named(odd))} {most}: its {name} differs by {error}, {usual}; {cost}."


def _cost_of(comparison: Compared, layer: int) -> str:
    """The cost of one layer alone, beside the median one."""
    harm, median = comparison.harm[layer], float(np.median(comparison.harm))
    if not harm:
        return "this layer alone costs no more than rounding"
    times = f"{digits(harm / median)}× the median layer" if median else "and the median layer costs none"
    return f"this layer alone costs {digits(harm)} nats (KL), {times}"


def parting(comparison: Compared) -> str:
    """One sentence: the layer at which the whole runs part."""
    drift, end = comparison.drift, digits(comparison.drift[-1])
    if not comparison.whole.entry.any() and not drift[0]:
        part = np.flatnonzero(drift)
        where = f"part at layer {part[0]}" if part.size else "are equal after every layer"
        return f"The two {where}; drift ends at {end}."
    steps = np.diff(drift, prepend=np.mean(comparison.whole.entry))
    most = int(steps.argmax())
    since = "before the first layer" if comparison.whole.entry.any() else "at layer 0"
    return f"The two part {since}; drift grows most at layer {most}, by {digits(steps[most])}, and ends at {end}."


def cost(comparison: Compared) -> str:
    """One sentence: the cost of the whole checkpoint, beside that of its layers one by one."""
    whole = comparison.whole
    return (
        f"All of {comparison.called} costs {digits(whole.kl.mean())} nats (KL) and changes the likeliest next token "
        f"at {per_cent(whole.flips.mean())} of positions; its layers taken one by one cost "
        f"{digits(comparison.harm.sum())} nats together."
    )


def weighed(comparison: Compared) -> str:
    """One sentence: the largest errors of the weights, inside and outside the layers."""
    error = comparison.weights.error
    layer, tensor = np.unravel_index(error.argmax(), error.shape)
    outside = max(zip(comparison.weights.outside, comparison.outside, strict=True), default=(0.0, "nothing"))
    return (
        f"The largest error is {per_cent(error[layer, tensor])}, of {comparison.tensors[tensor]} in layer "
        f"{layer}; in the median layer it is {per_cent(comparison.usual[tensor])}. Outside the layers the largest is "
        f"{per_cent(outside[0])}, of {outside[1]}."
    )


def culprits(comparison: Compared) -> list[str]:
    """Settings that decide what a model computes and differ, then the worst tensors, a sentence each.

    `blk.11.ffn_down: Q3_K, 31 % of the divergence; at Q5_K 9 %, 1.2 MB more.`
    """
    lines = [f"{name} differs ({values}), whatever the weights are." for name, values in comparison.settings.items()]
    harmful = (each for each in suspects(comparison) if each.alone)
    return lines + [_tensor(each) for each, _ in zip(harmful, range(WORST), strict=False)]


def _tensor(it: Suspect) -> str:
    odd = ", which stands out" * it.stands_out
    text = f"{it.name}: {f'{it.format}, ' if it.format else ''}{per_cent(it.share)} of the divergence{odd}"
    if finer := it.finer:
        text += f"; at {finer.format} {per_cent(finer.share)}, {digits(finer.bytes / 1e6)} MB more"
    return f"{text}; alone {digits(it.alone)} nats (KL)."
