"""The map from a score to a sparsity that OWL, DLP and others share."""

from __future__ import annotations

import numpy as np

from core.base.spec import Array

ROUNDING = 1e-9  # relative: scores this close are the same, and would be stretched over the whole band


def unit(score: Array) -> Array:
    """A score stretched to [0, 1]; all 0 where every layer scores the same, which the reference codes turn into NaN.

    A score that is NaN makes all NaN, for the budget step to refuse.
    """
    spread = score.max() - score.min()
    alike = spread <= ROUNDING * np.abs(score).max()
    return np.zeros_like(score) if alike else (score - score.min()) / spread


def band(score: Array, target: float, half_width: float) -> Array:
    """High scores keep more weights, inside a band of width `2 * half_width`; unclipped, as the reference codes do it.

    The plain mean is the target; the band is not centred on it, so one side may leave target +- half_width.

    Args:
        score: (layers,) what counts for keeping.
        target: mean sparsity.
        half_width: in sparsity units; `lam` of OWL, `alpha` of DLP.

    Returns:
        (layers,) sparsity, perhaps outside [0, 1].
    """
    kept = 2 * half_width * unit(score)
    return target - (kept - kept.mean())
