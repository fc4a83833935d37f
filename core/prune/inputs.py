"""Inputs of the linears of a layer: watched during runs, and summed to statistics."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.methods import MOMENTS, Statistic
from core.models import Linear, Tensors, entered

Names = tuple[str, ...]  # linears that read the very same input, in the order of their calls
Statistics = Mapping[Statistic, Mapping[str, Tensor]]  # statistic -> linear -> sum over its inputs


class Enough(Exception):
    """Raised to stop a run of a layer once everything of interest in it has been seen."""


@contextmanager
def watched(
    layer: nn.Module, linears: Collection[Linear], see: Callable[[Names, Tensor], None], whole: bool = True
) -> Iterator[None]:
    """While inside, every run of the layer ends with `see(names, input)` for each distinct input, in order of arising.

    A run that need not be whole ends by raising `Enough` when each of the linears has been called.

    Projections that read the same tensor (query, key and value; gate and up) are recognised by the tensors, not by
    names. A run's inputs are kept until it ends: else a later one could take an earlier one's place in memory and
    be mistaken for it.
    """
    run = {}  # place in memory -> an input, and the linears that read it
    called = set()

    def note(name):
        def hook(_, args):
            inputs = args[0]
            place = (inputs.data_ptr(), inputs.shape, inputs.stride(), inputs.dtype)
            names = run.setdefault(place, (inputs, []))[1]
            if name not in names:
                names.append(name)
            called.add(name)
            if not whole and len(called) == len(linears):
                end()
                raise Enough

        return hook

    def end(*_):
        for inputs, names in run.values():
            see(tuple(names), inputs.detach())
        run.clear()
        called.clear()

    hooks = (each.module.register_forward_pre_hook(note(each.name)) for each in linears)
    with entered(hooks), layer.register_forward_hook(end):
        yield


class Sums:
    """Statistics of one layer's inputs over all tokens seen, in float32 or better whatever the model's dtype."""

    def __init__(self, wanted: Iterable[Statistic], home: torch.device | None = None):
        """home: device of the second moments; None: the device where they arise."""
        self.wanted, self.home = frozenset(wanted), home
        self.squares = {}  # by the linears that read an input
        self.products = defaultdict(dict)  # by statistic, then likewise

    def add(self, names: Names, inputs: Tensor) -> None:
        """Add the tokens of an input, (..., in), that some linears read."""
        rows = inputs.float().flatten(0, -2)
        if "norm" in self.wanted:
            self.squares[names] = self.squares.get(names, 0) + (rows * rows).sum(0).cpu().double()
        for each in self.wanted.intersection(MOMENTS):
            if names not in self.products[each]:
                self.products[each][names] = rows.new_zeros(rows.shape[1], rows.shape[1], device=self.home)
            total, first = self.products[each][names], inputs.select(-2, 0).reshape(-1, rows.shape[1]).float()
            for seen, times in ((rows, 1), (first, max(0, MOMENTS[each] * inputs.shape[-2] - 1))):
                if total.device == rows.device:
                    total.addmm_(seen.T, seen, alpha=times)
                else:
                    total += times * (seen.T @ seen).to(total.device)

    def of(self, statistic: Statistic) -> Tensors:
        """`norm`, (in,) L2 norm of the inputs on the CPU, or of `MOMENTS`, (in, in) sum of x x^T; float32, by linear.

        Linears that share their input have the same tensor of second moments.
        """
        if statistic == "norm":
            return {name: total.sqrt().float() for name, total in _each(self.squares).items()}
        return _each(self.products[statistic])


def _each(sums: dict[Names, Tensor]) -> Tensors:
    """Total of every linear; one that was run on two inputs has their sum."""
    totals = {}
    for names, total in sums.items():
        for name in names:
            totals[name] = totals[name] + total if name in totals else total
    return totals
