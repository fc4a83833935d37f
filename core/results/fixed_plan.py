"""The formats of another checkpoint with its worst linears in finer ones, as an allocation file."""

import re

import numpy as np

from core.base import Fields, UserError
from core.methods import BITS, GGUF, HALF, KQUANTS, BudgetUnit
from core.results.checkpoints import Compared
from core.results.suspects import suspects

WORST = 3  # linears that are named, and get more bits


def fixed_plan(comparison: Compared) -> tuple[Fields, str]:
    """An allocation of its formats, in which the worst linears have the finer ones named; and the format to export.

    Where integers are joined by engines, all that are joined with a worst one get its bits.

    Raises:
        UserError: the files do not tell the format of every linear, no budget has these formats, or none is finer.
    """
    names, layers = list(comparison.sizes), range(len(comparison.harm))
    table = [[_plain(comparison.formats.get(f"{comparison.stack}.{layer}.{name}", "")) for name in names]
             for layer in layers]  # fmt: skip
    worst = [each for each in suspects(comparison)[:WORST] if each.finer and each.layer is not None]
    if not worst:
        raise UserError(f"no plan fixes {comparison.called}: none of its worst tensors has a finer format of its kind")
    for each in worst:
        table[each.layer][names.index(each.module)] = each.finer.format
    unit = next((unit for unit in (GGUF, KQUANTS, BITS) if {*np.ravel(table)} <= _shares(unit).keys()), None)
    if unit is None:
        raise UserError(f"no plan fixes {comparison.called}: no budget has all of its formats")
    shares = np.array([[_shares(unit)[form] for form in row] for row in table])
    for group in comparison.joined if unit is BITS else ():
        columns = [names.index(name) for name in group]
        shares[:, columns] = shares[:, columns].min(1, keepdims=True)
    weights = np.stack([comparison.sizes[name] for name in names], 1)
    plan = {"sparsity": shares.tolist(), "budget": float(np.average(shares, weights=weights)), "currency": unit.name}
    return plan | {"name": "fixed"}, "compressed-tensors" if unit is BITS else "gguf"


def _plain(form: str) -> str:
    """A format as budgets name it: integers in groups of 32, whatever groups the files have."""
    return re.sub(r"^int(\d)g\d+s?$", r"int\1g32s", form)


def _shares(unit: BudgetUnit) -> dict[str, float]:
    """Number format of each level -> its share."""
    return {
        each.format.name if each.format else f"int{HALF * (1 - each.share):g}g32s": each.share for each in unit.levels
    }
