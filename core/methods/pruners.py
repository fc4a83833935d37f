"""Table of pruners and quantisers, whose kernels have files beside this one."""

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from core.base import UserError
from core.methods.alps import alps
from core.methods.budget_unit import (
    BITS,
    GGUF,
    INTEGERS,
    KQUANTS,
    LAYERS,
    MIXED,
    MIXED_GONE,
    ZEROS,
    BudgetUnit,
    Level,
    level_at,
)
from core.methods.magnitude import magnitude
from core.methods.quantisation import QUANT_FORMATS, fed_back, rounded
from core.methods.selection import Tensor, Warn
from core.methods.sparsegpt import sparsegpt
from core.methods.wanda import wanda

# Of a linear: nothing, the norm (in,) or a second moment (in, in) of its inputs, or its outputs' gap to dense (out, in)
Statistic = Literal["none", "norm", "second_moment", "sink_moment", "pull"]
# Second moments, and the share of a window that its first token counts for in them, at least as one. All others attend
# to it and it is one of many, so that an error shifted onto it costs much more than its square says.
MOMENTS = {"second_moment": 0, "sink_moment": 1 / 32}
Method = Annotated[int, Field(ge=1, le=2)]  # of a pruner: raised whenever its numbers change


class PrunerRow(NamedTuple):
    """A pruner or quantiser."""

    label: str
    prune: Callable[..., Tensor]  # (weight, statistic, sparsity, pattern, warn) -> weight
    statistic: Statistic  # of the inputs; memory and cost follow from it
    about: str
    formula: str  # TeX
    solve_passes: float = 0.0  # how often as much work as a repair's goes into making up for what goes
    method: int = 1  # raised whenever its numbers change: results of an earlier one are not read
    levels: tuple[Level, ...] = ()  # of a quantiser, with its formats
    budget_unit: BudgetUnit = ZEROS


def _rounded_to_level(
    weight: Tensor,
    statistic: Tensor | None,
    share: float,
    pattern: object = None,
    warn: Warn = warnings.warn,
    *,
    levels: Iterable[Level],
    feedback: bool,
) -> Tensor:
    """Kernel of a quantiser: the weight in the format of a level, (out, in) in its own dtype; zeros stay zeros.

    Args:
        statistic: of the inputs, the second moment for feedback, else the norm or nothing.
        share: of the bits of a dense weight.
        pattern: not used; kernels share one signature.

    Raises:
        UserError: no level has this share, or the inputs make no whole groups.
        Broken: as `fed_back`.
    """
    form = level_at(levels, share).format.on(weight.shape[1])
    if feedback:
        return fed_back(weight, form, statistic, warn).to(weight.dtype)
    values: Any = rounded(weight, form, None if statistic is None else statistic**2)
    result = values.to(weight.dtype)
    if form.gguf:
        result.packed = values.packed
    return result


def _refuse_mixed(*_: object) -> Tensor:
    raise UserError(f"{MIXED_GONE}: use integers")


def _quantiser(
    label: str,
    statistic: Statistic,
    about: str,
    formula: str,
    group: int = 0,
    budget_unit: BudgetUnit = BITS,
    symmetric: bool = False,
    **more: Any,
) -> PrunerRow:
    """A row whose damage is few bits: integers in groups of a size, or without one the formats of the levels."""
    levels = budget_unit.levels
    if group:
        formats = (QUANT_FORMATS[f"int{each.name}g{group}{'s' * symmetric}"] for each in levels)
        levels = tuple(each._replace(format=form) for each, form in zip(levels, formats, strict=True))
    about = about.format(group or "32 or 64", "a scale" if symmetric else "a scale and a zero point")
    prune = partial(_rounded_to_level, levels=levels, feedback=statistic in MOMENTS)
    return PrunerRow(label, prune, statistic, about, formula, levels=levels, budget_unit=budget_unit, **more)


_BY_GROUPS = "Groups of {} of the weights of a row share {}."
_NEAREST = r"\min_{s,z} \textstyle\sum_k \lVert X_k \rVert^2 (s\,(q_{jk} - z) - W_{jk})^2"
_FED_BACK = r"q_{jk} = \text{round}(W_{jk}),\quad W_{j,>k} \mathrel{-}= (W_{jk} - q_{jk})\, U_{k,>k} / U_{kk}"
_rounding = partial(
    _quantiser,
    statistic="norm",
    about="Not a pruner: weights rounded to few bits, by the scale that errs least where inputs are long. "
    + _BY_GROUPS,
    formula=_NEAREST,
    solve_passes=0.25,
)
_feedback = partial(
    _quantiser,
    statistic="sink_moment",
    about="Not a pruner: weights rounded to few bits column by column, and those not yet rounded make up for each "
    f"error, where the first token counts for 1 / {1 / MOMENTS['sink_moment']:g} of its window. " + _BY_GROUPS,
    formula=_FED_BACK,
    solve_passes=1.3,
)

