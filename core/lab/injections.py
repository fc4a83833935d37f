"""Injections of the lab: with cached masks, and into one row of a batch while a model writes."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from core.base import Positions, frozen
from core.measure import Injection, normal, rescaled, selected_linears
from core.methods import SPARSIFIERS, Treatment
from core.models import Edit, Linear, Loaded, Tensors, call_from_hook, edited, entered
from core.prune import prune_linear

# Rows of the batch: the dense model, the damaged one, the dense one on the damaged's text, and that once more, because
# products of matrices take rows by fours: a token takes 71 ms of a core with four rows, 91 with three.
DENSE, HURT, TWIN, SPARE = range(4)
MOST_MASKS = 10 * 30 * 7  # a bit for each weight: ten sparsities of a model like the bundled one take 130 MB


class Masks:
    """Cache of the latest masks of a model's linears, a bit for each weight: from it the lab prunes in an instant."""

    def __init__(self, norms: Callable[[int], Mapping[str, Tensor]]):
        """norms: layer -> linear -> (in,) L2 norm of its inputs in the dense model."""
        self.norms = norms
        self.find = lru_cache(MOST_MASKS)(self._find)

    def weight(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> Tensor:
        """Pruned weight of the linear as its module stores it; the module is not changed."""
        if pruner not in SPARSIFIERS:  # not made by a mask
            return self._pruned(linear, layer, pruner, sparsity)
        dense = linear.module.weight
        bits = np.unpackbits(self.find(linear, layer, pruner, sparsity), count=dense.numel())
        return dense * torch.from_numpy(bits).view_as(dense)  # three times faster than filling by a mask

    def _find(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> np.ndarray:
        """Mask of the weights that stay: a bit each, in the order of storage."""
        return np.packbits((self._pruned(linear, layer, pruner, sparsity) != 0).numpy())

    def _pruned(self, linear: Linear, layer: int, pruner: str, sparsity: float) -> Tensor:
        treatment = Treatment(pruner)
        statistics = {each: self.norms(layer) for each in treatment.statistics}
        return prune_linear(linear, layer, treatment, statistics, sparsity)


@frozen
class MaskedInjection(Injection):
    """An injection that prunes with cached masks."""

    masks: Masks

    def _weights(self, treatment: Treatment, sparsity: float, linear: str | None) -> Tensors:
        return {
            f"{each.name}.weight": self.masks.weight(each, self.layer, treatment.pruner, sparsity)
            for each in selected_linears(self.call.layer, linear)
        }


@frozen
class GenerationInjection:
    """An injection while the model writes: each method returns a context that changes the damaged row of every run.

    A run of one row is the damaged one's. An injection takes the place of a layer's recorded run; nothing is run twice,
    since a run extends keys and values.
    """

    loaded: Loaded
    prune: Callable[..., dict[nn.Module, Tensor]]  # of a layer, see `Continuations`
    layer: int
    seed: int  # of the noise
    first: int  # position of the first token of the run
    tokens: int

    @property
    def entry(self) -> AbstractContextManager:
        """The layer left out; it caches keys and values all the same."""
        return self._replaced(lambda entry, _: entry)

    def noise(self, kind: str, like: Tensor | None = None) -> Tensor:
        """Standard normal noise, (1, tokens, width); that of a position is the same in every run."""
        width = self.loaded.config.get_text_config().hidden_size if like is None else like.shape[-1]
        positions = range(self.first, self.first + self.tokens)
        return normal(kind, self.seed, self.layer, positions, 1, width).transpose(0, 1)

    def moved(
        self, direction: Tensor, size: float, positions: Positions, start: Tensor | None = None
    ) -> AbstractContextManager | Tensor:
        """Move the stream after the layer, or `start`, by `size` of its norm in a direction, per token."""

        def move(start):
            return start + rescaled(direction.to(start.device), start, size, "all" if self.first else positions)

        return move(start) if start is not None else self._replaced(lambda _, stream: move(stream))

    def pruned(self, treatment: Treatment, sparsity: float, part: str | None = None) -> AbstractContextManager:
        """Use pruned weights of linears, all or those of a part, for the damaged row."""
        weights = self.prune(self.layer, treatment, sparsity, part)

        def changed(module, args, output):
            inputs = args[0].reshape(-1, self.tokens, args[0].shape[-1])  # OPT's has one row for all tokens
            own, module.weight.data = module.weight.data, weights[module]
            try:
                pruned = module.forward(inputs[_damaged(inputs)])  # without this hook
            finally:
                module.weight.data = own
            rows = output.reshape(*inputs.shape[:2], output.shape[-1])
            return _with_damaged_row(rows, lambda _: pruned).reshape(output.shape)

        return entered(module.register_forward_hook(changed) for module in weights)

    def edited(self, part: str, edit: Edit) -> AbstractContextManager:
        """Edit the output of a part for the damaged row."""
        return edited(self.loaded.layers[self.layer], part, lambda output: _with_damaged_row(output, edit))

    def _replaced(self, change: Callable[[Tensor, Tensor], Tensor]) -> AbstractContextManager:
        """Replace the layer's output by a function of its input and output."""

        def replaced(layer, args, kwargs, output):
            call = call_from_hook(layer, args, kwargs, output)
            entry = call.entry[_damaged(call.entry)]
            return call.output(_with_damaged_row(call.exit, lambda stream: change(entry, stream)))

        return self.loaded.layers[self.layer].register_forward_hook(replaced, with_kwargs=True)


def _damaged(rows: Tensor) -> slice:
    """Place of the damaged row, (1, ...), among rows."""
    return slice(HURT, HURT + 1) if len(rows) > 1 else slice(1)


def _with_damaged_row(rows: Tensor, change: Edit) -> Tensor:
    """Apply a change to the damaged row alone."""
    at = _damaged(rows)
    return torch.cat([rows[: at.start or 0], change(rows[at]), rows[at.stop :]])
