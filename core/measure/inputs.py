"""What the linears of a layer are fed: sums over tokens, of every distinct input once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from core.kinds.treatments import Statistic
from core.models.anatomy import Linear

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
    run: dict[tuple, tuple[Tensor, list[str]]] = {}
    called: set[str] = set()

    def note(name: str) -> Callable:
        def hook(_: nn.Module, args: tuple) -> None:
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

    def end(*_: object) -> None:
        for given, names in run.values():
            see(tuple(names), given.detach())
        run.clear()
        called.clear()

    with ExitStack() as hooks:
        for linear in linears:
            hooks.callback(linear.module.register_forward_pre_hook(note(linear.name)).remove)
        hooks.callback(layer.register_forward_hook(end).remove)
        yield


class Sums:
    """Statistics of one layer's inputs over all tokens seen, in float32 or better whatever the model's dtype."""

    def __init__(self, wanted: Iterable[Statistic], home: torch.device | None = None):
        """`home` is where second moments are kept; None: on the device where they arise."""
        self.wanted, self.home = frozenset(wanted), home
        self.squares: dict[Names, Tensor] = {}
        self.products: dict[Names, Tensor] = {}

    def add(self, names: Names, given: Tensor) -> None:
        """Add the tokens of an input, (..., in), that some linears read."""
        rows = given.float().flatten(0, -2)
        if "norm" in self.wanted:
            self.squares[names] = self.squares.get(names, 0) + (rows * rows).sum(0).cpu().double()
        if "second_moment" in self.wanted:
            if names not in self.products:
                self.products[names] = rows.new_zeros(rows.shape[1], rows.shape[1], device=self.home)
            total = self.products[names]
            if total.device == rows.device:
                total.addmm_(rows.T, rows)
            else:
                total += (rows.T @ rows).to(total.device)

    def norms(self) -> dict[str, Tensor]:
        """Linear -> (in,) L2 norm of its inputs, float32, on the CPU."""
        return {name: total.sqrt().float() for name, total in _each(self.squares).items()}

    def second_moments(self) -> dict[str, Tensor]:
        """Linear -> (in, in) sum of x x^T, float32; the same tensor for linears that share their input."""
        return _each(self.products)

    def of(self, statistic: Statistic) -> dict[str, Tensor]:
        """One of the two, by name."""
        return self.norms() if statistic == "norm" else self.second_moments()


def _each(sums: dict[Names, Tensor]) -> dict[str, Tensor]:
    """Per linear the total of what it read; a linear that was run on two inputs has both."""
    found: dict[str, Tensor] = {}
    for names, total in sums.items():
        for name in names:
            found[name] = found[name] + total if name in found else total
    return found
