"""Prediction of what an allocation costs that nobody evaluated, from some that were. Pure numpy.

Pruning layer l alone to s_l does the harm f_l(s_l); all of them together raise the loss by a smooth function of these,
and by what allocations have in common that spread about as much harm in about the same shares:

    ln(increase) = c0 + c1 x + c2 x^2 + g(x, h) + noise,    x = ln(sum_l f_l(s_l)^p) / p - m

    h_l = sqrt(f_l(s_l) / sum_k f_k(s_k)),    cov(g, g') = 0.12^2 exp((h . h' - 1) / 0.5^2 - (x - x')^2 / 2)

The anchors are evaluated settings of one pruner, repair and protocol, m their mean x. The curve is drawn to a
proportion of harm and increase (c1 = 1, c2 = 0) by as little as a few anchors need not to bend: one gives a ratio, two
a line; outside the anchors it goes on straight. The process g leads predictions through what was measured, to the
noise, and vanishes far from it; h . h' is how alike two allocations spread their harm (Bhattacharyya's coefficient).
Both are one posterior in closed form: universal kriging (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, 2.7). The power p says how evenly a pruner spreads its harm: 1 where harms simply add, less where
repair evens them out; of `POWERS` the one with the least leave-one-out residuals, 1 preferred. The interval is
Student's t on these residuals. More harm in the same shares never predicts less loss. Ours.

All constants, and which harm is read (`responses.of_profile`), are by leave-one-out over the committed settings of
both families at once: on the bundled model alone the squared final drift serves best, on others the KL divergence.
The table is on the Evidence page.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from core.base import Array, Estimate, UserError, frozen

CONFIDENCE = 0.9
FEWEST = 2  # anchors
POWERS = (1 / 3, 1 / 2, 2 / 3, 0.8, 1.0, 1.25, 1.5)
# Standard deviations around p = 1 (of ln p), c1 = 1 and c2 = 0: what few anchors are weighed against
OF_POWER, OF_SLOPE, OF_BEND = 0.5, 0.4, 0.12
DRAWN = np.diag([0, OF_SLOPE**-2, OF_BEND**-2])
# Standard deviations of g and of the noise of one setting, and within which 1 - h . h' two spreads of harm are alike
OF_PROCESS, OF_NOISE, REACH = 0.12, 0.04, 0.5**2
# What is known of residuals before there are any: two of 1.4 times these, so that few that agree prove little
DOUBT, DOUBTS = 2**0.5, 2
FLATTEST = 0.5  # slope below the anchors: little harm costs little
STEPS = 32  # between the ends of the anchors, at which predictions are kept from falling
CONSTANTS = {  # as `hand.js` reads them
    "process": OF_PROCESS**2, "noise": OF_NOISE**2, "reach": REACH, "flattest": FLATTEST, "steps": STEPS
}  # fmt: skip


@frozen
class Predictor:
    """A fitted curve and process; see the module."""

    power: float
    centre: float  # mean abscissa of the anchors
    ends: tuple[float, float]  # the least and the largest abscissa of them, less the mean
    terms: Array  # (3,) c0, c1, c2
    spread: Array  # (3, 3) covariance of the terms
    places: Array  # (anchors,) x
    shares: Array  # (anchors, layers) h
    inverse: Array  # (anchors, anchors) of the covariance of what the curve leaves
    leaning: Array  # (anchors, 3) the inverse times the curve's rows
    pulls: Array  # (anchors,) the inverse times what the curve leaves
    half: float  # half width of an interval over the standard deviation: Student's t times the scale of residuals

    def __call__(self, harms: Array, beside: Array | None = None) -> Estimate:
        """Increase of the loss over the dense model's, nats/token, with its 90 % interval; (allocations,) each.

        NaN where the harm is not known.

        Args:
            harms: (allocations, layers) harm of each of their layers alone.
            beside: (1, layers) of one whose cost is known: the intervals are then of what tells them from that, for
                what is open of both is no difference.
        """
        none = harms.sum(-1) == 0  # nothing is pruned
        x, inside, shares, alike, rows = self._seen(np.where(none[:, None], 1.0, harms))
        variance = np.full(len(x), OF_PROCESS**2 + OF_NOISE**2)
        if beside is not None:
            _, other, its, overlap, one = self._seen(beside)
            variance = 2 * (variance - _covariance(inside, shares, other, its)[:, 0])
            alike, rows = alike - overlap, rows - one
        variance += np.einsum("ij,jk,ik->i", rows, self.spread, rows)
        variance -= np.einsum("ij,jk,ik->i", alike, self.inverse, alike)
        middle, half = self._middle(x, shares), self.half * np.sqrt(np.maximum(variance, OF_NOISE**2))
        with np.errstate(over="ignore"):
            return Estimate(middle, middle - half, middle + half).map(lambda log: np.where(none, 0.0, np.exp(log)))

    def _seen(self, harms: Array) -> tuple[Array, ...]:
        """x, the same inside the anchors, h, covariance with the anchors, the curve's rows less what these say of them.

        Outside the anchors the process depends on x no more.
        """
        x, shares = _abscissa(harms, self.power) - self.centre, _shares(harms)
        inside = np.clip(x, *self.ends)
        alike = _covariance(inside, shares, self.places, self.shares)
        return x, inside, shares, alike, _rows(x, *self.ends) - alike @ self.leaning

    def _middle(self, x: Array, shares: Array) -> Array:
        """ln(increase): in the same shares it never falls, and below the anchors is no flatter than `FLATTEST`."""
        low, high = self.ends
        steps = np.linspace(low, high, STEPS + 1)
        process = [_covariance(np.full(len(x), each), shares, self.places, self.shares) @ self.pulls for each in steps]
        rising = np.maximum.accumulate(_rows(steps, low, high) @ self.terms + np.transpose(process), axis=1)
        inside = np.array([np.interp(one, steps, row) for one, row in zip(x, rising, strict=True)])
        first, last = self.terms[1] + 2 * self.terms[2] * np.array(self.ends)
        return inside + max(first, FLATTEST) * np.minimum(x - low, 0) + max(last, 0) * np.maximum(x - high, 0)


# Of ln(divergence): its rise with the harm, nats, and half of its interval, of rounding that nobody evaluated. Over 20
# settings of two families, 0.001 to 3 nats of harm: harms of rounding nearly add, and more and more than that.
ROUNDING_BEND, ROUNDING_DOUBT = 0.2, 0.35
# More where all harm is an output matrix's, which differs by text: on its own windows a sketch is right to 2 and 22 %,
# and five plans of two families that were sketched on C4 diverged 0.22 to 2.3 times as told on WikiText-2.
OUTSIDE_DOUBT = 1.25


def of_rounding(harms: Array, outside: float) -> Estimate:
    """Divergence of rounded models before any was evaluated, nats, with its 90 % interval; (allocations,) each.

    Args:
        harms: (allocations, layers) divergence that each of their layers alone causes, as a sketch tells it.
        outside: that of the matrices outside the layers.
    """
    total = harms.sum(-1) + outside
    middle = total * np.exp(ROUNDING_BEND * total)
    times = np.exp(ROUNDING_DOUBT + OUTSIDE_DOUBT * outside / np.maximum(total, outside or 1))
    return Estimate(middle, middle / times, middle * times)


def fit(harms: Array, increases: Array) -> Predictor:
    """Fit the curve and the process to the anchors.

    Args:
        harms: (anchors, layers) harm of each layer pruned alone.
        increases: (anchors,) of the loss, nats/token, above 0.

    Raises:
        UserError: fewer than two anchors.
    """
    if len(increases) < FEWEST:
        raise UserError(f"a prediction needs {FEWEST} or more evaluated settings, and there are {len(increases)}")
    return min((_fitted(harms, np.log(increases), power) for power in POWERS), key=lambda each: each[0])[1]


def _fitted(harms: Array, logs: Array, power: float) -> tuple[float, Predictor]:
    """Minus twice the logarithm of how likely a power is, by anchors left out one by one, and its posterior."""
    shares, places, count = _shares(harms), _abscissa(harms, power), len(logs)
    centre = float(places.mean())
    places -= centre
    ends = float(places.min()), float(places.max())
    inverse = np.linalg.inv(_covariance(places, shares, places, shares) + OF_NOISE**2 * np.eye(count))
    rows = _rows(places, *ends)
    leaning = inverse @ rows
    spread = np.linalg.inv(rows.T @ leaning + DRAWN)
    terms = spread @ (leaning.T @ logs + DRAWN[1])
    pulls = inverse @ (logs - rows @ terms)
    # left out, an anchor's residual is its pull over its certainty, and one over the certainty its variance
    certainty = np.diag(inverse) - np.einsum("ij,jk,ik->i", leaning, spread, leaning)
    scale = (DOUBTS * DOUBT**2 + float((pulls**2 / certainty).sum())) / (DOUBTS + count)
    cost = (DOUBTS + count) * math.log(scale) - float(np.log(certainty).sum()) + (math.log(power) / OF_POWER) ** 2
    half = float(stdtrit(DOUBTS + count - FEWEST, 0.5 + CONFIDENCE / 2)) * math.sqrt(scale)
    return cost, Predictor(power, centre, ends, terms, spread, places, shares, inverse, leaning, pulls, half)


def _abscissa(harms: Array, power: float) -> Array:
    """(allocations,)"""
    return np.log((harms**power).sum(-1)) / power


def _shares(harms: Array) -> Array:
    """The square root of each layer's share of the harm, (allocations, layers)."""
    return np.sqrt(harms / harms.sum(-1, keepdims=True))


def _covariance(x: Array, shares: Array, places: Array, others: Array) -> Array:
    """Covariance of g, (allocations, others)."""
    return OF_PROCESS**2 * np.exp((shares @ others.T - 1) / REACH - (x[:, None] - places) ** 2 / 2)


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
