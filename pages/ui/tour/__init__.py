"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core import lessons
from core.profiles import Profile
from pages.ui.tour import absorb, allocate, amplify, drift, perturb, prune


@dataclass(frozen=True)
class Chapter:
    """One screen of the tour."""

    title: str
    terms: tuple[str, ...]  # of the glossary
    find: Callable[[Profile], Any]  # what it shows of a profile; raises UserError where the profile lacks it
    draw: Callable[[Profile, Any], None]


CHAPTERS = {
    "perturb": Chapter("Perturb", ("layer", "perturbation", "gaussian", "positions"), lessons.perturb, perturb.draw),
    "drift": Chapter("Drift", ("drift", "harm", "noise floor"), lessons.drift, drift.draw),
    "amplify": Chapter(
        "Amplify", ("gain", "verdict", "positions", "attention sink", "step ratio"), lessons.amplify, amplify.draw
    ),
    "absorb": Chapter(
        "Absorb", ("absorption", "dilution", "frozen-noise baseline", "twin"), lessons.absorb, absorb.draw
    ),
    "allocate": Chapter(
        "Allocate", ("budget", "OWL", "correction", "strength", "response"), allocate.find, allocate.draw
    ),
    "prune": Chapter("Prune", ("Wanda", "residual", "response", "harm", "skip"), lessons.prune, prune.draw),
}
