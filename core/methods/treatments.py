"""Table of repairs, whose kernels have files beside this one; treatments: a pruner with its repairs."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator

from core.base import look_up, unique
from core.methods.blockwise import blockwise
from core.methods.budget_unit import MIXED, ZEROS, BudgetUnit
from core.methods.distillation import gradient
from core.methods.pruners import DEFAULT_PRUNER, MOMENTS, PRUNERS, SPARSIFIERS, Statistic, pruners_counting
from core.methods.quantisation import HALF
from core.methods.refit import refit


class RepairRow(NamedTuple):
    """A repair of the weights that a pruner leaves."""

    label: str
    # of a linear: (dense, pruned, second_moment, warn, pull) -> weight; of a window: trains `MaskedWeights`; of the
    # whole model: the gradient by its logits
    repair: Callable[..., Any]
    about: str
    formula: str  # TeX
    follows: bool = False  # needs the gap between the pruned path's outputs and the dense path's
    of: Literal["linear", "window", "model"] = "linear"  # the scope it solves as one
    method: int = 1  # raised whenever its numbers change


REPAIRS = {
    "refit": RepairRow(
        "refit",
        refit,
        "A repair after any pruner: the weights that stay are solved anew by least squares, so that the outputs of the "
        "linear on the calibration text come closest to those of its dense self.",
        r"\min_{W'} \lVert X W'^\top - X W^\top \rVert^2,\quad W' = 0 \text{ where } W \text{ is pruned}",
    ),
    "refit_dense": RepairRow(
        "refit to dense",
        refit,
        "A repair after any pruner: the weights that stay are solved anew so that the outputs of the linear, with the "
        "stream that they are added to, come closest to the middle between the pruned path and the dense model's own. "
        "So each layer takes back part of the drift that the pruned layers before it left.",
        r"\min_{W'} \lVert X W'^\top - X W^\top - \tfrac 1 2 D \rVert^2,\quad "
        r"W' = 0 \text{ where } W \text{ is pruned}",
        follows=True,
    ),
    "blockwise": RepairRow(
        "blockwise",
        blockwise,
        "A repair after any pruner: the weights that stay in one attention or MLP are trained together, by gradient, "
        "so that what it adds to the stream comes closest to what the dense model's own adds. Calibration windows that "
        "are held back, from the pruner too, stop it.",
        r"\min_{W'} \lVert f_{W'}(X') - f_W(X) \rVert^2,\quad W' = 0 \text{ where } W \text{ is pruned}",
        follows=True,
        of="window",
        method=3,
    ),
    "distill": RepairRow(
        "distill",
        gradient,
        "A repair after any pruner and any other repair: all weights that stay are trained together, by gradient, so "
        "that the model's predictions come closest to the dense model's. It takes a budget of time or tokens, and "
        "calibration windows that are held back, from the pruner too, stop it.",
        r"\min_{W'} \text{KL}(p_W \,\Vert\, p_{W'}),\quad W' = 0 \text{ where } W \text{ is pruned}",
        of="model",
        method=3,
    ),
}
# Repairs one after another, at most one of each kind, as in refit_dense+distill: name -> label
CHAINS = {
    "+".join(names): " + ".join(REPAIRS[each].label for each in names)
    for length in (1, 2, 3)
    for names in combinations(REPAIRS, length)
    if len({REPAIRS[each].of for each in names}) == length
}

NO_REPAIR = "none"  # where a repair is asked for unless it is refused
ANY = "any"  # of a search: every pruner, or repair, that can be predicted


class Treatment(NamedTuple):
    """A pruner and its repairs, as in `wanda` or `wanda+refit_dense+distill`."""

    pruner: str
    repair: str | None = None

    @property
    def name(self) -> str:
        return "+".join(filter(None, (self.pruner, self.repair)))

    @property
    def label(self) -> str:
        return " + ".join([PRUNERS[self.pruner].label, *(row.label for row in self.repairs)])

    @property
    def spoken(self) -> str:
        """Name in a sentence, after an allocation: `Wanda + refit`, `layers left out`."""
        return f"layers {self.label}" if self.budget_unit.of_layers else self.label

    @property
    def repairs(self) -> list[RepairRow]:
        """Rows of its repairs, in order."""
        return [REPAIRS[each] for each in self.repair.split("+")] if self.repair else []

    @property
    def repair_method(self) -> int:
        """Raised whenever the numbers of one of its repairs change."""
        return 1 + sum(row.method - 1 for row in self.repairs)

    @property
    def budget_unit(self) -> BudgetUnit:
        """The unit its damage is counted in."""
        return PRUNERS[self.pruner].budget_unit

    def doing(self, share: float) -> str:
        """Its effect on weights, as a phrase: `pruned by Wanda, 70 % zeros`, `rounded to 3 bits, GPTQ`."""
        level = self.budget_unit.phrase(share)
        if self.budget_unit.of_layers:
            return f"{level} {self.label}"
        return f"rounded to {level}, {self.label}" if self.budget_unit.levels else f"pruned by {self.label}, {level}"

    def stored(self, share: float) -> float:
        """Bits that a weight takes in a file, on average: zeros as a bitmask, codes with scales and zero points."""
        if levels := PRUNERS[self.pruner].levels:
            bits = [each.format.bits_per_weight if each.format else HALF * (1 - each.share) for each in levels]
            return float(np.interp(share, self.budget_unit.shares, bits))
        return HALF * (1 - share) + (self.budget_unit is ZEROS)  # a bit says whether a weight stays

    def by(self, what: str) -> RepairRow | None:
        """Its repair with this scope (linear, window or model), or None."""
        return next((row for row in self.repairs if row.of == what), None)

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """Statistics of the linears' inputs that it needs, each once; empty if none."""
        statistics = [PRUNERS[self.pruner].statistic]
        if row := self.by("linear"):
            statistics += ["second_moment", "pull" if row.follows else "none"]
        return tuple(unique(each for each in statistics if each != "none"))

    @property
    def solves(self) -> bool:
        """True if it needs second moments, which take much memory, and time to solve with."""
        return not MOMENTS.keys().isdisjoint(self.statistics)

    @property
    def reads_text(self) -> bool:
        """True if it needs the linears' inputs; else every calibration text and seed gives the same weights."""
        return bool(self.statistics or self.repairs)


