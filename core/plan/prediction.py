"""Prediction of what an allocation costs that nobody evaluated, from some that were. Pure numpy.

Pruning layer l alone to s_l does the harm f_l(s_l); all of them together raise the loss by a smooth function of these:

    ln(increase) = c0 + c1 (x - m) + c2 (x - m)^2,    x = ln(sum_l f_l(s_l)^p) / p,    m the mean x of the anchors

The anchors are evaluated settings of one pruner, repair and protocol. The coefficients are least squares, drawn to a
proportion of harm and increase (c1 = 1, c2 = 0) by as little as a few anchors need not to bend: one gives a ratio, two
a line; outside the anchors it goes on straight. The power p says how evenly a pruner spreads its harm: 1 where harms
simply add, less where repair evens them out; of `POWERS` the one with the least leave-one-out residuals, 1 preferred.
The interval is Student's t on these residuals, wider with leverage. More harm of a layer never predicts less loss.
Ours.

Which harm: by leave-one-out over all committed settings, the squared final drift errs by 2.3 % (median), the KL
divergence and the loss of the perturbed layer by more, with curves of plain Wanda for every pruner and repair; the
harm of linears serves best as the even sparsity of their layer that would do as much (`responses.layer_harms`). The
table is on the Evidence page.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from core.base import Array, Estimate, UserError, frozen

CONFIDENCE = 0.9
FEWEST = 2  # anchors
POWERS = (1 / 3, 1 / 2, 2 / 3, 0.8, 1.0, 1.25, 1.5)
# Standard deviations around p = 1 (of ln p), c1 = 1 and c2 = 0, and of a residual: what few anchors are weighed against
OF_POWER, OF_SLOPE, OF_BEND, OF_NOISE = 0.35, 0.4, 0.1, 0.05
# What is known of residuals before there are any: one of 15 %, so that few anchors that happen to agree prove little
DOUBT, DOUBTS = 0.15, 1
FLATTEST = 0.5  # slope below the anchors: little harm costs little


@frozen
class Predictor:
    """A fitted curve; see the module."""

    power: float
    centre: float  # mean abscissa of the anchors
    ends: tuple[float, float]  # the least and the largest abscissa of them, less the mean
    terms: Array  # (3,) c0, c1, c2
    spread: Array  # (3, 3) covariance of the terms over the variance of a residual
    deviation: float  # standard deviation of a residual, of ln(increase)
    quantile: float  # Student's t

    def __call__(self, harms: Array, beside: Array | None = None) -> Estimate:
        """Increase of the loss over the dense model's, nats/token, with its 90 % interval; (allocations,) each.

        NaN where the harm is not known.

        Args:
            harms: (allocations, layers) harm of each of their layers alone.
            beside: (1, layers) of one whose cost is known: the intervals are then of what tells them from that, for
                what the curve leaves open of both is no difference.
        """
        with np.errstate(divide="ignore"):
            x = _abscissa(harms, self.power) - self.centre
        none = np.isneginf(x)  # nothing is pruned
        x = np.where(none, 0.0, x)
        rows = _rows(x, *self.ends)
        middle = self._curve(x)
        if beside is not None:
            rows -= _rows(_abscissa(beside, self.power) - self.centre, *self.ends)
        wide = np.maximum(np.einsum("ij,jk,ik->i", rows, self.spread, rows), 0) + (beside is not None)
        half = self.quantile * self.deviation * np.sqrt(1 + wide)
        with np.errstate(over="ignore"):
            return Estimate(middle, middle - half, middle + half).map(lambda log: np.where(none, 0.0, np.exp(log)))

    def _curve(self, x: Array) -> Array:
        """ln(increase): flat where the fit would fall, and below the anchors no flatter than `FLATTEST`."""
        _, slope, bend = self.terms
        low, high = self.ends
        first, last = slope + 2 * bend * low, slope + 2 * bend * high
        turn = -slope / (2 * bend) if first * last < 0 else 0.0
        rising = np.clip(x, turn if first < 0 else -math.inf, turn if last < 0 else math.inf)
        return _rows(rising, low, high) @ self.terms + max(FLATTEST - max(first, 0.0), 0.0) * np.minimum(x - low, 0.0)


def fit(harms: Array, increases: Array) -> Predictor:
    """Fit the curve to the anchors.

    Args:
        harms: (anchors, layers) harm of each layer pruned alone.
        increases: (anchors,) of the loss, nats/token, above 0.

    Raises:
        UserError: fewer than two anchors.
    """
    if len(increases) < FEWEST:
        raise UserError(f"a prediction needs {FEWEST} or more evaluated settings, and there are {len(increases)}")
    return min((_fitted(harms, increases, power) for power in POWERS), key=lambda each: _cost(each, len(increases)))


def _cost(predictor: Predictor, anchors: int) -> float:
    """Minus twice the logarithm of how likely a power is."""
    return 2 * (DOUBTS + anchors) * math.log(predictor.deviation) + (math.log(predictor.power) / OF_POWER) ** 2


def _fitted(harms: Array, increases: Array, power: float) -> Predictor:
    """The curve of one power, with the leave-one-out residuals, each over what its own leverage adds."""
    x, y = _abscissa(harms, power), np.log(increases)
    centre = float(x.mean())
    ends = float(x.min() - centre), float(x.max() - centre)
    rows = _rows(x - centre, *ends)
    drawn = np.diag([0, (OF_NOISE / OF_SLOPE) ** 2, (OF_NOISE / OF_BEND) ** 2])
    spread = np.linalg.inv(rows.T @ rows + drawn)
    terms = spread @ (rows.T @ y + drawn @ [0, 1, 0])
    leverage = np.einsum("ij,jk,ik->i", rows, spread, rows)
    # left out, a residual r is r / (1 - h), and its variance is larger by 1 / (1 - h)
    residuals = float(((y - rows @ terms) ** 2 / (1 - leverage)).sum())
    deviation = math.sqrt((DOUBTS * DOUBT**2 + residuals) / (DOUBTS + len(y)))
    quantile = float(stdtrit(DOUBTS + len(y) - FEWEST, 0.5 + CONFIDENCE / 2))
    return Predictor(power, centre, ends, terms, spread, deviation, quantile)


def _abscissa(harms: Array, power: float) -> Array:
    """(allocations,)"""
    return np.log((harms**power).sum(-1)) / power


def _rows(x: Array, low: float, high: float) -> Array:
    """1, x and its square, which goes on as a tangent outside the anchors."""
    inside = np.clip(x, low, high)
    return np.stack([np.ones_like(x), x, inside * (2 * x - inside)], axis=-1)


def leave_one_out(harms: Array, increases: Array) -> Estimate:
    """Every anchor predicted by the others, (anchors,).

    Raises:
        UserError: fewer than three anchors.
    """
    others = ~np.eye(len(increases), dtype=bool)
    predictions = [fit(harms[rest], increases[rest])(harms[[one]]) for one, rest in enumerate(others)]
    return Estimate(*np.concatenate([each[:3] for each in predictions], axis=1))


class Errors(NamedTuple):
    """Anchors predicted by the others: errors of the loss increase as fractions, and how many intervals held it."""

    median: float
    ninety: float  # the 90th percentile
    covered: float  # fraction
    half_width: float  # median of the intervals, as a fraction of the increase


def errors(predictions: Estimate, true: Array) -> Errors:
    """Errors of predictions, (settings,) each."""
    off, covered = np.abs(predictions.value / true - 1), (predictions.low <= true) & (true <= predictions.high)
    half_width = (predictions.high - predictions.low) / (2 * predictions.value)
    return Errors(*map(float, (np.median(off), np.quantile(off, 0.9), covered.mean(), np.median(half_width))))
