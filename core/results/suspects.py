"""Tensors of another checkpoint, the most suspect first: shares of its divergence, what more bits would buy, a plan."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.base import Fields, UserError, unique
from core.methods import BITS, GGUF, HALF, KQUANTS, BudgetUnit, finer_formats, stored_as
from core.results.checkpoints import MOST, Compared, usual_error
from core.store import Array

ENOUGH = 1 / 3  # of its share that a tensor may keep in the finer format that is named


class Finer(NamedTuple):
    """A tensor in a format of more bits."""

    format: str
    share: float  # of the divergence as it is now
    bytes: float  # that it takes more


class Suspect(NamedTuple):
    """A module of another checkpoint."""

    name: str  # as its files call it
    module: str  # as the model does, inside the layer
    layer: int | None  # None: outside the layers
    format: str  # of its weight; empty where the files do not tell
    share: float  # of the divergence of all together; below 0 where it cancels what others do
    alone: float  # KL that it makes alone, nats
    stands_out: bool  # beside the same of other layers, or by its format
    finer: Finer | None  # where that is enough, else the finest tried


@lru_cache(maxsize=8)
def suspects(comparison: Compared) -> list[Suspect]:
    """Modules that hold tensors: those that stand out, then all others; each by the harm that it does alone.

    Sums over modules of the signed changes of a sketch are those of all together, so that shares, `<c, sum c> / <sum c,
    sum c>` over draws and windows, add up to 1. None where there is no sketch.
    """
    if comparison.sketch is None:
        return []
    total = comparison.sketch.change[:, :, 0].sum((0, 1)) + comparison.sketch.outside.sum(0)
    rows = [*_inside(comparison, total), *_beside(comparison, total)]
    return sorted(rows, key=lambda each: (not each.stands_out, -each.alone))


def shares(comparison: Compared) -> tuple[list[str], Array, Array]:
    """Modules of a layer; share of the divergence, and KL alone in nats, of each of each layer, (layers, modules)."""
    modules = _modules(comparison.tensors)
    table = np.zeros((2, len(comparison.harm), len(modules)))
    for each in suspects(comparison):
        if each.layer is not None:
            table[:, each.layer, modules.index(each.module)] = each.share, each.alone
    return modules, *table


def _modules(tensors: tuple[str, ...]) -> list[str]:
    return unique(map(_owner, tensors))


def _owner(tensor: str) -> str:
    """Module that holds a tensor."""
    return tensor.rpartition(".")[0] or tensor


def _inside(it: Compared, total: Array) -> Iterator[Suspect]:
    """Modules of the layers. total: (draws, windows)."""
    modules = _modules(it.tensors)
    own = np.array([modules.index(_owner(name)) for name in it.tensors])
    for layer, rows in enumerate(it.sketch.change):
        for place, (name, (change, *finer)) in enumerate(zip(modules, rows, strict=True)):
            full, share = f"{it.stack}.{layer}.{name}", _product(change, total, total)
            tried = [
                Finer(form, _product(each, total - change + each, total), _grown(it, name, layer, form))
                for form, each in zip(finer_formats(it.formats.get(full, "")), finer, strict=False)
                if each.any()
            ]
            enough = next((each for each in tried if each.share <= ENOUGH * share), tried[-1] if tried else None)
            odd = bool(it.odd_tensors[layer, own == place].any())
            yield _suspect(it, full, name, layer, change, share, odd, enough)


def _beside(it: Compared, total: Array) -> Iterator[Suspect]:
    """Modules outside the layers. total: (draws, windows)."""
    for name, change in zip(_modules(it.outside), it.sketch.outside, strict=True):
        errors = zip(it.outside, it.weights.outside, strict=True)
        error = max(error for own, error in errors if _owner(own) == name)
        odd = bool(error > MOST * usual_error(it.bits_of(name)))
        yield _suspect(it, name, name, None, change, _product(change, total, total), odd, None)


def _suspect(
    it: Compared, full: str, module: str, layer: int | None, change: Array, share: float, odd: bool, finer: Finer | None
) -> Suspect:
    alone = float((change**2).mean() / (2 * it.whole.kl.shape[1]))  # KL to second order, nats
    if layer is not None and module in it.exact:
        alone = float(it.exact[module][layer])
    return Suspect(it.stored_names.get(full, full), module, layer, it.formats.get(full, ""), share, alone, odd, finer)


def _grown(it: Compared, name: str, layer: int, form: str) -> float:
    """Bytes that a linear takes more in another format."""
    more = (stored_as(form) or (np.nan,))[0] - it.bits_of(f"{it.stack}.{layer}.{name}")
    return float(more / 8 * it.sizes[name][layer]) if name in it.sizes else float("nan")


def _product(change: Array, others: Array, total: Array) -> float:
    """Share of a change, (draws, windows) each; 0 where the total is none."""
    return float((change * others).sum() / ((total**2).sum() or 1))


# --- the formats of another checkpoint with its worst linears in finer ones, as an allocation file --------------------

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
