"""Base allocators: pure functions from what is known of the layers to a wished sparsity per layer.

Every one uses one sparsity for all linears of a layer. The wish is what the reference code computes before any clamp of
its own; the budget step follows separately, so that published numbers can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.allocation.band import band, unit
from core.specs.errors import UserError
from core.store.results import Array


def uniform(layers: int, target: float) -> Array:
    """Every layer alike: the default of magnitude, Wanda and SparseGPT."""
    return np.full(layers, target)


def owl(outlier_ratio: Array, target: float, lam: float = 0.08) -> Array:
    """OWL (Yin et al., arXiv 2310.05175): more outliers, less sparsity.

    The score is the share of a layer's Wanda scores above `M` times their mean. The paper promises target +- lam; its
    code makes a band of width 2 lam that is not centred, and so does this. The code's default is M = 3, its published
    commands say M = 5. Where the band reaches 0 or less the code prunes 0.01 instead, which this does not.

    Args:
        outlier_ratio: (layers,) fraction.
    """
    return band(outlier_ratio, target, lam)


def dlp(score_mean: Array, target: float, alpha: float = 0.15) -> Array:
    """DLP (arXiv 2505.23807): a layer with large mean Wanda scores is pruned more.

    The paper says the median of the scores, its code takes the mean; so does this, unless the median is passed in.

    Args:
        score_mean: (layers,) mean of the pooled Wanda scores.
        alpha: half width of the band, sparsity units.
    """
    whole = score_mean.sum()
    return band(1 - score_mean / whole if whole else np.zeros_like(score_mean), target, alpha)


def alphapruning(alpha: Array, parameters: Array, target: float, epsilon: float = 0.3) -> Array:
    """AlphaPruning (arXiv 2410.10912): a heavy-tailed spectrum (small alpha) is pruned less.

    Sparsity ratios in [1 - epsilon, 1 + epsilon], scaled to the exact budget. The reference code does not clip, and
    its published settings pass 1 in places. The paper defines the Hill estimator of alpha; its code defaults to the one
    that searches the tail.

    Args:
        alpha: (layers,) mean exponent of the layer's linears.
        parameters: (layers,) prunable weights.
    """
    stretched = unit(alpha)
    if not stretched.any():
        return uniform(len(alpha), target)
    ratio = (1 - epsilon) + 2 * epsilon * stretched
    return ratio * target * parameters.sum() / (parameters * ratio).sum()


def manual(sparsity: Sequence[float] | Sequence[Sequence[float]], units: int) -> Array:
    """Set by hand, our own: the numbers as they are given.

    Args:
        sparsity: (layers,) or (layers, linears).
        units: how many the budget is spread over: layers, or layers times linears.

    Raises:
        UserError: another number of them.
    """
    wish = np.array(sparsity, float).ravel()
    if len(wish) != units:
        raise UserError(f"this allocation has {len(wish)} layers, the model has {units}")
    return wish


def depth_ramp(layers: int, target: float, beta: float = 0.01) -> Array:
    """A straight line over depth: ATP (arXiv 2502.14770) and NeuroAL (arXiv 2411.07066).

    ATP keeps the line inside 0 to 1 by a limit on beta, min(2 S, 2 (1 - S)) / (layers - 1); NeuroAL's code clamps to
    0.01 and 0.99. Neither is done here, and a falling line may be asked for too.

    Args:
        beta: step from a layer to the next, sparsity units; ATP searches it on the very test text it reports.
    """
    return target + beta * (np.arange(layers) - (layers - 1) / 2)
