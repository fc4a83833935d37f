"""Findings in a sentence: layers that amplify, absorb or drown in rounding, and where another checkpoint went wrong."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.base import capital, digits, listed, per_cent, ranges, several, times
from core.methods import ATTENTION, BLOCKS, Perturbation
from core.plan.gains import FEWEST_SEQUENCES, Gains, gains_of
from core.results import propagation
from core.results.checkpoints import Compared
from core.store import Array, Profile

DIRECTIONS = {"amplifies": "amplify", "absorbs": "absorb"}  # of one layer, of several
PHRASES = {word: (word, many) for word, many in DIRECTIONS.items()} | {"undecided": ("is undecided", "are undecided")}
RULE = (
    "A layer amplifies or absorbs if the 95 % interval of its gain over the sequences lies more than 5 % from 1, after "
    f"correction for testing many layers (Holm). With fewer than {FEWEST_SEQUENCES} sequences nothing is decided."
)


def headline(found: Gains) -> str:
    """The finding in one clause, number first: `25 of 29 layers absorb, none amplifies`."""
    if no_verdict(found):
        return no_verdict(found)
    layers = found.verdicts[:-1]
    count = Counter(layers)
    first, other = sorted(DIRECTIONS, key=lambda one: (-count[one], one))
    if not count[first]:
        return f"0 of {len(layers)} layers amplify or absorb for certain"
    rest = f"{count[other] or 'none'} {other if count[other] < 2 else DIRECTIONS[other]}"
    return f"{count[first]} of {len(layers)} layers {first if len(layers) == 1 else DIRECTIONS[first]}, {rest}"


def first_token(found: Gains, other: Gains, included: bool) -> str:
    """What the same noise does where it reaches the first token too, or no longer, in a sentence.

    Args:
        found: the gains in view.
        other: those of the other positions.
        included: whether the gains in view include the first token.
    """
    if no_verdict(found) or no_verdict(other):
        return ""
    return f"{'Without the first token' if included else 'With noise on the first token too'}, {headline(other)}."


def no_verdict(found: Gains) -> str:
    """Why there is no verdict, in a clause; empty where there can be one."""
    if len(found.value) < 2:
        return "The model has only one layer, so no later layer can amplify or absorb"
    if found.n < FEWEST_SEQUENCES:
        few = f"{several(found.n, 'sequence')} {'is' if found.n == 1 else 'are'} too few"
        return f"Undecided: {few} for a verdict, {FEWEST_SEQUENCES} are needed"
    return ""


def finding(found: Gains) -> str:
    """One sentence: which layers amplify, which absorb, which are undecided."""
    if no_verdict(found):
        return f"{no_verdict(found)}."
    layers = {word: where(word, found.verdicts) for word in PHRASES}
    clauses = [f"{named(of)} {PHRASES[word][len(of) > 1]}" for word, of in layers.items() if of]
    return f"{capital(', '.join(clauses))} (n = {found.n})."


def where(word: str, verdicts: Sequence[str | None]) -> list[int]:
    """The layers that have a verdict."""
    return [layer for layer, verdict in enumerate(verdicts) if verdict == word]


def named(layers: Sequence[int]) -> str:
    """`layer 3`, `layers 3 to 5 and 7`."""
    return f"layer{'' if len(layers) == 1 else 's'} {ranges(layers)}"


# --- with the noise floor ------------------------------------------------------------------------------------------


def of_perturbation(profile: Profile, name: str) -> str:
    """The finding on one perturbation, and which of its layers drown in rounding.

    Args:
        name: a perturbation that was measured, as `gaussian:0.3`.
    """
    layers = np.flatnonzero(drowned(profile, name)[:-1]).tolist()
    said = finding(gains_of(profile.seeds(name)))
    if not layers:
        return said
    what = "of every layer" if len(layers) == profile.layers - 1 else f"of {named(layers)}"
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


def most_harmful(harm: Array, parts: Sequence[Perturbation]) -> str:
    """Which parts of which layers do most harm when they are left out, and which of the single heads.

    Args:
        harm: (layers, parts) KL of the output, nats.
    """
    ranked = sorted(np.ndindex(harm.shape), key=lambda cell: -harm[cell])
    of = [each.part for each in parts]
    single = np.array([part not in BLOCKS for part in of])

    def named(cell):
        return f"{parts[cell[1]].of(cell[0])} ({digits(harm[cell])} nats)"

    said = f"Most harm is done without {listed(map(named, ranked[:2]))}."
    if not single.any():
        return said
    alone, head = harm[:, single].sum(), next(cell for cell in ranked if single[cell[1]])
    times_all = times(alone / harm[:, of.index(ATTENTION)].sum()) if ATTENTION in of else ""
    whole = times_all and f", {times_all} the harm of their attention"
    return f"{said} Of single heads it is {named(head)}; all heads, one at a time, do {digits(alone)} nats{whole}."


# --- another checkpoint --------------------------------------------------------------------------------------------


def of_checkpoint(found: Compared) -> list[str]:
    """All that is said of a comparison, a sentence each."""
    return [worst(found), parting(found), cost(found), weighed(found)]


def worst(found: Compared) -> str:
    """One sentence: the layer and the tensor that went wrong, and their cost."""
    layer = found.ranking[0]
    tensor = found.tensor(layer)
    name, error = found.tensors[tensor], found.weights.error[layer, tensor]
    if not found.weights.error.any():
        return "Every layer is equal in both: they differ outside the layers only."
    cost, odd = _cost_of(found, layer), np.flatnonzero(found.odd).tolist()
    if not odd:
        return (
            f"No layer's weights stand out. Layer {layer} does the most harm: {cost}; its largest error is "
            f"{per_cent(error)}, of {name}."
        )
    lead = f"Layer {layer} stands out"
    if len(odd) > 1:
        lead = f"{capital(named(odd))} stand out, and layer {layer} does the most harm of them"
    usual = f"where the median layer's differs by {per_cent(found.usual[tensor])}"
    return f"{lead}: its {name} differs by {per_cent(error)}, {usual}; {cost}."


def _cost_of(found: Compared, layer: int) -> str:
    """The cost of one layer alone, beside the median one."""
    harm, median = found.harm[layer], float(np.median(found.harm))
    if not harm:
        return "this layer alone costs no more than rounding"
    times = f"{digits(harm / median)}× the median layer" if median else "and the median layer costs none"
    return f"this layer alone costs {digits(harm)} nats (KL), {times}"


def parting(found: Compared) -> str:
    """One sentence: the layer at which the whole runs part."""
    drift, end = found.drift, digits(found.drift[-1])
    if not found.whole.entry.any() and not drift[0]:
        part = np.flatnonzero(drift)
        where = f"part at layer {part[0]}" if part.size else "are equal after every layer"
        return f"The two {where}; drift ends at {end}."
    steps = np.diff(drift, prepend=np.mean(found.whole.entry))
    most = int(steps.argmax())
    since = "before the first layer" if found.whole.entry.any() else "at layer 0"
    return f"The two part {since}; drift grows most at layer {most}, by {digits(steps[most])}, and ends at {end}."


def cost(found: Compared) -> str:
    """One sentence: the cost of the whole checkpoint, beside that of its layers one by one."""
    return (
        f"All of {found.called} costs {digits(found.whole.kl.mean())} nats (KL) and changes the likeliest next token "
        f"at {per_cent(found.whole.flips.mean())} of positions; its layers taken one by one cost "
        f"{digits(found.harm.sum())} nats together."
    )


def weighed(found: Compared) -> str:
    """One sentence: the largest errors of the weights, inside and outside the layers."""
    layer, tensor = np.unravel_index(found.weights.error.argmax(), found.weights.error.shape)
    outside = max(zip(found.weights.outside, found.outside, strict=True), default=(0.0, "nothing"))
    return (
        f"The largest error is {per_cent(found.weights.error[layer, tensor])}, of {found.tensors[tensor]} in layer "
        f"{layer}; in the median layer it is {per_cent(found.usual[tensor])}. Outside the layers the largest is "
        f"{per_cent(outside[0])}, of {outside[1]}."
    )
