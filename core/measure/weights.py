"""What a model's weights alone tell: counts, and the exponents that AlphaPruning (arXiv 2410.10912) goes by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.models import anatomy
from core.models.loading import Loaded
from core.models.placement import at_hand
from core.store.results import Array, Weights

BINS = 100


def weights(loaded: Loaded, step: Callable[[int], None]) -> Weights:
    """Counts and exponents of every linear; `step` is told the layer that is done.

    Raises:
        UserError: a layer cannot be pruned.
    """
    stacks = [anatomy.prunable(layer) for layer in loaded.layers]
    shape = (len(stacks), max(len(stack) for stack in stacks))
    counts, hill, peak = (np.full(shape, np.nan) for _ in range(3))
    for index, stack in enumerate(stacks):
        with at_hand(loaded.layers[index]):
            for column, linear in enumerate(stack):
                values = spectrum(linear.weight)
                counts[index, column] = linear.weight.numel()
                hill[index, column] = alpha_hill(values)
                peak[index, column] = alpha_peak(values)
        step(index)
    return Weights(parameters=counts, alpha_hill=hill, alpha_peak=peak)


def spectrum(weight: Tensor) -> Array:
    """Squared singular values, ascending, (min(out, in),): eigenvalues of the smaller Gram matrix, in float64.

    The reference code takes float32 singular values of the whole matrix, which is slower and less exact.
    """
    wide = weight.detach().cpu().double()
    wide = wide if wide.shape[0] <= wide.shape[1] else wide.T
    return torch.linalg.eigvalsh(wide @ wide.T).numpy()


def alpha_hill(eigenvalues: Array) -> float:
    """The paper's estimator, `1 + k / sum ln(lam_{n-i+1} / lam_{n-k})` over the largest half, k = n // 2.

    Args:
        eigenvalues: (n,) ascending squared singular values.

    Returns:
        NaN where the largest half are equal: no tail falls off.
    """
    values = _positive(eigenvalues)
    k = len(values) // 2
    if not k or values[-1] == values[-k - 1]:
        return float("nan")
    return 1 + k / float(np.log(values[-k:] / values[-k - 1]).sum())


def alpha_peak(eigenvalues: Array) -> float:
    """The reference code's default: of all tails that begin below 1.5 times the peak, the one a power law fits best.

    The peak is the left edge of the fullest of 100 bins of log10 eigenvalues. The code means to bound the tail from
    below too, but compares a logarithm with a plain value: in practice there is no lower bound, and none is there here.

    Args:
        eigenvalues: (n,) ascending squared singular values.
    """
    values = _positive(eigenvalues)
    counts, edges = np.histogram(np.log10(values), bins=BINS)
    highest = 1.5 * 10 ** edges[counts.argmax()]
    logs = np.log(values)
    from_here = np.cumsum(logs[::-1])[::-1]  # sum of logs from each eigenvalue to the largest
    best, alpha = np.inf, float("nan")
    for start in np.flatnonzero(values <= highest):
        size = len(values) - start
        excess = from_here[start] - size * logs[start]
        if size < 2 or excess <= 0:
            continue
        tried = 1 + size / excess
        fitted = 1 - np.exp((1 - tried) * (logs[start:] - logs[start]))
        distance = np.abs(fitted - np.arange(size) / size).max()
        if distance < best:
            best, alpha = distance, tried
    return float(alpha)


def _positive(eigenvalues: Array) -> Array:
    """Without the zeros of a matrix that lacks full rank: they have no logarithm."""
    return eigenvalues[eigenvalues > eigenvalues[-1] * 1e-12]
