"""Gains and verdicts from drift. Pure numpy: answers in microseconds.

Several noise seeds of one perturbation are passed as a list of `Perturbed`; they are averaged first, so that the
sequences are the independent observations. `n` is always their number.
"""

import math

import numpy as np
from scipy.special import stdtr, stdtrit

from core.base import frozen
from core.store import Array, Seeds

CONFIDENCE = 0.95
BAND = math.log(1.05)
FEWEST_SEQUENCES = 8
VERDICTS = {1: "amplifies", -1: "absorbs", 0: "undecided"}


@frozen
class Gains:
    """Gain of every injection layer, `r_i = exp(mean ln(R[i,L-1] / R[i,i]))`; above 1 the rest amplifies."""

    value: Array  # (layers,) ratio
    low: Array  # (layers,) ratio, lower end of the 95% Student-t interval over sequences
    high: Array  # (layers,) ratio
    mean_ratio: Array  # (layers,) E[R_L / R_i], the paper's coefficient (second-hand)
    median: Array  # (layers,) median over tokens, mean over sequences
    drift: Array  # (layers,) measured drift at injection, geometric mean
    verdicts: tuple[str | None, ...]  # per layer, see `verdicts_of`
    uncorrected: tuple[str | None, ...]  # the same by each layer's own interval
    n: int  # sequences


def log_gain(seeds: Seeds) -> Array:
    """`ln r_i` per sequence, (layers, sequences), averaged over noise seeds; NaN where there was no drift."""
    every = [finite(each.log_drift) for each in seeds]
    return np.mean([logs[:, -1] - np.einsum("iin->in", logs) for logs in every], axis=0)


def averaged(seeds: Seeds, field: str) -> Array:
    """A field of `Perturbed`, shaped as there, averaged over noise seeds."""
    return np.mean([getattr(each, field) for each in seeds], axis=0)


def per_layer(seeds: Seeds, field: str) -> Array:
    """A field of layers and sequences, (layers,): its mean over sequences, then noise seeds."""
    return np.mean([getattr(each, field).mean(1) for each in seeds], axis=0)


def gains_of(seeds: Seeds) -> Gains:
    """Gains with intervals and verdicts; see `Gains`."""
    logs = log_gain(seeds)
    mean, low, high = student(logs)
    return Gains(
        value=np.exp(mean),
        low=np.exp(low),
        high=np.exp(high),
        mean_ratio=per_layer(seeds, "ratio"),
        median=per_layer(seeds, "ratio_q50"),
        drift=np.exp(np.mean([finite(np.einsum("iin->in", each.log_drift)).mean(1) for each in seeds], axis=0)),
        verdicts=verdicts_of(logs),
        uncorrected=verdicts_of(logs, corrected=False),
        n=logs.shape[1],
    )


def student(samples: Array, share: float = 1.0) -> tuple[Array, Array, Array]:
    """Mean and the ends of its 95% Student-t interval over the last axis; infinite ones with a single sample.

    Args:
        share: of the n - 1 degrees of freedom, which fewer make the interval wider.
    """
    n = samples.shape[-1]
    mean = samples.mean(-1)
    half = np.inf
    if n > 1:
        half = stdtrit(share * (n - 1), 0.5 + CONFIDENCE / 2) * (samples.std(-1, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def verdicts_of(logs: Array, corrected: bool = True) -> tuple[str | None, ...]:
    """The direction of every layer whose mean lies beyond the band of 5 %, tested at 95 %.

    Args:
        logs: (layers, sequences) log ratios, nats.
        corrected: Holm's step-down over the layers, so that all verdicts hold together; False tests each by itself.

    Returns:
        Per layer amplifies / absorbs / undecided; below 8 sequences `undecided (n = 7)`; None at the last layer, whose
        gain is 1 by definition.
    """
    layers, n = logs.shape
    if n < FEWEST_SEQUENCES:
        return (*[f"undecided (n = {n})"] * (layers - 1), None)
    return (*map(VERDICTS.get, tested(logs[:-1], corrected=corrected)), None)


def tested(logs: Array, band: float = BAND, corrected: bool = True) -> list[int]:
    """The sign of every row's mean where it lies beyond the band for certain, else 0: (rows, samples), at least two."""
    signs = [0] * len(logs)
    n, mean = logs.shape[1], logs.mean(1)
    error = np.maximum(logs.std(1, ddof=1) / math.sqrt(n), 1e-300)
    beyond = (np.abs(mean) - band) / error  # how far outside the band, in standard errors
    p = np.nan_to_num(2 * stdtr(n - 1, -beyond), nan=1.0)
    for rank, row in enumerate(np.argsort(p, kind="stable")):
        if p[row] > (1 - CONFIDENCE) / (len(p) - rank if corrected else 1):
            break
        signs[row] = int(np.sign(mean[row]))
    return signs


def finite(logs: Array) -> Array:
    """A log of zero drift says nothing: NaN."""
    return np.where(np.isfinite(logs), logs, np.nan)
