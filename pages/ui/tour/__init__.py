"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.show import lessons
from core.store.profiles import Profile
from pages.ui.tour.chapter_absorb import draw as absorb
from pages.ui.tour.chapter_allocate import draw as allocate
from pages.ui.tour.chapter_allocate import find as correction
from pages.ui.tour.chapter_amplify import draw as amplify
from pages.ui.tour.chapter_drift import draw as drift
from pages.ui.tour.chapter_perturb import draw as perturb
from pages.ui.tour.chapter_prune import draw as prune

NOISE = "the noise"


@dataclass(frozen=True)
class Chapter:
    """One screen of the tour."""

    title: str
    needs: str  # what a profile lacks that cannot show it
    find: Callable[[Profile], Any]  # what it shows of a profile; raises UserError where the profile lacks it
    draw: Callable[[Profile, Any], None]
    terms: tuple[str, ...]  # of the glossary


CHAPTERS = {
    "perturb": Chapter(
        "Perturb", NOISE, lessons.perturb, perturb, ("layer", "perturbation", "gaussian", "positions")
    ),
    "drift": Chapter("Drift", NOISE, lessons.drift, drift, ("drift", "harm", "rank correlation", "noise floor")),
    "amplify": Chapter(
        "Amplify", f"{NOISE} on the first token", lessons.amplify, amplify,
        ("gain", "verdict", "positions", "attention sink", "step ratio"),
    ),
    "absorb": Chapter(
        "Absorb", NOISE, lessons.absorb, absorb, ("absorption", "dilution", "frozen-noise baseline", "twin")
    ),
    "allocate": Chapter(
        "Allocate", "noise or pruned layers", correction, allocate,
        ("budget", "OWL", "correction", "strength", "response", "nats"),
    ),
    "prune": Chapter(
        "Prune", "the pruned layers", lessons.prune, prune,
        ("Wanda", "residual", "response", "harm", "nats", "perplexity", "rank correlation", "skip"),
    ),
}  # fmt: skip
