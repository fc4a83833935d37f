"""What a chart of a profile is drawn of."""

from __future__ import annotations

from dataclasses import dataclass

from core.show.figures.style import LIGHT, Palette
from core.store.profiles import Profile
from core.store.results import Perturbed

PRUNED = "residual:wanda:0.7"  # what noise is held against, unless another pruning is in view
REPAIRED = (PRUNED, "residual:wanda+refit:0.7")


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
