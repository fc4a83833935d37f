"""Table of repairs, and of the chains they can form; each kernel has a file of its own beside this one."""

from collections.abc import Callable
from itertools import combinations
from typing import Any, Literal, NamedTuple

from core.methods.blockwise import blockwise
from core.methods.distillation import gradient
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
