"""The weights that a mask keeps, as one vector for training by gradient: zeros are no part of it, and stay zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from core.base import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Adam

VALIDATION_EVERY = 8  # windows
MAX_VALIDATION = 16


def validation_windows(windows: int) -> list[int]:
    """Validation windows (or batches) for early stopping: every eighth, 1 to 16.

    Raises:
        UserError: there is only one window.
    """
    if windows < 2:
        raise UserError("a repair that trains holds a calibration window back to stop by: calibrate on 2 or more")
    return list(range(0, windows, VALIDATION_EVERY))[:MAX_VALIDATION]


def training_windows(windows: int) -> list[int]:
    """All other windows: the training, and the pruner before it, read these alone; raises as `validation_windows`."""
    return sorted({*range(windows)} - {*validation_windows(windows)})


class MaskedWeights:
    """The weights of some linears that are not zero, as one vector of float32, whatever the model's dtype.

    Each is counted in the size of its matrix, so that no model's scale matters to a step. Sizes are powers of two:
    to divide by one and to multiply again loses nothing.
    """

    def __init__(self, weights: Sequence[Tensor], mask: Tensor | None = None):
        """weights: parameters of modules. mask: of all their values in a row; where False they become zero."""
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
        """True for each weight that stays, all in a row."""
        import torch

        each = zip(self.places, self.weights, strict=True)
        return torch.cat(
            [at.new_zeros(of.numel(), dtype=torch.bool).index_fill_(0, at.long(), True) for at, of in each]
        )

    def set(self, value: Tensor) -> None:
        """Replace the vector, and write it."""
        self.value.copy_(value)
        self.write()

    def write(self) -> None:
        """Write the vector into the weights that the mask keeps, rounded to their dtype; zeros are not touched."""
        parts = zip(self.weights, self.places, self.sizes, self.value.split(self.counts), strict=True)
        for weight, places, size, part in parts:
            _flat(weight).index_copy_(0, places.long(), (part * size).to(weight.dtype))

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Inside, a backward pass adds to the gradient of the vector; gradients of zeros are dropped at once."""
        with ExitStack() as undo:
            for row in zip(self.weights, self.places, self.sizes, self.value.grad.split(self.counts), strict=True):
                undo.callback(row[0].requires_grad_, False)
                undo.callback(_collected(*row))
            yield


def _flat(weight: Tensor) -> Tensor:
    """The values of a weight in a row: a view, never a copy."""
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
    """Take an optimizer step of this size, then clear the gradients."""
    optimizer.param_groups[0]["lr"] = step
    optimizer.step()
    optimizer.zero_grad(False)
    weights.write()
