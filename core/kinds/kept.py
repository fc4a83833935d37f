"""The weights that a mask keeps, trained by gradient: what is zero has no place in it, and stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from core.base.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Adam

EIGHTH = 8  # of the windows one in so many is held back


def held_back(windows: int) -> list[int]:
    """The windows, or batches of them, that training does not see, one in eight and at least one: they stop it.

    Raises:
        UserError: there is but one.
    """
    if windows < 2:
        raise UserError("a repair that trains holds a calibration window back to stop by: calibrate on 2 or more")
    return list(range(0, windows, EIGHTH))


class Kept:
    """The weights of some linears that are not zero, each matrix as a vector of float32, whatever the model's dtype."""

    def __init__(self, weights: Mapping[str, Tensor]):
        """weights: parameters as modules store them, by any names."""
        self.weights = weights
        self.masks = {name: each.detach() != 0 for name, each in weights.items()}
        self.values = {name: each.detach()[self.masks[name]].float() for name, each in weights.items()}

    def copy(self) -> dict[str, Tensor]:
        """The values as they are now."""
        return {name: each.detach().clone() for name, each in self.values.items()}

    def set(self, values: Mapping[str, Tensor]) -> None:
        """Let these be the values, and write them where the mask keeps a weight."""
        for name, each in self.values.items():
            each.copy_(values[name])
        self.write()

    def write(self) -> None:
        """Write the values into the weights, rounded to their dtype. No zero is touched."""
        for name, each in self.values.items():
            weight = self.weights[name].detach()
            weight.masked_scatter_(self.masks[name], each.to(weight.dtype))

    @contextmanager
    def learning(self) -> Iterator[None]:
        """While inside, a backward pass adds to the gradients of the values; those of zeros are dropped at once."""
        with ExitStack() as undo:
            for name, weight in self.weights.items():
                undo.callback(weight.requires_grad_, False)
                undo.callback(self._collected(name, weight.requires_grad_(True)))
            yield

    def _collected(self, name: str, weight: Tensor) -> Callable[[], None]:
        value, mask = self.values[name], self.masks[name]

        def collect(_: Tensor) -> None:
            found = weight.grad[mask].float()
            value.grad = found if value.grad is None else value.grad.add_(found)
            weight.grad = None

        return weight.register_post_accumulate_grad_hook(collect).remove

    def sizes(self) -> dict[str, float]:
        """The root mean square of each vector: steps are in these units, so that no model's scale matters."""
        return {name: float(each.square().mean().sqrt()) if each.numel() else 0.0 for name, each in self.values.items()}


def adam(kept: Kept, sizes: Mapping[str, float]) -> Adam:
    """Adam over the values, a group for each matrix with the size that its steps are counted in."""
    from torch.optim import Adam

    groups = [{"params": [each], "size": sizes[name]} for name, each in kept.values.items()]
    return Adam(groups, lr=0.0, betas=(0.9, 0.95))


def stepped(kept: Kept, optimizer: Adam, step: float) -> None:
    """Take a step of this size by the gradients that arose, and drop them."""
    for group in optimizer.param_groups:
        group["lr"] = step * group["size"]
    optimizer.step()
    optimizer.zero_grad()
    kept.write()
