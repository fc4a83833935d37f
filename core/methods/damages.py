"""Table of the damages that a gradient sketch measures of every linear: each a treatment and how much it takes."""

from typing import NamedTuple

from core.base import number
from core.methods.budget_unit import KQUANTS, MIXED, nearest
from core.methods.pruners import MOMENTS, PRUNERS
from core.methods.quantisation import QUANT_FORMATS
from core.methods.treatments import TREATMENTS, Treatment

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


class Damage(NamedTuple):
    """One treatment of a linear."""

    treatment: Treatment
    share: float  # of a dense weight, saved

    @property
    def name(self) -> str:
        """`wanda:0.7`, or the number format of a rounding, which several quantisers share: `int4g32`, `Q4_0`."""
        level = nearest(PRUNERS[self.treatment.pruner].levels, self.share)
        if level and level.format and not self.treatment.solves:
            return level.format.name
        return f"{self.treatment.name}:{number(self.share)}"

    def fits(self, width: int) -> bool:
        """True if the inputs of a linear make whole groups of its number format."""
        return width % getattr(QUANT_FORMATS.get(self.name), "group", 1) == 0


_ROUNDINGS = [
    name
    for name, row in PRUNERS.items()
    if row.budget_unit.bits and row.budget_unit not in (MIXED, KQUANTS) and row.statistic not in MOMENTS
]


def harmed_as(pruner: str) -> str:
    """Whose curves tell what a pruner harms: of a quantiser with feedback the one that rounds to the same formats."""
    levels = PRUNERS[pruner].levels
    return next((name for name in _ROUNDINGS if PRUNERS[name].levels == levels), pruner)


SKETCHED = {
    each.name: each
    for each in (
        *(Damage(TREATMENTS[name], share) for name in ("magnitude", "wanda") for share in SPARSITIES),
        *(Damage(TREATMENTS[name], level.share) for name in _ROUNDINGS for level in PRUNERS[name].levels),
    )
}
# On request alone: ggml takes seconds to minutes for each type. Of types that both have, the first is read for both.
SKETCHED_KQUANTS = {
    level.name: Damage(TREATMENTS["kquants"], level.share)
    for level in PRUNERS["kquants"].levels
    if level.name not in SKETCHED
}
DAMAGES = SKETCHED | SKETCHED_KQUANTS