PRUNERS = {
    "magnitude": PrunerRow(
        "magnitude",
        magnitude,
        "none",
        "A pruner that zeroes the smallest weights of each linear, whatever they are multiplied with.",
        r"\text{score}_{jk} = |W_{jk}|",
    ),
    "wanda": PrunerRow(
        "Wanda",
        wanda,
        "norm",
        "A pruner that zeroes, in every row of a linear, the weights whose size times the length of their input over "
        "the calibration text is least, and changes no other.",
        r"\text{score}_{jk} = |W_{jk}| \cdot \lVert X_k \rVert_2",
        method=2,
    ),
    "sparsegpt": PrunerRow(
        "SparseGPT",
        sparsegpt,
        "second_moment",
        "A pruner that zeroes the weights whose loss costs the output of the linear least, and changes those that stay "
        "to make up for it.",
        r"\text{score}_{jk} = W_{jk}^2 / U_{kk}^2,\quad U^\top U = H^{-1},\quad H = \tfrac 2 n X X^\top",
        solve_passes=0.4,
    ),
    "alps": PrunerRow(
        "ALPS",
        alps,
        "second_moment",
        "A pruner that seeks the mask and the weights that stay together, so that the outputs of the linear come "
        "closest to those of its dense self: slower than the others, and repaired already.",
        r"\min_{W'} \lVert X W'^\top - X W^\top \rVert^2,\quad \lVert W' \rVert_0 \leq k",
        solve_passes=5,
    ),
    "quantised": _rounding("quantised", group=32),
    "quantised64": _rounding("quantised, groups of 64", group=64),
    "quantised_symmetric": _rounding("quantised, symmetric", group=32, symmetric=True),
    "gptq": _feedback("GPTQ", group=32, method=2),
    "gptq64": _feedback("GPTQ, groups of 64", group=64, method=2),
    "gptq_symmetric": _feedback("GPTQ, symmetric", group=32, symmetric=True),
    "integers": _rounding("integers", budget_unit=INTEGERS),
    "mixed": PrunerRow(
        "zeros and integers",
        _refuse_mixed,
        "norm",
        "Weights rounded to few bits, in some linears after Wanda zeroed a share of them, with a bit for each weight "
        "that says whether it stays. Stored results alone have it: no file format holds it.",
        r"W' = \text{round}(M \odot W)",
        levels=MIXED.levels,
        budget_unit=MIXED,
    ),
    "gguf": _quantiser(
        "GGUF types",
        "none",
        "Not a pruner: weights rounded as a GGUF file of the types Q4_0 to Q8_0 holds them.",
        r"W'_{jk} = d\, q_{jk} + m",
        budget_unit=GGUF,
    ),
    "kquants": _quantiser(
        "K-quants",
        "norm",
        "Not a pruner: weights rounded to the K- and IQ-types of llama.cpp by its own quantisers, where an error "
        "counts as much as its input's mean square over the calibration text, as an importance matrix says.",
        r"\min_{q,d,m} \textstyle\sum_k \lVert X_k \rVert^2 (d\, q_{jk} + m - W_{jk})^2",
        budget_unit=KQUANTS,
        solve_passes=5,
    ),
    "left_out": PrunerRow(
        "left out",
        lambda weight, *_: weight,  # of a layer that is kept
        "none",
        "Not a pruner: whole layers left out, whose input is passed on; every other weight stays as it is.",
        "h_i = h_{i-1}",
        budget_unit=LAYERS,
    ),
}


def pruners_counting(unit: BudgetUnit) -> dict[str, str]:
    """Pruners whose damage this unit counts, name -> label."""
    return {name: row.label for name, row in PRUNERS.items() if row.budget_unit is unit}


DEFAULT_PRUNER = "wanda"
SPARSIFIERS = pruners_counting(ZEROS)
PRUNERS_WITHOUT_TEXT = tuple(name for name in SPARSIFIERS if PRUNERS[name].statistic == "none")
