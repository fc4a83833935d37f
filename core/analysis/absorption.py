"""From drift to gains, verdicts and their reasons. Pure numpy: answers in microseconds.

Several noise seeds of one perturbation are passed as a list of `Perturbed`; they are averaged first, so that the
sequences are the independent observations. `n` is always their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from core.specs.formats import ranges
from core.store.results import Activation, Array, Perturbed

CONFIDENCE = 0.95
BAND = math.log(1.05)
FEWEST_SEQUENCES = 8
FLOOR_MARGIN = 10
DIRECTIONS = {"amplifies": "amplify", "absorbs": "absorb"}  # of one layer, of several


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
        logs = _finite(each.log_drift)
        per_seed.append(logs[:, -1] - np.einsum("iin->in", logs))
    return np.mean(per_seed, axis=0)


def gains(seeds: Sequence[Perturbed]) -> Gains:
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
        drift=np.exp(np.mean([_finite(np.einsum("iin->in", each.log_drift)).mean(1) for each in seeds], axis=0)),
        verdicts=(*(_verdict(mean[i], half[i], n) for i in range(len(mean) - 1)), None),
        firm=jointly(logs),
        n=n,
    )


def student(samples: Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Mean and half width of the Student-t interval over the last axis; infinite with a single sample."""
    n = samples.shape[-1]
    mean = samples.mean(-1)
    if n < 2:
        return mean, np.full_like(mean, np.inf)
    error = samples.std(-1, ddof=1) / math.sqrt(n)
    return mean, stdtrit(n - 1, 0.5 + confidence / 2) * error


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


def finding(found: Gains) -> str:
    """One sentence: which layers amplify, which absorb, which are undecided. Ranges hold jointly at 95% (Holm).

    Layers that are decided, and coloured, by their own interval but not jointly are named apart.
    """
    if found.n < FEWEST_SEQUENCES:
        return f"Undecided: {found.n} sequences are too few for a verdict, {FEWEST_SEQUENCES} are needed."
    pairs = list(enumerate(zip(found.firm[:-1], found.verdicts[:-1], strict=True)))
    said = []
    for one, many in DIRECTIONS.items():
        said.append(clause([i for i, (firm, _) in pairs if firm == one], one, many))
    neither = [i for i, (firm, own) in pairs if firm == "undecided" and own not in DIRECTIONS]
    said.append(clause(neither, "is undecided", "are undecided"))
    for one, many in DIRECTIONS.items():
        said.append(by_own_interval([i for i, (firm, own) in pairs if own == one != firm], one, many))
    text = ", ".join(filter(None, said))
    return text[:1].upper() + text[1:] + f" (n = {found.n})."


def clause(layers: Sequence[int], one: str, many: str) -> str:
    """`layer 3 amplifies`, `layers 3 to 5 amplify`; empty without layers."""
    return f"{named(layers)} {one if len(layers) == 1 else many}" if layers else ""


def by_own_interval(layers: Sequence[int], one: str, many: str) -> str:
    """The same of layers that Holm's correction leaves undecided."""
    ending = "by its own interval only" if len(layers) == 1 else "by their own interval only"
    return clause(layers, f"{one} {ending}", f"{many} {ending}")


def named(layers: Sequence[int]) -> str:
    """`layer 3`, `layers 3 to 5 and 7`."""
    return f"layer{'' if len(layers) == 1 else 's'} {ranges(layers)}"


# --- drift on its way through the network --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Curves:
    """Drift `R[i,k]` with its interval over sequences, each (injection, read); NaN below the diagonal."""

    value: Array
    low: Array
    high: Array


def curves(seeds: Sequence[Perturbed]) -> Curves:
    """Geometric mean drift over tokens, seeds and sequences, with the 95% interval over sequences."""
    mean, half = student(np.mean([_finite(each.log_drift) for each in seeds], axis=0))
    return Curves(np.exp(mean), np.exp(mean - half), np.exp(mean + half))


def matrix(seeds: Sequence[Perturbed]) -> Array:
    """Arithmetic mean drift over the tokens after the first, then sequences and seeds: (injection, read)."""
    return np.mean([each.drift for each in seeds], axis=0)


def relative(seeds: Sequence[Perturbed]) -> Array:
    """`R[i,k] / R[i,i]`, (injection, read): what is left at layer k of the drift injected at layer i."""
    logs = np.mean([_finite(each.log_drift).mean(-1) for each in seeds], axis=0)
    return np.exp(logs - np.diag(logs)[:, None])


def step_ratio(seeds: Sequence[Perturbed]) -> Array:
    """`rho[i,k] = R[i,k] / R[i,k-1]`, (injection, read); NaN at and below the diagonal; `ln r_i = sum of ln rho`."""
    logs = np.mean([_finite(each.log_drift).mean(-1) for each in seeds], axis=0)
    step = np.full_like(logs, np.nan)
    step[:, 1:] = np.exp(np.diff(logs, axis=1))
    return step


def below_floor(seeds: Sequence[Perturbed], floor: Array) -> NDArray[np.bool_]:
    """Where drift is under ten times what rounding alone does at the read layer: (injection, read)."""
    return matrix(seeds) < FLOOR_MARGIN * floor


# --- why: dilution, size, kind -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dilution:
    """`ln r = absolute gain - norm growth`, each (layers, sequences), nats.

    A damage that stays frozen while the stream grows has absolute gain 0, so its `ln r` is minus the growth.
    """

    absolute: Array  # ln(||d_L|| / ||d_i||)
    growth: Array  # ln(||h_L|| / ||h_i||)

    @property
    def frozen(self) -> Array:
        """`ln r` of the frozen-noise baseline."""
        return -self.growth


def dilution(seeds: Sequence[Perturbed], activation: Activation) -> Dilution:
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
    logs = np.log(sizes)
    found = np.full(log_gains.shape[1], np.nan)
    for layer in range(log_gains.shape[1] - 1):
        g = log_gains[:, layer]
        for k in range(len(g) - 1):
            if g[k] > 0 >= g[k + 1]:
                found[layer] = np.exp(logs[k] + (logs[k + 1] - logs[k]) * g[k] / (g[k] - g[k + 1]))
    return found


def at_drift(target: Array, drifts: Array, log_gains: Array) -> Array:
    """`ln r` of a size family where its measured drift at injection equals `target`: (layers,).

    Straight lines in ln(drift) between the measured sizes; NaN outside them, for nothing is extrapolated.

    Args:
        target: (layers,) measured drift at injection to match.
        drifts, log_gains: (sizes, layers), in any order of size.
    """
    found = np.full(len(target), np.nan)
    for layer, wanted in enumerate(target):
        order = np.argsort(drifts[:, layer])
        x = np.log(drifts[order, layer])
        if wanted > 0 and x[0] <= np.log(wanted) <= x[-1]:
            found[layer] = np.interp(np.log(wanted), x, log_gains[order, layer])
    return found


def _finite(logs: Array) -> Array:
    """A log of zero drift says nothing: NaN."""
    return np.where(np.isfinite(logs), logs, np.nan)
