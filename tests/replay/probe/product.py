"""All that the probe knows of the product: where a module moves, one line changes here.

What the command line can be asked is asked there; the imports below are of what it has no command for.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, get_args

from core.ask import grammar
from core.ask.allocations import Control
from core.base.errors import UserError
from core.cli import main
from core.cli.study_output import study_json
from core.export import recipes, space_needed
from core.kinds import BASES
from core.kinds.treatments import PRUNERS
from core.plan import responses
from core.plan.gains import gains_of, verdicts_of
from core.plan.spread import allocate
from core.results import comparison, propagation, protocols, verdicts
from core.results import evaluations as _evaluations
from core.results.evaluations import Evaluations
from core.show import lessons
from core.store import profiles as _profiles
from core.store.cache import KINDS, Store
from core.store.profiles import Profile

__all__ = [
    "ALLOCATORS",
    "CONTROLS",
    "KINDS",
    "PRUNERS",
    "REFUSED",
    "Evaluations",
    "Profile",
    "Store",
    "UserError",
    "allocate",
    "ask",
    "comparison",
    "evaluations_of",
    "gains_of",
    "grammar",
    "lessons",
    "profile",
    "propagation",
    "recipes",
    "responses",
    "space_needed",
    "study",
    "study_json",
    "verdicts",
    "verdicts_of",
]

REFUSED = "refused"  # what a request is answered that cannot be met
ALLOCATORS = tuple(BASES)
CONTROLS = get_args(Control)


def ask(*words: str) -> dict[str, Any] | None:
    """What a command says with `--json`; None where it refuses the request.

    Raises:
        RuntimeError: it failed.
    """
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = main([*words, "--json"])
    if code not in (0, 2):
        raise RuntimeError(f"{' '.join(words)}: {told.getvalue()}")
    return json.loads(said.getvalue()) if code == 0 else None


def profile(key: str) -> Profile:
    """A stored profile, ready for arithmetic."""
    store = Store()
    return _profiles.load(store, store.by_key(key, ("profile",)))


def study(key: str) -> Evaluations:
    """A stored study."""
    store = Store()
    return _evaluations.load(store, store.by_key(key, ("study",)))


def evaluations_of(profile: Profile) -> list[Evaluations]:
    """All studies of a profile's model, those of one protocol together."""
    store = Store()
    return list(protocols.together(store, protocols.of_model(store, profile.spec.model)).values())
