"""Chapter 3: what including the first token changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis import findings
from core.analysis.gains import Gains, gains_of
from core.lessons.shared import noise, usual
from core.specs.errors import UserError
from core.specs.formats import digits
from core.store.profiles import Profile

SINK = 5.0  # times the others' length; a token that draws attention to itself stands out by far more
STAYS = 1.2  # a gain that changes by less than this factor hardly changes


@dataclass(frozen=True, eq=False)
class Sink:
    """Gains of the same noise with and without the first token."""

    size: float
    without: Gains
    including: Gains
    turned: tuple[int, ...]  # layers that absorb without it and amplify with it, Holm's correction applied
    said: str

    @property
    def change(self) -> float:
        """Factor by which including the first token changes the gain: its median over layers."""
        return float(np.nanmedian((self.including.value / self.without.value)[:-1]))

    @property
    def answer(self) -> str:
        """What the gain of the median layer does: `fall`, `rise`, or `stay` within a factor of 1.2."""
        return "stay" if 1 / STAYS < self.change < STAYS else "rise" if self.change > 1 else "fall"


def amplify(profile: Profile) -> Sink:
    """The noise of usual size at both kinds of positions.

    Raises:
        UserError: no size was measured at both.
    """
    apart, everywhere = noise(profile), noise(profile, "all")
    both = [size for size in apart if size in everywhere]
    if not both:
        raise UserError(
            "no noise size was measured both with and without the first token: measure gaussian:0.3@all too"
        )
    size = both[usual(both)]
    without, including = (gains_of(profile.seeds(names[size])) for names in (apart, everywhere))
    turned = _turned(without.firm, including.firm)
    alone = [layer for layer in _turned(without.verdicts, including.verdicts) if layer not in turned]
    return Sink(size, without, including, tuple(turned), _sink_said(profile, turned, alone))


def _turned(without: Sequence[str | None], including: Sequence[str | None]) -> list[int]:
    pairs = enumerate(zip(without, including, strict=True))
    return [layer for layer, pair in pairs if pair == ("absorbs", "amplifies")]


def _sink_said(profile: Profile, turned: list[int], alone: list[int]) -> str:
    """What the first token is, and which layers it turns: for certain, and by their own intervals alone."""
    stream = profile.activation
    longer = (stream.norm_first / stream.norm).mean(1)
    most = int(longer.argmax())
    role = "an attention sink" if longer[most] > SINK else "no attention sink here"
    token = f"The first of {profile.spec.text.length} tokens is {role}: behind layer {most} its vector is"
    token += f" {digits(longer[most])} times as long as the others' on average."
    others = f"; {findings.by_own_interval(alone, 'turns', 'turn')}" if alone else ""
    if not turned:
        return f"{token} Including it in the noise turns no layer for certain from absorbing to amplifying{others}."
    return (
        f"{token} Noise on this one token too turns {findings.named(turned)} from absorbing to amplifying: "
        f"{len(turned)} of {profile.layers - 1} layers change sides for certain{others}."
    )
