"""Claims of the literature about damage in a network, each tested on what was measured. Pure numpy."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.base import frozen
from core.plan.gains import BAND, FEWEST_SEQUENCES, Gains, gains_of, log_gain, tested
from core.results import comparison
from core.results.comparison import FEWEST_SEEDS, Interval, spearman
from core.results.evaluations import Evaluations
from core.store import Array, Profile

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"
NOISE, FAINT, EVERYWHERE, PRUNED = "gaussian:0.3", "gaussian:0.01", "gaussian:0.01@all", "residual:wanda:0.7"
REPAIR = ("final norm", "later layers")  # columns of the table
STATED, APART = 0.3, 0.1  # the share that the final norm is said to make up, and how far from it a share may be


@frozen
class Outcome:
    """A claim tested on one model."""

    verdict: str
    rows: dict[str, Interval]  # what was measured, in words -> its mean and 95 % interval over sequences or seeds
    gains: tuple[Gains, ...] = ()  # that the claim is about


def judge(expected: Array, band: float = 0.0, fewest: int = FEWEST_SEQUENCES) -> str:
    """Whether all of several means lie above zero, as a claim says.

    It holds where each of them does for certain, tested at 95 % by itself: all must, so that no correction is called
    for. It does not hold where any lies below for certain, after Holm's correction, since any would do.

    Args:
        expected: (means, samples), signed so that the claim is that all means are above zero.
        band: around zero, within which nothing counts.
    """
    if expected.shape[1] < fewest:
        return OPEN
    if set(tested(expected, band, corrected=False)) == {1}:
        return HOLDS
    return FAILS if -1 in tested(expected, band) else OPEN


def intervals(rows: Mapping[str, Array], factors: bool = True) -> dict[str, Interval]:
    """Mean of each row's samples with its 95 % interval.

    Args:
        factors: the samples are logs of factors, whose geometric mean is wanted.
    """
    found = {name: comparison.mean(samples) for name, samples in rows.items()}
    return {name: Interval(*map(math.exp, row[:3]), row.n) for name, row in found.items()} if factors else found


def order(profile: Profile) -> Outcome:
    """Early layers amplify, later ones absorb: noise as large as pruning's damage, and that damage itself."""
    rows, early = {}, profile.layers // 3
    for called, name in (("noise", NOISE), ("pruning", PRUNED)):
        logs = log_gain(profile.seeds(name))[:-1]
        rows |= {f"{called}, first third": logs[:early].mean(0), f"{called}, later layers": logs[early:].mean(0)}
    expected = np.stack([*rows.values()]) * [[1], [-1], [1], [-1]]
    return Outcome(judge(expected, BAND), intervals(rows))


def small(profile: Profile) -> Outcome:
    """Every layer amplifies small perturbations: faint noise, which spares the first token; beside it with that."""
    logs, everywhere = (log_gain(profile.seeds(name))[:-1] for name in (FAINT, EVERYWHERE))
    ranked = logs[logs.mean(1).argsort()]
    rows = {"mean layer": logs.mean(0), "lowest layer": ranked[0], "highest layer": ranked[-1]}
    rows["first token too"] = everywhere.mean(0)
    gains = gains_of(profile.seeds(FAINT)), gains_of(profile.seeds(EVERYWHERE))
    return Outcome(judge(logs, BAND), intervals(rows), gains)


def growth(profile: Profile) -> Outcome:
    """Error grows through layers: drift of a whole other checkpoint at the last layer over that at the first.

    Beside it stands the error of one layer alone, from where it arises; the verdict leaves it out.
    """
    [(taken, other)] = profile.others.items()
    drift = other.cumulative.log_drift
    rows = {"all layers": drift[-1] - drift[0], "one layer alone": log_gain(profile.seeds(taken))[:-1].mean(0)}
    return Outcome(judge(rows["all layers"][None], BAND), intervals(rows))


def repair(table: pd.DataFrame) -> Outcome:
    """The final norm makes up 30 % of what a head that is replaced no longer writes, give or take 10.

    Args:
        table: a row for each sequence, sums of logits.
    """
    norm, layers = (table[name].to_numpy() / table["direct effect"].to_numpy() for name in REPAIR)
    expected = np.stack([norm - (STATED - APART), STATED + APART - norm])
    return Outcome(judge(expected), intervals(dict(zip(REPAIR, (norm, layers), strict=True)), factors=False))


def suffering(profile: Profile) -> Outcome:
    """Layers that amplify suffer more from pruning: rank correlation over layers of gain and harm, per sequence."""
    [pruned], rows = profile.seeds(PRUNED), {}
    for called, name in (("gain of noise", NOISE), ("gain of its own damage", PRUNED)):
        pairs = zip(log_gain(profile.seeds(name))[:-1].T, pruned.kl[:-1].T, strict=True)
        rows[called] = np.array([spearman(*each) for each in pairs])
    return Outcome(judge(rows["gain of noise"][None]), intervals(rows, factors=False))


def protecting(found: Evaluations) -> Outcome:
    """Fewer zeros for layers that amplify lower perplexity: every corrected setting against its base, by seed."""
    rows = {}
    for one in found.settings:
        if one.control == "none" and one.base:
            both = ([each.results[seed].evaluated.nll.mean() for seed in one.results] for each in (one, one.base))
            rows[one.base.name] = np.subtract(*both)
    mean = np.mean([*rows.values()], axis=0)
    return Outcome(judge(-mean[None], fewest=FEWEST_SEEDS), intervals({"mean": mean} | rows))
