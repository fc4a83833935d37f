"""From drift to gains and verdicts. Pure numpy: answers in microseconds.

Several noise seeds of one perturbation are passed as a list of `Perturbed`; they are averaged first, so that the
sequences are the independent observations. `n` is always their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from core.store.results import Array, Perturbed

CONFIDENCE = 0.95
BAND = math.log(1.05)
FEWEST_SEQUENCES = 8


@dataclass(frozen=True, eq=False)
class Gains:
    """Gain of every injection layer, `r_i = exp(mean ln(R[i,L-1] / R[i,i]))`; above 1 the rest amplifies."""

    value: Array  # (layers,) ratio
    low: Array  # (layers,) ratio, lower end of the 95% Student-t interval over sequences
    high: Array  # (layers,) ratio
    mean_ratio: Array  # (layers,) E[R_L / R_i], the paper's coefficient (second-hand)
    median: Array  # (layers,) median over tokens, mean over sequences
    quartiles: Array  # (layers, 2) over tokens, mean over sequences
    drift: Array  # (layers,) measured drift at injection, geometric mean
    verdicts: tuple[str | None, ...]  # per layer; None at the last layer, where the gain is 1 by definition
    firm: tuple[str, ...]  # per layer: amplifies / absorbs / undecided after Holm's correction over layers
    n: int  # sequences

    @property
    def absorption(self) -> Array:
        """`A_i = -ln r_i`, nats: positive where the rest of the network absorbs."""
        return -np.log(self.value)


def log_gain(seeds: Sequence[Perturbed]) -> Array:
    """`ln r_i` per sequence, (layers, sequences), averaged over noise seeds; NaN where there was no drift."""
    per_seed = []
    for each in seeds:
        logs = finite(each.log_drift)
        per_seed.append(logs[:, -1] - np.einsum("iin->in", logs))
    return np.mean(per_seed, axis=0)


def gains_of(seeds: Sequence[Perturbed]) -> Gains:
    """Gains with intervals and verdicts; see `Gains`."""
    logs = log_gain(seeds)
    mean, half = student(logs)
    n = logs.shape[1]
    return Gains(
        value=np.exp(mean),
        low=np.exp(mean - half),
        high=np.exp(mean + half),
        mean_ratio=np.mean([each.ratio.mean(1) for each in seeds], axis=0),
        median=np.mean([each.ratio_q50.mean(1) for each in seeds], axis=0),
        quartiles=np.mean(
            [np.stack([each.ratio_q25.mean(1), each.ratio_q75.mean(1)], axis=1) for each in seeds], axis=0
        ),
        drift=np.exp(np.mean([finite(np.einsum("iin->in", each.log_drift)).mean(1) for each in seeds], axis=0)),
        verdicts=(*(_verdict(mean[i], half[i], n) for i in range(len(mean) - 1)), None),
        firm=jointly(logs),
        n=n,
    )


def student(samples: Array, share: float = 1.0) -> tuple[Array, Array]:
    """Mean and half width of the Student-t interval over the last axis; infinite with a single sample.

    Args:
        share: of the n - 1 degrees of freedom, which fewer make the interval wider.
    """
    n = samples.shape[-1]
    mean = samples.mean(-1)
    if n < 2:
        return mean, np.full_like(mean, np.inf)
    error = samples.std(-1, ddof=1) / math.sqrt(n)
    return mean, stdtrit(share * (n - 1), 0.5 + CONFIDENCE / 2) * error


def _verdict(mean: float, half: float, n: int) -> str:
    if n < FEWEST_SEQUENCES:
        return f"undecided (n = {n})"
    if mean - half > BAND:
        return "amplifies"
    if mean + half < -BAND:
        return "absorbs"
    return "undecided"


def jointly(logs: Array) -> tuple[str, ...]:
    """Directions that survive Holm's step-down over the layers with something downstream, family error 5%.

    Args:
        logs: (layers, sequences) log ratios, nats.

    Returns:
        Per layer amplifies / absorbs / undecided; all undecided below 8 sequences, the last layer always.
    """
    layers, n = logs.shape
    firm = ["undecided"] * layers
    if n < FEWEST_SEQUENCES:
        return tuple(firm)
    mean = logs[:-1].mean(1)
    error = np.maximum(logs[:-1].std(1, ddof=1) / math.sqrt(n), 1e-300)
    beyond = (np.abs(mean) - BAND) / error  # how far outside the +-5% band, in standard errors
    p = np.nan_to_num(2 * stdtr(n - 1, -beyond), nan=1.0)
    for rank, layer in enumerate(np.argsort(p, kind="stable")):
        if p[layer] > (1 - CONFIDENCE) / (len(p) - rank):
            break
        firm[layer] = "amplifies" if mean[layer] > 0 else "absorbs"
    return tuple(firm)


def finite(logs: Array) -> Array:
    """A log of zero drift says nothing: NaN."""
    return np.where(np.isfinite(logs), logs, np.nan)
