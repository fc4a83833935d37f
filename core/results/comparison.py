"""Intervals of differences: paired over windows, spread over seeds; rank correlations. Pure numpy."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import Field

from core.base import Estimate, UserError, frozen, several
from core.plan import student
from core.store import Array

UNKNOWN = Estimate(math.nan, math.nan, math.nan, 0)
FEWEST_WINDOWS = 8
FEWEST_SEEDS = 3
HEAVY_TAILS = 0.5  # of the degrees of freedom of differences between windows


def verdict(interval: Estimate) -> str:
    """`costs`, `gains`, `no different` or `unknown`, for a difference whose zero is `equal`."""
    if not interval.certain:
        return "unknown"
    return "costs" if interval.low > 0 else "gains" if interval.high < 0 else "no different"


def percent_text(interval: Estimate, sign: str = "+") -> str:
    """`+12 % [+9, +15]` with as many decimals as the width calls for; the value alone where there is no interval.

    An end that is not zero gets more of them before it is written as zero: on which side of it it lies is the verdict.
    """
    if not math.isfinite(interval.value):
        return "not a number"
    if not interval.certain:
        return f"{interval.value:{sign},.0f} %, no interval"
    width = interval.high - interval.low
    decimals = min(3, max(0, math.ceil(-math.log10(width / 3)))) if 0 < width < math.inf else 1
    while decimals < 3 and any(each and not round(each, decimals) for each in (interval.low, interval.high)):
        decimals += 1
    ends = (interval.value, interval.low, interval.high)
    value, low, high = (f"{round(each, decimals) + 0.0:{sign},.{decimals}f}" for each in ends)
    return f"{value} % [{low}, {high}]"


def paired(a: Array, b: Array) -> Estimate:
    """Mean of `a - b` over windows with its 95% Student-t interval.

    The difference is taken window by window, so that what makes a window hard for both falls out. Differences of real
    windows are skewed and have heavy tails, so half the degrees of freedom are counted: drawn from those of the
    committed studies, intervals cover the mean 95 to 96 times in 100 with 8 to 64 windows (with all n - 1 degrees 93 to
    95, with a percentile bootstrap 88 to 94).

    Args:
        a, b: (windows,) losses of two settings on the same windows, nats/token.

    Returns:
        NaN throughout if any loss is not finite; NaN ends below 8 windows.

    Raises:
        UserError: the two were not read on the same number of windows.
    """
    if a.shape != b.shape:
        raise UserError(
            f"{len(a)} windows cannot be paired with {len(b)}: evaluate both on the same text, windows and length"
        )
    finite = np.isfinite(a).all() and np.isfinite(b).all()
    return mean(np.asarray(a, np.float64) - b if finite else np.full(len(a), np.nan), FEWEST_WINDOWS, HEAVY_TAILS)


def percent(difference: Estimate) -> Estimate:
    """A difference of mean losses, in nats/token, as the change of perplexity it is, in per cent."""
    with np.errstate(over="ignore"):
        return difference.map(lambda log: float(100 * np.expm1(log)))


def mean(samples: Array, fewest: int = 0, share: float = 1.0) -> Estimate:
    """Mean with its 95% Student-t interval; NaN ends below so many samples, NaN throughout if any is not finite.

    Args:
        share: of the degrees of freedom that count.
    """
    n = len(samples)
    if n == 0 or not np.isfinite(samples).all():
        return UNKNOWN._replace(n=n)
    value, low, high = map(float, student(samples, share))
    return Estimate(value, low, high, n) if n >= fewest else Estimate(value, math.nan, math.nan, n)


def spearman(x: Array, y: Array) -> float:
    """Spearman's rank correlation over the pairs that are finite, ties at their average rank.

    NaN below 2 pairs, or where one side does not vary.
    """
    pairs = np.array([x, y], np.float64)
    pairs = pairs[:, np.isfinite(pairs).all(0)]
    if pairs.shape[1] < 2:
        return math.nan
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef([_ranks(each) for each in pairs])[0, 1])


def standard_error(samples: Array) -> float:
    """Standard error of a mean, from the sample standard deviation (n - 1); NaN with a single sample."""
    n = len(samples)
    return float(np.std(samples, ddof=1) / math.sqrt(n)) if n > 1 else math.nan


def _ranks(values: Array) -> Array:
    """Ranks from 1; equal values share the average of theirs."""
    below, alike = (compare(values[:, None], values).sum(1) for compare in (np.greater, np.equal))
    return below + (alike + 1) / 2


class Accuracy(NamedTuple):
    """A fraction right, or a difference of two, with its standard error: NaN for a single example."""

    value: float
    error: float

    @classmethod
    def mean(cls, samples: Sequence[Array]) -> Self:
        """Mean over independent tasks, each (examples,)."""
        errors = np.array([standard_error(each) for each in samples])
        return cls(float(np.mean([each.mean() for each in samples])), float(np.sqrt((errors**2).sum()) / len(errors)))

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "not a number"
        return f"{self.value:.3f}" + (f" ± {self.error:.3f}" if np.isfinite(self.error) else "")


class Change(NamedTuple):
    """Change of perplexity in per cent, of the losses averaged over the calibration seeds that two settings share."""

    windows: Estimate  # paired over windows
    seeds: Estimate  # the spread over calibration seeds; of none (n = 0) where none were drawn

    @property
    def value(self) -> float:
        return self.windows.value

    @property
    def quoted(self) -> Estimate:
        """The interval shown beside the value: over seeds where three or more were drawn, else over windows."""
        return self.seeds if self.seeds.certain else self.windows

    @property
    def said(self) -> str:
        """`-39 % [-73, +40] over 3 calibration seeds`: the value over seeds and the interval that goes with it."""
        seeds = f" over {several(self.seeds.n, 'calibration seed')}" if self.seeds.n else ""
        return f"{percent_text(self.quoted)}{seeds}"


# --- claims of the literature about damage in a network: what came of testing each. Pure numpy -----------------------

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"


@frozen
class Outcome:
    """A claim tested on one model."""

    verdict: str
    rows: dict[str, Estimate]  # what was measured, in words -> its mean and 95 % interval over sequences or seeds
    counts: Annotated[
        dict[str, str], Field(alias="counted")
    ]  # how many layers amplify, in words: `layers`, and with the first token too
