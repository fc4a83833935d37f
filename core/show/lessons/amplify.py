"""Chapter 3: what amplifies: noise on the first token, and a layer that is skipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.base.errors import UserError
from core.base.formats import digits
from core.plan.gains import Gains, gains_of
from core.results import findings
from core.show.figures.labels import changed, gain
from core.show.lessons.marks import EVERY, among, of, ref
from core.show.lessons.shared import check_several, noise, usual
from core.store.profiles import Profile

SINK = 5.0  # times the others' length; a token that draws attention to itself stands out by far more
STAYS = 1.2  # a gain that changes by less than this factor hardly changes
SKIPPED = "skip"
GUESSES = {"fall": "it falls", "stay": "it hardly changes", "rise": "it rises"}
OUTCOMES = {"fall": "It falls", "stay": "It hardly changes", "rise": "It rises"}


@dataclass(frozen=True, eq=False)
class Sink:
    """Gains of the same noise with and without the first token, and of every layer skipped."""

    size: float
    without: Gains
    including: Gains
    skipped: Gains | None  # None where skipping was not measured
    flipped: tuple[int, ...]  # layers that absorb without it and amplify with it
    said: str  # which those are
    why: str  # what the first token is

    @property
    def change(self) -> float:
        """Factor by which including the first token changes the gain: its median over layers."""
        return float(np.nanmedian((self.including.value / self.without.value)[:-1]))

    @property
    def answer(self) -> str:
        """What the gain of the median layer does: `fall`, `rise`, or `stay` within a factor of 1.2."""
        return "stay" if 1 / STAYS < self.change < STAYS else "rise" if self.change > 1 else "fall"

    @property
    def most(self) -> int:
        """The layer whose gain the first token changes most."""
        return int(np.nanargmax(np.abs(np.log(self.including.value / self.without.value))[:-1]))


def amplify(profile: Profile) -> Sink:
    """The noise of usual size at both kinds of positions, and skipped layers.

    Raises:
        UserError: no size was measured at both, or the model has one layer.
    """
    check_several(profile)
    apart, everywhere = noise(profile), noise(profile, "all")
    both = [size for size in apart if size in everywhere]
    if not both:
        raise UserError(
            "no noise size was measured both with and without the first token: measure gaussian:0.3@all too"
        )
    size = both[usual(both)]
    without, including = (gains_of(profile.seeds(names[size])) for names in (apart, everywhere))
    skipped = gains_of(profile.seeds(SKIPPED)) if SKIPPED in profile.by_name else None
    amplified = [layer for layer, verdict in enumerate(including.verdicts) if verdict == "amplifies"]
    flipped = [layer for layer in amplified if without.verdicts[layer] == "absorbs"]
    said = _flip_said(flipped, amplified, profile.layers)
    return Sink(size, without, including, skipped, tuple(flipped), said, _sink_said(profile))


def judged(guess: str, found: Sink) -> str:
    """What is said to a guess of what the first token does to the gain of a typical layer."""
    verdict = "**Right.**" if guess == found.answer else f"**Wrong.** You said {GUESSES[guess]}."
    return (
        f"{verdict} {OUTCOMES[found.answer]}: with noise on the first token too, the median layer has "
        f"{ref(gain(found.change), EVERY)} the gain it had."
    )


def _flip_said(flipped: list[int], amplified: list[int], layers: int) -> str:
    """Which layers the first token flips, among those that amplify with it."""
    if not flipped:
        return "With the first token included, no layer flips for certain from absorbing to amplifying."
    many, some = (len(each) > 1 for each in (amplified, flipped))
    return (
        f"One token flips the picture. With it, {among(amplified, len(amplified))} of {ref(layers - 1, EVERY)} layers "
        f"{'amplify' if many else 'amplifies'}; without it, {among(flipped, len(flipped))} of these "
        f"{'absorb' if some else 'absorbs'}: {among(flipped, findings.named(flipped))}."
    )


def _sink_said(profile: Profile) -> str:
    """How far the first token stands out where it does so most."""
    stream = profile.activation
    longer = (stream.norm_first / stream.norm).mean(1)
    most = int(longer.argmax())
    role = "an **attention sink**" if longer[most] > SINK else "no attention sink here"
    return (
        f"The first token is {role}: after layer {of(most)}, its vector is {of(most, f'{digits(longer[most])}×')} as "
        "long as the other tokens' on average."
    )


def skipping(found: Sink) -> str:
    """Which skipped layer amplifies most; empty where none was skipped."""
    if found.skipped is None:
        return ""
    gains = found.skipped.value[:-1]
    most = int(np.nanargmax(gains))
    said = "A skipped layer can amplify too." if gains[most] > 1 else "Skipping a layer amplifies nowhere."
    return f"{said} Without layer {of(most)}, the drift {of(most, changed(float(gains[most])))} by the last layer."
