"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from core.show import lessons
from core.store.profiles import Profile
from pages.ui.tour import budget, gains, noise
from pages.ui.tour.parts import Screen


class Chapter(NamedTuple):
    """One screen of the tour."""

    title: str
    find: Callable[[Profile], Any]  # the numbers of a profile; raises UserError where it lacks them
    draw: Callable[[Profile, Any], Screen]
    terms: str  # of the glossary


CHAPTERS = {
    "perturb": Chapter("Perturb", lessons.perturb, noise.perturb, "layer, perturbation, gaussian, positions"),
    "drift": Chapter("Drift", lessons.drift, noise.drift, "drift, harm, rank correlation, noise floor"),
    "amplify": Chapter(
        "Amplify", lessons.amplify, gains.amplify, "gain, verdict, positions, attention sink, step ratio"
    ),
    "absorb": Chapter("Absorb", lessons.absorb, gains.absorb, "absorption, dilution, frozen-noise baseline, twin"),
    "allocate": Chapter(
        "Allocate", budget.correction, budget.allocate, "budget, OWL, correction, strength, response, nats"
    ),
    "prune": Chapter(
        "Prune", lessons.prune, budget.prune,
        "Wanda, residual, response, harm, nats, perplexity, rank correlation, skip",
    ),
}  # fmt: skip
