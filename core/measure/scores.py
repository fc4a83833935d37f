"""Wanda scores of a dense model, layer by layer: what OWL and DLP look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.kinds.owl import OUTLIER_THRESHOLDS
from core.models import anatomy
from core.models.loading import Loaded
from core.models.placement import at_hand
from core.store.results import Scores


def scores(
    loaded: Loaded, input_norm: tuple[dict[str, Tensor], ...], step: Callable[[int], object] = lambda _: None
) -> Scores:
    """Pool the scores `|W_ij| ||X_j||_2` of a layer's linears and describe them.

    Args:
        input_norm: per layer, linear -> (in,) L2 norm of its inputs over the text's tokens.
        step: told the layer that is done.
    """
    rows = []
    for index, (layer, norms) in enumerate(zip(loaded.layers, input_norm, strict=True)):
        with at_hand(layer):
            rows.append(_layer(layer, norms))
        step(index)
    ratio, mean, median = (np.array(each) for each in zip(*rows, strict=True))
    return Scores(outlier_ratio=ratio, mean=mean, median=median)


def _layer(layer: torch.nn.Module, norms: dict[str, Tensor]) -> tuple[list[float], float, float]:
    stack = anatomy.prunable(layer)
    weights = [linear.weight for linear in stack]
    pooled = torch.empty(sum(map(torch.numel, weights)), device=weights[0].device)
    for linear, part in zip(stack, pooled.split([each.numel() for each in weights]), strict=True):
        torch.mul(linear.weight.abs().float(), norms[linear.name].to(part.device), out=part.view(linear.weight.shape))
    mean = float(pooled.mean(dtype=torch.float64 if pooled.device.type != "mps" else None))
    above, left = [], pooled
    for threshold in OUTLIER_THRESHOLDS:  # they rise: what lies above one is among what lay above those before
        left = left[left > threshold * mean]
        above.append(left.numel() / pooled.numel())
    return above, mean, float(pooled.median())
