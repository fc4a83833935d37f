"""Walks that break the model on purpose."""

from collections.abc import Callable

import torch
from torch import Tensor

from core.measure.pruning import Plan
from core.models.loading import Loaded
from core.store.results import Array

Walk = Callable[..., Array]


def breaking(walk: Walk, breaks: Callable[[Plan], bool]) -> Walk:
    """The same walk, on a model whose layer 1 cannot be pruned where the plan `breaks`: its inputs are not finite."""

    def walked(loaded: Loaded, tokens: Tensor, plan: Plan, *rest: object) -> Array:
        if breaks(plan):
            loaded.layers[1].input_layernorm.weight.data.fill_(float("inf"))
        return walk(loaded, tokens, plan, *rest)

    return walked


def spoiling(walk: Walk, layer: int) -> Walk:
    """The same walk, after which a layer puts out what is not a number."""

    def walked(loaded: Loaded, *rest: object) -> Array:
        achieved = walk(loaded, *rest)
        with torch.no_grad():
            [each for each in loaded.layers[layer].parameters() if each.ndim > 1][-1].fill_(float("nan"))
        return achieved

    return walked
