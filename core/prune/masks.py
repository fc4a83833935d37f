"""Cache of masks of a model's linears, from which lessons and talks prune in an instant."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from core.methods import SPARSIFIERS, Treatment
from core.models.anatomy import Linear
from core.prune.walk import prune_linear

MOST_MASKS = 10 * 30 * 7  # a bit for each weight: ten sparsities of a model like the bundled one take 130 MB


class Masks:
    """Cache of the latest masks of a model's linears, a bit for each weight."""

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
