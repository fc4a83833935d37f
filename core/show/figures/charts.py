"""The charts of a profile: a row each, read by the Absorption page, the report and the README."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.show.figures import checkpoints, of_profile
from core.show.figures.in_view import REPAIRED, InView
from core.show.figures.style import Chart


@dataclass(frozen=True)
class ChartRow:
    """A chart."""

    key: str
    group: str  # those of one group stand beside each other, and no others with them
    question: str  # what it answers
    draw: Callable[[InView], Chart]  # raises UserError that says what to measure, where the profile lacks something
    needs: tuple[str, ...] = ()  # perturbations that suffice for it, where few profiles hold them


GLANCE, DRIFT, GAIN = "At a glance", "Drift from layer to layer", "Gain by size"  # as tabs call them
WHY, CHECKS, COMPARED = "Dilution and harm", "Noise against pruning", "Compare checkpoints"
CHARTS = (
    ChartRow("matrix", GLANCE, "How much drift remains after each layer?", of_profile.matrix),
    ChartRow("curves", DRIFT, "How does drift grow or shrink, layer by layer?", of_profile.curves),
    ChartRow("direction", DRIFT, "Which way does damage point?", of_profile.direction),
    ChartRow("gains", GAIN, "Which layers amplify, which absorb?", of_profile.gains),
    ChartRow("sizes", GAIN, "Does the size of the noise matter?", of_profile.sizes),
    ChartRow("dilution", WHY, "Is the gain only dilution?", of_profile.dilution),
    ChartRow("harm", WHY, "What happens to the output?", of_profile.harm),
    ChartRow("matched", CHECKS, "Does real pruning behave like noise?", of_profile.matched),
    ChartRow(
        "repaired", CHECKS, "Does absorption change when the damage is repaired?", of_profile.repaired,
        needs=REPAIRED,
    ),
    ChartRow("checkpoint-harm", COMPARED, "Which layers went wrong?", checkpoints.harm),
    ChartRow("checkpoint-weights", COMPARED, "Which weights differ?", checkpoints.weights),
    ChartRow("checkpoint-drift", COMPARED, "Where do the two checkpoints part?", checkpoints.parting),
    ChartRow("checkpoint-tokens", COMPARED, "Which tokens change?", checkpoints.tokens),
)  # fmt: skip
GROUPS = {
    name: tuple(row for row in CHARTS if row.group == name) for name in (GLANCE, DRIFT, GAIN, WHY, CHECKS, COMPARED)
}
