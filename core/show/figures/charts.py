"""The charts of a profile: a row each, read by the Absorption page, the report and the README."""

from __future__ import annotations

from dataclasses import dataclass

from core.base.spec import load
from core.show.figures.style import LIGHT, Chart, Palette
from core.store.profiles import Profile
from core.store.results import Perturbed


@dataclass(frozen=True)
class InView:
    """What a chart is drawn of."""

    profile: Profile
    name: str  # of the perturbation
    layer: int  # the highlighted one
    look: Palette = LIGHT
    statistic: str = "geometric"
    twin: Profile | None = None  # another profile to compare with

    @property
    def seeds(self) -> list[Perturbed]:
        """The perturbation measured, by noise seed."""
        return self.profile.seeds(self.name)


@dataclass(frozen=True)
class ChartRow:
    """A chart."""

    key: str
    group: str  # those of one group stand beside each other, and no others with them
    question: str  # what it answers
    place: str  # where `(InView) -> Chart` lies; it raises UserError that says what to measure, where that lacks
    reported: bool = False  # stands in a report too
    needs: tuple[str, ...] = ()  # perturbations that suffice for it, where few profiles hold them

    def draw(self, asked: InView) -> Chart:
        """The chart of what is in view.

        Raises:
            UserError: the profile lacks something, and what to measure.
        """
        return load(self.place)(asked)


GLANCE, DRIFT, GAIN = "At a glance", "Drift from layer to layer", "Gain by size"  # as tabs call them
PRUNED = "residual:wanda:0.7"  # what noise is held against, unless another pruning is in view
REPAIRED = (PRUNED, "residual:wanda+refit:0.7")
WHY, CHECKS, COMPARED = "Dilution and harm", "Noise against pruning", "Compare checkpoints"
CHARTS = (
    ChartRow(
        "matrix", GLANCE, "How much drift remains after each layer?", "core.show.figures.of_profile:matrix", reported=True,
    ),
    ChartRow("curves", DRIFT, "How does drift grow or shrink, layer by layer?", "core.show.figures.of_profile:curves"),
    ChartRow("direction", DRIFT, "Which way does damage point?", "core.show.figures.of_profile:direction"),
    ChartRow(
        "gains", GAIN, "Which layers amplify, which absorb?", "core.show.figures.of_profile:gains",
        reported=True,
    ),
    ChartRow("sizes", GAIN, "Does the size of the noise matter?", "core.show.figures.of_profile:sizes"),
    ChartRow("dilution", WHY, "Is the gain only dilution?", "core.show.figures.of_profile:dilution", reported=True),
    ChartRow("harm", WHY, "What happens to the output?", "core.show.figures.of_profile:harm"),
    ChartRow("matched", CHECKS, "Does real pruning behave like noise?", "core.show.figures.of_profile:matched"),
    ChartRow(
        "repaired", CHECKS, "Does absorption change when the damage is repaired?", "core.show.figures.of_profile:repaired",
        needs=REPAIRED,
    ),
    ChartRow(
        "checkpoint-harm", COMPARED, "Which layers went wrong?", "core.show.figures.checkpoints:harm", reported=True,
    ),
    ChartRow(
        "checkpoint-weights", COMPARED, "Which weights differ?", "core.show.figures.checkpoints:weights", reported=True,
    ),
    ChartRow(
        "checkpoint-drift", COMPARED, "Where do the two checkpoints part?", "core.show.figures.checkpoints:parting",
        reported=True,
    ),
    ChartRow("checkpoint-tokens", COMPARED, "Which tokens change?", "core.show.figures.checkpoints:tokens", reported=True),
)  # fmt: skip
GROUPS = {
    name: tuple(row for row in CHARTS if row.group == name) for name in (GLANCE, DRIFT, GAIN, WHY, CHECKS, COMPARED)
}
