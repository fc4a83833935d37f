"""Verdicts in a sentence: which layers amplify, absorb or are undecided, and which drown in rounding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.base.formats import capital, digits, per_cent, ranges, several
from core.plan.gains import FEWEST_SEQUENCES, Gains, gains_of
from core.results import propagation
from core.store.profiles import Profile
from core.store.results import Array

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
    where = "Without the first token" if included else "With noise on the first token too"
    return f"{where}, {headline(other)}."


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
    layers = {word: [layer for layer, verdict in enumerate(found.verdicts) if verdict == word] for word in PHRASES}
    clauses = [clause(layers[word], *phrases) for word, phrases in PHRASES.items()]
    return capital(", ".join(filter(None, clauses))) + f" (n = {found.n})."


def clause(layers: Sequence[int], one: str, many: str) -> str:
    """`layer 3 amplifies`, `layers 3 to 5 amplify`; empty without layers."""
    return f"{named(layers)} {one if len(layers) == 1 else many}" if layers else ""


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
