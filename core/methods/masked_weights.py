"""The weights that a mask keeps, trained by gradient: what is zero has no place in it, and stays as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from core.base import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Adam

EIGHTH = 8  # of the windows one in so many is held back
MOST_HELD = 16


def validation_windows(windows: int) -> list[int]:
    """The windows, or batches of them, that training does not see, one in eight, 1 to 16 of them: they stop it.

    Raises:
        UserError: there is but one.
    """
    if windows < 2:
        raise UserError("a repair that trains holds a calibration window back to stop by: calibrate on 2 or more")
    return list(range(0, windows, EIGHTH))[:MOST_HELD]


def training_windows(windows: int) -> list[int]:
    """The others: those alone are read by the training, and by the pruner before it; raises as `held_back`."""
    return sorted({*range(windows)} - {*validation_windows(windows)})


class MaskedWeights:
    """The weights of some linears that are not zero, as one vector of float32, whatever the model's dtype.

    Each is counted in the size of its matrix, so that no model's scale matters to a step. Sizes are powers of two:
    to divide by one and to multiply again loses nothing.
    """

    def __init__(self, weights: Sequence[Tensor], mask: Tensor | None = None):
        """weights: parameters as modules store them. mask: of what stays, all in a row, if the rest is to be zero."""
        import torch

        if mask is None:
            mask = torch.cat([((each.detach() != 0) | (each.dim() < 2)).flatten() for each in weights])
        parts = mask.split([each.numel() for each in weights])
        self.weights = weights
        for weight, part in zip(weights, parts, strict=True):
            _flat(weight).masked_fill_(~part, 0)
        self.places = [part.nonzero().squeeze(1).int() for part in parts]  # in a weight's memory: below 2**31
        values = [_flat(weight)[at].float() for weight, at in zip(weights, self.places, strict=True)]
        self.counts = list(map(len, values))
        self.sizes = [2.0 ** math.frexp(float(each.square().mean().sqrt()))[1] for each in values]
        self.value = torch.cat([each / size for each, size in zip(values, self.sizes, strict=True)])
        self.value.grad = torch.zeros_like(self.value)

    @property
    def mask(self) -> Tensor:
        """Whether each weight stays, all in a row."""
        import torch

        each = zip(self.places, self.weights, strict=True)
        return torch.cat(
            [at.new_zeros(of.numel(), dtype=torch.bool).index_fill_(0, at.long(), True) for at, of in each]
        )

    def set(self, value: Tensor) -> None:
        """Let this be the vector, and write it."""
        self.value.copy_(value)
        self.write()

    def write(self) -> None:
        """Write the vector into the weights where the mask keeps one, rounded to their dtype. No zero is touched."""
        parts = zip(self.weights, self.places, self.sizes, self.value.split(self.counts), strict=True)
        for weight, places, size, part in parts:
            _flat(weight).index_copy_(0, places.long(), (part * size).to(weight.dtype))

    @contextmanager
    def learning(self) -> Iterator[None]:
        """While inside, a backward pass adds to the gradient of the vector; those of zeros are dropped at once."""
        with ExitStack() as undo:
            for row in zip(self.weights, self.places, self.sizes, self.value.grad.split(self.counts), strict=True):
                undo.callback(row[0].requires_grad_, False)
                undo.callback(_collected(*row))
            yield


def _flat(weight: Tensor) -> Tensor:
    """Its values in a row: a view, never a copy."""
    return weight.detach().view(-1)


def _collected(weight: Tensor, places: Tensor, size: float, gradient: Tensor) -> Callable[[], None]:
    def collect(_):
        gradient.add_(weight.grad.flatten().index_select(0, places).float(), alpha=size)
        weight.grad = None

    return weight.requires_grad_(True).register_post_accumulate_grad_hook(collect).remove


def adam(weights: MaskedWeights) -> Adam:
    """Adam over the vector."""
    from torch.optim import Adam

    return Adam([weights.value], betas=(0.9, 0.95), fused=True)


def take_step(weights: MaskedWeights, optimizer: Adam, step: float) -> None:
    """Take a step of this size by the gradients that arose, and drop them."""
    optimizer.param_groups[0]["lr"] = step
    optimizer.step()
    optimizer.zero_grad(False)
    weights.write()
