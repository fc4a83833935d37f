"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do."""

from collections.abc import Callable
from typing import NamedTuple

from core.store import Profile
from pages.ui.tour import budget, noise
from pages.ui.tour.parts import Screen


class Chapter(NamedTuple):
    """One screen of the tour."""

    title: str
    draw: Callable[[Profile], Screen]  # raises UserError where a profile lacks the numbers
    terms: str  # of the glossary


CHAPTERS = {
    "perturb": Chapter("Perturb", noise.perturb, "layer, perturbation, gaussian, positions"),
    "drift": Chapter("Drift", noise.drift, "drift, harm, rank correlation, noise floor"),
    "amplify": Chapter("Amplify", noise.amplify, "gain, verdict, positions, attention sink"),
    "absorb": Chapter("Absorb", noise.absorb, "absorption, dilution, frozen-noise baseline, twin"),
    "allocate": Chapter("Allocate", budget.allocate, "budget, OWL, correction, strength, response, nats"),
    "prune": Chapter("Prune", budget.prune, "Wanda, residual, response, harm, nats, perplexity, skip"),
}
