"""What the tour taught, in a sentence a chapter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.base.errors import UserError
from core.show.lessons.absorb import absorb
from core.show.lessons.allocate import correction
from core.show.lessons.amplify import amplify
from core.show.lessons.drift import drift
from core.show.lessons.marks import plain
from core.show.lessons.perturb import perturb
from core.show.lessons.prune import prune
from core.store.profiles import Profile

TAUGHT: dict[str, Callable[[Profile], Any]] = {
    "perturb": perturb,
    "drift": drift,
    "amplify": amplify,
    "absorb": absorb,
    "allocate": correction,
    "prune": prune,
}


def closing(profile: Profile) -> dict[str, str]:
    """Chapter -> what it taught of this profile; a chapter that the profile cannot show is left out."""
    found = {}
    for chapter, lesson in TAUGHT.items():
        with suppress(UserError):
            found[chapter] = plain(lesson(profile).said)
    return found
