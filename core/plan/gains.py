"""Gains and verdicts from drift. Pure numpy: answers in microseconds.

Several noise seeds of one perturbation are passed as a list of `Perturbed`; they are averaged first, so that the
sequences are the independent observations. `n` is always their number.
"""

import math
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from core.base import Estimate, Flags, frozen
from core.store import Activation, Array, Seeds

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
    value, low, high = np.exp(student(logs))
    return Gains(
        value,
        low,
        high,
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


# --- drift on its way through the network, and why it shrinks: dilution, size, kind ---------------------------------

FLOOR_MARGIN = 10
DIVERGENCE_FLOOR = 4e-7  # nats: mean divergence of a sequence from itself by rounding in float32; it may be below 0


def drift_curves(seeds: Seeds) -> Estimate:
    """Drift `R[i,k]`, each (injection, read): geometric mean over tokens, seeds and sequences, NaN below the diagonal.

    The interval is the 95 % one over sequences.
    """
    return Estimate(*np.exp(student(finite(averaged(seeds, "log_drift")))))


def drift_left(seeds: Seeds) -> Array:
    """`R[i,k] / R[i,i]`, (injection, read): what is left at layer k of the drift injected at layer i."""
    logs = np.mean([finite(each.log_drift).mean(-1) for each in seeds], axis=0)
    return np.exp(logs - np.diag(logs)[:, None])


def below_floor(seeds: Seeds, floor: Array) -> Flags:
    """True where drift is under ten times the noise floor at the read layer: (injection, read)."""
    return averaged(seeds, "drift") < FLOOR_MARGIN * floor


def unreadable(divergence: Any) -> Any:
    """True where a mean divergence is under ten times that of rounding alone, in the shape given."""
    return divergence < FLOOR_MARGIN * DIVERGENCE_FLOOR


@frozen
class Dilution:
    """`ln r = absolute gain - norm growth`, each (layers, sequences), nats.

    A damage that stays frozen while the stream grows has absolute gain 0, so its `ln r` is minus the growth.
    """

    absolute: Array  # ln(||d_L|| / ||d_i||)
    growth: Array  # ln(||h_L|| / ||h_i||)


def split_log_gain(seeds: Seeds, activation: Activation) -> Dilution:
    """Split the log gain into what happened to the damage and what happened to the stream around it."""
    growth = activation.log_norm[-1] - activation.log_norm
    return Dilution(absolute=log_gain(seeds) + growth, growth=growth)


def crossing(sizes: Array, log_gains: Array) -> Array:
    """The size at which amplification turns into absorption, per layer; NaN where it does not within the sizes.

    Args:
        sizes: (sizes,) ascending.
        log_gains: (sizes, layers), `ln r`.

    Returns:
        (layers,), by straight lines in ln(size); the largest crossing from above 1 to below 1.
    """
    logs, sizes_at_1 = np.log(sizes), np.full(log_gains.shape[1], np.nan)
    turns = (log_gains[:-1] > 0) & (log_gains[1:] <= 0)
    for k, layer in np.argwhere(turns[:, :-1]):
        before, after = log_gains[k : k + 2, layer]
        sizes_at_1[layer] = np.exp(logs[k] + (logs[k + 1] - logs[k]) * before / (before - after))
    return sizes_at_1


def at_drift(target: Array, drifts: Array, log_gains: Array) -> Array:
    """`ln r` of a size family where its measured drift at injection equals `target`: (layers,).

    Straight lines in ln(drift) between the measured sizes; NaN outside them, for nothing is extrapolated.

    Args:
        target: (layers,) measured drift at injection to match.
        drifts, log_gains: (sizes, layers), in any order of size.
    """
    order = drifts.argsort(0)
    x, y = (np.take_along_axis(each, order, 0) for each in (np.log(drifts), log_gains))
    with np.errstate(divide="ignore"):
        wanted = np.log(target)
    return np.array([np.interp(*row, np.nan, np.nan) for row in zip(wanted, x.T, y.T, strict=True)])
