"""Chapter 3: what including the first token changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import absorption
from core.absorption import Gains, ranges
from core.errors import UserError
from core.lessons.shared import noise, usual
from core.profiles import Profile
from core.words import digits

SINK = 5.0  # times the others' length; a token that draws attention to itself stands out by far more


@dataclass(frozen=True, eq=False)
class Sink:
    """Gains of the same noise with and without the first token."""

    size: float
    without: Gains
    including: Gains
    turned: tuple[int, ...]  # layers that absorb without it and amplify with it, Holm's correction applied
    said: str

    @property
    def answer(self) -> str:
        """What becomes of most layers: `amplify`, `absorb more`, or `stay` within a fifth of where they were."""
        inner = slice(0, len(self.without.value) - 1)
        change = float(np.nanmedian(self.including.value[inner] / self.without.value[inner]))
        return "stay" if 1 / 1.2 < change < 1.2 else "amplify" if change > 1 else "absorb more"


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
    without, including = (absorption.gains(profile.seeds(names[size])) for names in (apart, everywhere))
    pairs = enumerate(zip(without.firm, including.firm, strict=True))
    turned = [layer for layer, pair in pairs if pair == ("absorbs", "amplifies")]
    return Sink(size, without, including, tuple(turned), _sink_said(profile, turned))


def _sink_said(profile: Profile, turned: list[int]) -> str:
    stream = profile.activation
    longer = (stream.norm_first / stream.norm).mean(1)
    most = int(longer.argmax())
    role = "an attention sink" if longer[most] > SINK else "no attention sink here"
    token = f"The first of {profile.spec.text.length} tokens is {role}: behind layer {most} its vector is"
    token += f" {digits(longer[most])} times as long as the others' on average."
    if not turned:
        return f"{token} Including it in the noise turns no layer for certain from absorbing to amplifying."
    layers = f"layer{'s' if len(turned) > 1 else ''} {ranges(turned)}"
    return (
        f"{token} Noise on this one token too turns {layers} from absorbing to amplifying: "
        f"{len(turned)} of {profile.layers - 1} layers change sides for certain."
    )
