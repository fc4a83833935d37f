"""Drift on its way through the network, and why it shrinks: dilution, size, kind. Pure numpy.

Several noise seeds are passed as in `core.plan.gains`.
"""

from typing import Any

import numpy as np

from core.base import Estimate, Flags, frozen
from core.plan.gains import averaged, finite, log_gain, student
from core.store import Activation, Array, Seeds

FLOOR_MARGIN = 10
DIVERGENCE_FLOOR = 4e-7  # nats: mean divergence of a sequence from itself by rounding in float32; it may be below 0


def curves(seeds: Seeds) -> Estimate:
    """Drift `R[i,k]`, each (injection, read): geometric mean over tokens, seeds and sequences, NaN below the diagonal.

    The interval is the 95 % one over sequences.
    """
    return Estimate(*np.exp(student(finite(averaged(seeds, "log_drift")))))


def matrix(seeds: Seeds) -> Array:
    """Arithmetic mean drift over the tokens after the first, then sequences and seeds: (injection, read)."""
    return averaged(seeds, "drift")


def relative(seeds: Seeds) -> Array:
    """`R[i,k] / R[i,i]`, (injection, read): what is left at layer k of the drift injected at layer i."""
    logs = np.mean([finite(each.log_drift).mean(-1) for each in seeds], axis=0)
    return np.exp(logs - np.diag(logs)[:, None])


def below_floor(seeds: Seeds, floor: Array) -> Flags:
    """True where drift is under ten times the noise floor at the read layer: (injection, read)."""
    return matrix(seeds) < FLOOR_MARGIN * floor


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


def dilution(seeds: Seeds, activation: Activation) -> Dilution:
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
    result = np.full(len(target), np.nan)
    for layer, wanted in enumerate(target):
        order = np.argsort(drifts[:, layer])
        x = np.log(drifts[order, layer])
        if wanted > 0 and x[0] <= np.log(wanted) <= x[-1]:
            result[layer] = np.interp(np.log(wanted), x, log_gains[order, layer])
    return result
