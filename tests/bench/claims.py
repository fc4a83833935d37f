"""Claims of the literature, each tested on both model families by committed results, for the Evidence page.

`python -m tests.bench.claims` writes what comes of it; run it after what the tests look at is measured again.
"""

from functools import cache

import numpy as np
import pandas as pd

from core.plan import BAND, FEWEST_SEQUENCES, gains_of, log_gain, tested
from core.results import FAILS, FEWEST_SEEDS, HOLDS, OPEN, Outcome, comparison, spearman
from core.show import words
from core.show.report import CLAIMED, CLAIMS, MEASURED, PROFILES, Measured, bench_file, questions, remake
from core.show.words import gain_sentences
from core.store import HOME, Store, profiles

NOISE, FAINT, EVERYWHERE, PRUNED = "gaussian:0.3", "gaussian:0.01", "gaussian:0.01@all", "residual:wanda:0.7"
QUANTISED = {"SmolLM2": "47bb54f6056b1cca", "Gemma 3": "022c9feba4ce445a"}  # beside 4 bits (Q4_0)
REPAIR = ("final norm", "later layers")  # columns of the table of the bench of self-repair
STATED, APART = 0.3, 0.1  # the share that the final norm is said to make up, and how far from it a share may be


def intervals(rows, factors=True):
    """Mean of each row's samples with its 95 % interval. factors: of the factors that they are the logs of."""
    means = {name: comparison.mean(samples) for name, samples in rows.items()}
    return {name: row.map(np.exp) for name, row in means.items()} if factors else means


def judge(expected, band=0.0, fewest=FEWEST_SEQUENCES):
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


def order(profile):
    """Early layers amplify, later ones absorb: noise as large as pruning's damage, and that damage itself."""
    rows, early = {}, profile.layers // 3
    for called, name in (("noise", NOISE), ("pruning", PRUNED)):
        logs = log_gain(profile.seeds(name))[:-1]
        rows |= {f"{called}, first third": logs[:early].mean(0), f"{called}, later layers": logs[early:].mean(0)}
    expected = np.stack([*rows.values()]) * [[1], [-1], [1], [-1]]
    return Outcome(judge(expected, BAND), intervals(rows), {})


def small(profile):
    """Every layer amplifies small perturbations: faint noise, which spares the first token; beside it with that."""
    logs, everywhere = (log_gain(profile.seeds(name))[:-1] for name in (FAINT, EVERYWHERE))
    ranked = logs[logs.mean(1).argsort()]
    rows = {"mean layer": logs.mean(0), "lowest layer": ranked[0], "highest layer": ranked[-1]}
    rows["first token too"] = everywhere.mean(0)
    counts = {
        called: gain_sentences.headline(gains_of(profile.seeds(name)))
        for called, name in (("layers", FAINT), ("layers, first token too", EVERYWHERE))
    }
    return Outcome(judge(logs, BAND), intervals(rows), counts)


def growth(profile):
    """Error grows through layers: drift of a whole other checkpoint at the last layer over that at the first.

    Beside it stands the error of one layer alone, from where it arises; the verdict leaves it out.
    """
    [(taken, other)] = profile.others.items()
    drift = other.cumulative.log_drift
    rows = {"all layers": drift[-1] - drift[0], "one layer alone": log_gain(profile.seeds(taken))[:-1].mean(0)}
    return Outcome(judge(rows["all layers"][None], BAND), intervals(rows), {})


def repair(table):
    """The final norm makes up 30 % of what a head that is replaced no longer writes, give or take 10.

    Args:
        table: a row for each sequence, sums of logits.
    """
    norm, layers = (table[name].to_numpy() / table["direct effect"].to_numpy() for name in REPAIR)
    expected = np.stack([norm - (STATED - APART), STATED + APART - norm])
    return Outcome(judge(expected), intervals(dict(zip(REPAIR, (norm, layers), strict=True)), factors=False), {})


def suffering(profile):
    """Layers that amplify suffer more from pruning: rank correlation over layers of gain and harm, per sequence."""
    [pruned], rows = profile.seeds(PRUNED), {}
    for called, name in (("gain of noise", NOISE), ("gain of its own damage", PRUNED)):
        pairs = zip(log_gain(profile.seeds(name))[:-1].T, pruned.kl[:-1].T, strict=True)
        rows[called] = np.array([spearman(*each) for each in pairs])
    return Outcome(judge(rows["gain of noise"][None]), intervals(rows, factors=False), {})


def protecting(found):
    """Fewer zeros for layers that amplify lower perplexity: every corrected setting against its base, by seed."""
    rows = {}
    for one in found.settings:
        if one.control == "none" and one.base:
            both = ([each.results[seed].evaluated.nll.mean() for seed in one.results] for each in (one, one.base))
            rows[one.base.name] = np.subtract(*both)
    mean = np.mean([*rows.values()], axis=0)
    return Outcome(judge(-mean[None], fewest=FEWEST_SEEDS), intervals({"mean": mean} | rows), {})


@cache
def _load(key):
    store = Store(HOME / "demo")
    return profiles.load(store, store.profile(key))


def _of_profile(test, keys=PROFILES):
    def measured(model):
        found = _load(keys[model])
        protocol = f"{words.named(found)}, profile {found.entry.key[:6]}"
        return Measured(test(found), protocol, remake.profile(found.entry)[0][1])

    return measured


def _repair(model):
    table = pd.read_csv(bench_file("self_repair"))
    rows = table[table["model"] == model]
    return Measured(repair(rows), f"{model} · demo text {len(rows)} × 64", "python -m tests.bench.self_repair")


def _protecting(model):
    folder = "controlled"
    found = questions.committed(folder)
    if found is None or found.spec.model.weights != _load(PROFILES[model]).spec.model.weights:
        return None
    return Measured(protecting(found), questions.PROTOCOLS[folder], f"make studies OF={folder}")


TESTS = {  # function of a model; None where it was not measured
    "order": _of_profile(order),
    "small": _of_profile(small),
    "growth": _of_profile(growth, QUANTISED),
    "repair": _repair,
    "suffering": _of_profile(suffering),
    "sparing": _protecting,
}


def measured():
    """By a claim's title, then by model."""
    return {claim.title: {model: TESTS[key](model) for model in PROFILES} for key, claim in CLAIMS.items()}


if __name__ == "__main__":
    CLAIMED.write_bytes(MEASURED.dump_json(measured(), indent=1, by_alias=True) + b"\n")
