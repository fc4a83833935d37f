"""The charts of a profile: a row each, read by the Absorption page, the report and the README."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from core.figures.style import LIGHT, Chart, Palette
from core.specs.base import load
from core.store.profiles import Profile
from core.store.results import Perturbed


@dataclass(frozen=True, eq=False)
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
    group: str  # those of one group stand beside each other
    question: str  # what it answers
    place: str  # where `(InView) -> Chart` lies; it raises UserError that says what to measure, where that lacks
    reported: bool = False  # stands in a report too
    compares: bool = False  # draws a twin

    def draw(self, asked: InView) -> Chart:
        """The chart of what is in view.

        Raises:
            UserError: the profile lacks something, and what to measure.
        """
        return load(self.place)(asked)


DRIFT, GAIN, WHY, HARM, CHECKS = "Drift", "Gain", "Why", "Harm", "Checks"
CHARTS = (
    ChartRow("curves", DRIFT, "How does drift grow or shrink, layer by layer?", "core.figures.of_profile:curves"),
    ChartRow("matrix", DRIFT, "Where is how much drift left?", "core.figures.of_profile:matrix", reported=True),
    ChartRow(
        "gains", GAIN, "Which layers amplify, which absorb?", "core.figures.of_profile:gains",
        reported=True, compares=True,
    ),
    ChartRow("sizes", GAIN, "At what size does noise turn?", "core.figures.of_profile:sizes"),
    ChartRow("dilution", WHY, "Is the gain dilution?", "core.figures.of_profile:dilution", reported=True),
    ChartRow("direction", WHY, "Which way does the damage point?", "core.figures.of_profile:direction"),
    ChartRow("harm", HARM, "What does the output suffer?", "core.figures.of_profile:harm"),
    ChartRow("first-token", CHECKS, "With and without the first token", "core.figures.of_profile:first_token"),
    ChartRow("matched", CHECKS, "Noise against real pruning", "core.figures.of_profile:matched"),
)  # fmt: skip
GROUPS = {group: tuple(rows) for group, rows in groupby(CHARTS, key=lambda row: row.group)}