def treatment(pruner: str, repair: str | None = None) -> Treatment:
    """Build a treatment from known names.

    Raises:
        UserError: an unknown name.
    """
    look_up(PRUNERS, pruner, "pruner")
    if repair is not None:
        look_up(CHAINS, repair, "repair")
    return Treatment(pruner, repair)


TREATMENTS = {
    each.name: each
    for repair in (None, *CHAINS)
    for each in (Treatment(name, repair) for name in (SPARSIFIERS if repair else PRUNERS))
}
# What damages one layer of a dense model: with nothing pruned before it, the dense path is its own
SINGLE_LAYER_TREATMENTS = {
    name: each.label
    for name, each in TREATMENTS.items()
    if not any(row.follows or row.of != "linear" for row in each.repairs)
}
REPAIRS_WITHOUT_BUDGET = {
    name: label for name, label in CHAINS.items() if not Treatment(DEFAULT_PRUNER, name).by("model")
}  # need no budget


def default_pruner(unit: BudgetUnit) -> str:
    """Default pruner of a budget unit."""
    return min(pruners_counting(unit), key=table_position)


def table_position(name: str) -> tuple[bool, int]:
    """Sort key of a treatment: the default pruner first, then the order of the table."""
    return name != DEFAULT_PRUNER, list(TREATMENTS).index(name)


# What a search may damage linears by: of zeros and integers in one linear nothing is made any more
SEARCHED = {name: row.label for name, row in PRUNERS.items() if row.budget_unit is not MIXED}


def _one_of(names: Mapping[str, object]) -> AfterValidator:
    def check(name):
        if name not in names:
            raise ValueError(f"known are {', '.join(names)}")
        return name

    return AfterValidator(check)


Pruner = Annotated[str, _one_of(PRUNERS)]
Repair = Annotated[str, _one_of(CHAINS)]
Searched = Annotated[str, _one_of({ANY: None, **SEARCHED})]
Repaired = Annotated[str, _one_of({NO_REPAIR: None, ANY: None, **REPAIRS_WITHOUT_BUDGET})]
Treated = Annotated[str, _one_of(SINGLE_LAYER_TREATMENTS)]
