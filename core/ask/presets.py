"""Named selections of text and perturbations, from a minute on a laptop to the paper's size."""

from __future__ import annotations

from dataclasses import dataclass

from core.ask.measurements import Measurement, measurements
from core.ask.perturbations import perturbation


@dataclass(frozen=True)
class Preset:
    """How much text, and what is done to it."""

    sequences: int
    length: int
    measurements: tuple[Measurement, ...]
    about: str


def _measured(*names: str, twice: str | None = None) -> tuple[Measurement, ...]:
    once = measurements(perturbation(name) for name in names)
    return (*once, Measurement(perturbation=perturbation(twice), seed=1)) if twice else once


STANDARD = _measured(
    *["gaussian:0.3", "residual:wanda:0.7", "skip", "gaussian:0.3@all", "gaussian:0.01", "gaussian:1", "gaussian:0.1"],
    *["gaussian:0.03", "gaussian:0.01@all", "residual:wanda:0.5", "residual:wanda:0.9", "residual:wanda:0.3"],
    *["residual:wanda:0.6", "residual:wanda:0.8", "residual:magnitude:0.7", "residual_rescaled:wanda:0.7:0.3"],
    *["residual_rescaled:wanda:0.7:-0.3", "covariance:0.3", "covariance:0.1"],
    twice="gaussian:0.3",
)

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
PRESETS = {
    "quick": Preset(
        8,
        64,
        _measured("gaussian:0.3", "residual:wanda:0.7", "skip"),
        "noise, pruning and skipping on a page of text: about a minute on two cores with the bundled model",
    ),
    "standard": Preset(
        16,
        256,
        STANDARD,
        "five noise sizes, six sparsities and the controls: under an hour on two cores with the bundled model",
    ),
    "linears": Preset(
        8,
        64,
        _measured(
            "gaussian:0.3",
            *(f"residual:wanda:{sparsity}" for sparsity in SPARSITIES),
            *(f"residual_linear:wanda:{sparsity}:each" for sparsity in SPARSITIES),
        ),
        "six sparsities of every layer and of every linear alone: what budgets per linear look at",
    ),
    "paper": Preset(128, 2048, STANDARD, "the standard perturbations on 128 windows of 2048 tokens: for a GPU"),
}
