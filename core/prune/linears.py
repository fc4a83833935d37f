"""Linears of a layer: sums over their inputs, pruning one of them, and masks that are kept."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from core.base import Broken, UserError, either
from core.methods import MOMENTS, PRUNERS, PRUNERS_WITHOUT_TEXT, SPARSIFIERS, Pattern, Statistic, Treatment, Warn
from core.models.anatomy import Linear
from core.models.replay import Tensors, together

Names = tuple[str, ...]  # linears that read the very same input, in the order of their calls


class Enough(Exception):
    """Breaks off a run of a layer once all that is looked at in it has arisen."""


@contextmanager
def watched(
    layer: nn.Module,
    linears: Collection[Linear],
    see: Callable[[Names, Tensor], None],
    whole: bool = True,
) -> Iterator[None]:
    """While inside, every run of the layer ends with `see(names, input)` for each distinct input, in order of arising.

    A run that need not be whole ends by raising `Enough` when each of the linears has been called.

    Projections that read the same tensor (query, key and value; gate and up) are told from the tensors themselves, not
    from names. A run's inputs are kept until it ends: else a later one could take an earlier one's place in memory and
    be mistaken for it.
    """
    run = {}  # place in memory -> an input, and what reads it
    called = set()

    def note(name):
        def hook(_, args):
            given = args[0]
            place = (given.data_ptr(), given.shape, given.stride(), given.dtype)
            names = run.setdefault(place, (given, []))[1]
            if name not in names:
                names.append(name)
            called.add(name)
            if not whole and len(called) == len(linears):
                end()
                raise Enough

        return hook

    def end(*_):
        for given, names in run.values():
            see(tuple(names), given.detach())
        run.clear()
        called.clear()

    hooks = (each.module.register_forward_pre_hook(note(each.name)) for each in linears)
    with together(hooks), layer.register_forward_hook(end):
        yield


class Sums:
    """Statistics of one layer's inputs over all tokens seen, in float32 or better whatever the model's dtype."""

    def __init__(self, wanted: Iterable[Statistic], home: torch.device | None = None):
        """`home` is where second moments are kept; None: on the device where they arise."""
        self.wanted, self.home = frozenset(wanted), home
        self.squares = {}  # by the linears that read an input
        self.products = defaultdict(dict)  # by statistic, then alike

    def add(self, names: Names, given: Tensor) -> None:
        """Add the tokens of an input, (..., in), that some linears read."""
        rows = given.float().flatten(0, -2)
        if "norm" in self.wanted:
            self.squares[names] = self.squares.get(names, 0) + (rows * rows).sum(0).cpu().double()
        for each in self.wanted.intersection(MOMENTS):
            if names not in self.products[each]:
                self.products[each][names] = rows.new_zeros(rows.shape[1], rows.shape[1], device=self.home)
            total, first = self.products[each][names], given.select(-2, 0).reshape(-1, rows.shape[1]).float()
            for seen, times in ((rows, 1), (first, max(0, MOMENTS[each] * given.shape[-2] - 1))):
                if total.device == rows.device:
                    total.addmm_(seen.T, seen, alpha=times)
                else:
                    total += times * (seen.T @ seen).to(total.device)

    def of(self, statistic: Statistic) -> Tensors:
        """Linear -> `norm`, (in,) L2 norm of its inputs on the CPU, or of `MOMENTS`, (in, in) sum of x x^T; float32.

        Linears that share their input have the same tensor of second moments.
        """
        if statistic == "norm":
            return {name: total.sqrt().float() for name, total in _each(self.squares).items()}
        return _each(self.products[statistic])


def _each(sums: dict[Names, Tensor]) -> Tensors:
    """Per linear the total of what it read; a linear that was run on two inputs has both."""
    found = {}
    for names, total in sums.items():
        for name in names:
            found[name] = found[name] + total if name in found else total
    return found


Statistics = Mapping[Statistic, Mapping[str, Tensor]]  # statistic -> linear -> what its inputs sum up to


def pruned(
    linear: Linear,
    layer: int,
    treatment: Treatment,
    statistics: Statistics,
    sparsity: float,
    pattern: Pattern | None = None,
    warn: Warn = warnings.warn,
) -> Tensor:
    """The linear's weight pruned and, where that is part of the treatment, repaired, as its module stores it.

    Args:
        layer: its index, for messages.
        statistics: each that is looked at, by linear.
        warn: told in a sentence what had to be helped along.

    Raises:
        UserError: there is no statistic of this linear, or the kernel cannot work with it.
        Broken: the statistic is not finite, or has no inverse.
    """
    where, row = f"layer {layer}, {linear.name}", PRUNERS[treatment.pruner]

    def tell(text):
        warn(f"{where}: {text}")

    try:
        seen = {each: _seen(statistics[each], linear, each) for each in treatment.statistics}
        found = row.prune(linear.weight, seen.get(row.statistic), sparsity, pattern, tell)
        if repair := treatment.by("linear"):
            found = repair.repair(linear.weight, found, seen["second_moment"], tell, seen.get("pull"))
    except Broken as broken:
        raise Broken(f"{where}: {broken}", layer) from broken
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return linear.stored(found)


def _seen(found: Mapping[str, Tensor], linear: Linear, statistic: Statistic) -> Tensor:
    if linear.name not in found:
        raise UserError(
            f"it is never run, so there is no {statistic} of its inputs: use {either(PRUNERS_WITHOUT_TEXT)}"
        )
    if not found[linear.name].isfinite().all():
        raise Broken("its inputs are not finite: prune less before it, or use float32")
    return found[linear.name].to(linear.weight.device)


KEPT = 10 * 30 * 7  # masks, a bit for each weight: ten sparsities of a model like the bundled one take 130 MB


class Masks:
    """The last masks of a model's linears, a bit for each weight."""

    def __init__(self, norms: Callable[[int], Mapping[str, Tensor]]):
        """norms: of a layer, linear -> (in,) L2 norm of its inputs in the dense model."""
        self.norms = norms
        self.find = lru_cache(KEPT)(self._find)

    def weight(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> Tensor:
        """The linear's pruned weight as its module stores it; the module keeps its own."""
        if pruner not in SPARSIFIERS:  # no mask makes it
            return self._pruned(linear, layer, pruner, sparsity)
        whole = linear.module.weight
        bits = np.unpackbits(self.find(linear, layer, pruner, sparsity), count=whole.numel())
        return whole * torch.from_numpy(bits).view_as(whole)  # three times faster than filling by a mask

    def _find(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> np.ndarray:
        """The weights that stay: a bit each, in the order of storage."""
        return np.packbits((self._pruned(linear, layer, pruner, sparsity) != 0).numpy())

    def _pruned(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> Tensor:
        how = Treatment(pruner)
        return pruned(linear, layer, how, {each: self.norms(layer) for each in how.statistics}, sparsity)
