"""What the tour shows: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so. Between two measured strengths a figure is read off by straight lines, and `Scale.measured` tells
which of its steps were measured.
"""

from contextlib import suppress

from core.base.errors import UserError
from core.show.lessons.budgets import (
    Alone,
    Push,
    correction,
    estimated,
    measured,
    measured_said,
    prune,
    rank,
    ranked,
)
from core.show.lessons.damage import Noise, Spread, drift, misjudged, perturb
from core.show.lessons.gain import (
    GUESSES,
    SKIPPED,
    Growth,
    Sink,
    absorb,
    amplify,
    judged,
    learned,
    skipping,
    twins,
)
from core.show.lessons.shared import (
    DRIVER,
    EVERY,
    FOOT,
    PRUNED,
    SIZE,
    TARGET,
    Scale,
    between,
    noise,
    of,
    plain,
    ref,
    scale,
)
from core.store.profiles import Profile


def closing(profile: Profile) -> dict[str, str]:
    """Chapter -> what it taught of this profile; a chapter that the profile cannot show is left out."""
    taught = {"perturb": perturb, "drift": drift, "amplify": amplify, "absorb": absorb, "allocate": correction}
    found = {}
    for chapter, lesson in (taught | {"prune": prune}).items():
        with suppress(UserError):
            found[chapter] = plain(lesson(profile).said)
    return found
