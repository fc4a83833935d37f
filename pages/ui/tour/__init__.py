"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.profiles import Profile
from pages.ui.tour import absorb, allocate, amplify, drift, perturb, prune


@dataclass(frozen=True)
class Chapter:
    """One screen of the tour."""

    title: str
    terms: tuple[str, ...]  # of the glossary
    draw: Callable[[Profile], None]


CHAPTERS = {
    "perturb": Chapter("Perturb", ("layer", "perturbation", "gaussian", "positions"), perturb.draw),
    "drift": Chapter("Drift", ("drift", "harm", "noise floor"), drift.draw),
    "amplify": Chapter("Amplify", ("gain", "verdict", "positions", "step ratio"), amplify.draw),
    "absorb": Chapter("Absorb", ("absorption", "dilution", "twin"), absorb.draw),
    "allocate": Chapter("Allocate", ("budget", "correction", "response"), allocate.draw),
    "prune": Chapter("Prune", ("residual", "response", "harm", "skip"), prune.draw),
}
