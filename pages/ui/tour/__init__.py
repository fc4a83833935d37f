"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core import lessons
from core.store.profiles import Profile
from pages.ui.tour import absorb, allocate, amplify, drift, perturb, prune


@dataclass(frozen=True)
class Chapter:
    """One screen of the tour."""

    title: str
    terms: tuple[str, ...]  # of the glossary
    needs: str  # what a profile lacks that cannot show it
    find: Callable[[Profile], Any]  # what it shows of a profile; raises UserError where the profile lacks it
    draw: Callable[[Profile, Any], None]


CHAPTERS = {
    "perturb": Chapter(
        "Perturb", ("layer", "perturbation", "gaussian", "positions"), "the noise", lessons.perturb, perturb.draw
    ),
    "drift": Chapter(
        "Drift", ("drift", "harm", "rank correlation", "noise floor"), "the noise", lessons.drift, drift.draw
    ),
    "amplify": Chapter(
        "Amplify",
        ("gain", "verdict", "positions", "attention sink", "step ratio"),
        "the noise on the first token",
        lessons.amplify,
        amplify.draw,
    ),
    "absorb": Chapter(
        "Absorb", ("absorption", "dilution", "frozen-noise baseline", "twin"), "the noise", lessons.absorb, absorb.draw
    ),
    "allocate": Chapter(
        "Allocate",
        ("budget", "OWL", "correction", "strength", "response", "nats"),
        "noise or pruned layers",
        allocate.find,
        allocate.draw,
    ),
    "prune": Chapter(
        "Prune",
        ("Wanda", "residual", "response", "harm", "nats", "perplexity", "rank correlation", "skip"),
        "the pruned layers",
        lessons.prune,
        prune.draw,
    ),
}
