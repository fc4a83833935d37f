"""Findings in a sentence: layers that amplify, absorb or drown in rounding."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.base import Estimate, capital, digits, gain, listed, per_cent, ranges, ratio
from core.methods import BLOCKS, Perturbation
from core.plan import (
    FEWEST_SEQUENCES,
    FLOOR_MARGIN,
    PAIRED,
    Gains,
    below_floor,
    changes,
    correlation,
    gains_of,
    inside_layers,
    log_gain,
    neighbours,
    part_changes,
)
from core.results import mean, percent_text
from core.store import Array, Profile

PHRASES = {  # of one layer, of several
    "amplifies": ("amplifies", "amplify"), "absorbs": ("absorbs", "absorb"),
    "undecided": ("is undecided", "are undecided"),
}  # fmt: skip
RULE = (
    "A layer amplifies or absorbs if the 95 % interval of its gain over the sequences lies more than 5 % from 1, after "
    f"correction for testing many layers (Holm). With fewer than {FEWEST_SEQUENCES} sequences nothing is decided."
)


def headline(gains: Gains) -> str:
    """The finding in one clause, number first: `25 of 29 layers absorb, none amplifies`."""
    if no_verdict(gains):
        return no_verdict(gains)
    layers = gains.verdicts[:-1]
    count = Counter(layers)
    first, other = sorted(("absorbs", "amplifies"), key=lambda one: -count[one])
    if not count[first]:
        return f"0 of {len(layers)} layers amplify or absorb for certain"
    rest = f"{count[other] or 'none'} {PHRASES[other][count[other] > 1]}"
    return f"{count[first]} of {len(layers)} layers {PHRASES[first][len(layers) > 1]}, {rest}"


def first_token(gains: Gains, other: Gains, included: bool) -> str:
    """Sentence: verdicts of the same noise with the first token included, or without it.

    Args:
        gains: the gains in view.
        other: those of the other positions.
        included: whether the gains in view include the first token.
    """
    if no_verdict(gains) or no_verdict(other):
        return ""
    return f"{'Without the first token' if included else 'With noise on the first token too'}, {headline(other)}."


def no_verdict(gains: Gains) -> str:
    """Reason in a clause that there is no verdict; empty where there can be one."""
    if len(gains.value) < 2:
        return "The model has only one layer, so no later layer can amplify or absorb"
    if gains.n < FEWEST_SEQUENCES:
        return f"No verdict yet: {FEWEST_SEQUENCES} sequences needed, {gains.n} measured"
    return ""


def finding(gains: Gains) -> str:
    """One sentence: which layers amplify, which absorb, which are undecided."""
    if no_verdict(gains):
        return f"{no_verdict(gains)}."
    layers = {word: where(word, gains.verdicts) for word in PHRASES}
    clauses = [f"{named(of)} {PHRASES[word][len(of) > 1]}" for word, of in layers.items() if of]
    return f"{capital(', '.join(clauses))} (n = {gains.n})."


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
    text = finding(gains_of(profile.seeds(name)))
    if not layers:
        return text
    these = "every layer" if len(layers) == profile.layers - 1 else named(layers)
    return f"{text} The drift of {these} is below {FLOOR_MARGIN} times the noise floor: it may be rounding alone."


def drowned(profile: Profile, name: str) -> Array:
    """True where drift at the last layer is under ten times that of rounding alone: (layers,) bool."""
    return below_floor(profile.seeds(name), profile.floor.drift)[:, -1]


def rounding(profile: Profile) -> str:
    """Sentence: drift by rounding alone in half precision; empty in float32."""
    dtype, floor = profile.spec.model.dtype, profile.floor
    if dtype == "float32":
        return ""
    drift, distance = np.nanmedian(floor.drift[:, -1]), floor.half_precision[-1]
    return (
        f"In {dtype} rounding alone makes a drift of {digits(drift)} at the last layer (the noise floor, median over "
        f"layers), and the clean stream there is {per_cent(distance)} away from its float32 run."
    )


def most_harmful(harm: Array, parts: Sequence[Perturbation]) -> str:
    """Sentence: the parts whose removal does most harm, (layers, parts) KL in nats, and the worst single head."""
    ranked = sorted(np.ndindex(harm.shape), key=lambda cell: -harm[cell])
    called = {cell: f"{parts[cell[1]].of(cell[0])} ({digits(float(harm[cell]))} nats)" for cell in ranked}
    heads = [name for (_, part), name in called.items() if parts[part].part not in BLOCKS]
    text = f"Most harm is done without {listed(list(called.values())[:2])}."
    return f"{text} Of single heads it is {heads[0]}." if heads else text


def together(profile: Profile, pairs: Estimate, twin: Profile | None) -> str:
    """Sentences: how the damages of two layers meet at the output, and those of attention and MLP of one.

    Args:
        pairs: (layers, layers) correlations.
    """
    if profile.layers < 2:
        return "The model has one layer, whose damage meets no other."
    i, k = np.triu_indices(profile.layers, 1)
    r, most, least = pairs.value[i, k], pairs.value[i, k].argmax(), pairs.value[i, k].argmin()
    inside = correlation(part_changes(profile, PAIRED), inside_layers)
    text = (
        f"At 70 % zeros by Wanda {_neighbours(profile, pairs)}. Layers {i[most]} and {k[most]} add most "
        f"({r[most]:+.2f}), {i[least]} and {k[least]} cancel most ({r[least]:+.2f}); attention and MLP of one layer "
        f"correlate by {_signed(inside)}."
    )
    control = twin and f" In the untrained twin {_neighbours(twin, correlation(changes(twin, PAIRED, False)))}."
    return text + (control or "")


def _neighbours(profile: Profile, pairs: Estimate) -> str:
    """`the damages of neighbouring layers correlate by -0.05 [-0.09, -0.01] in the mean, and 40 of 435 ...`."""
    mean = correlation(changes(profile, PAIRED, False), neighbours)
    i, k = np.triu_indices(profile.layers, 1)
    sure = int(((pairs.low > 0) | (pairs.high < 0))[i, k].sum())
    return (
        f"the damages of neighbouring layers correlate by {_signed(mean)} in the mean, and {sure} of {len(i)} pairs "
        f"differ from 0 at 95 % ({round(0.05 * len(i))} would by chance)"
    )


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


# --- numbers with their intervals -----------------------------------------------------------------------------------

FACTOR, RANK, SHARE = "factor", "rank correlation", "share"


def value(estimate: Estimate, unit: str) -> str:
    """A number with its interval: `0.67× [0.65, 0.70]`, `0.28 [0.13, 0.42]`, `60 % [55, 65]`."""
    if unit == SHARE:
        return percent_text(estimate.map(lambda share: 100 * share), "")
    alone = gain(estimate.value) if unit == FACTOR else f"{estimate.value:.2f}"
    return f"{alone} [{ratio(estimate.low)}, {ratio(estimate.high)}]"


def parts(profile: Profile) -> str:
    """Sentence: what is left at the end of losing attention, and of losing the MLP, in the mean over layers."""
    logs = (log_gain(profile.seeds(f"skip:{part}"))[:-1].mean(0) for part in BLOCKS)
    attention, mlp = (value(mean(each).map(np.exp), FACTOR) for each in logs)
    return f"Of what a layer loses without its attention, {attention} is left at the end; without its MLP, {mlp}."
