"""What plans by a sketch are worth: `python -m tests.bench.sketched C4 WIKITEXT CACHE` writes the table.

Every plan beside uniform at the same bytes, judged on windows of C4 that nothing was measured on, and of WikiText-2.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from core.jobs import execute
from core.methods import SPARSITIES, Manual
from core.plan import sketches
from core.plan.solvers import Choices, curves, solve
from core.requests import AllocationRequest, EvaluationRequest, Recipe, StudyRequest, WindowRequest, read_allocation
from core.results import study_results
from core.show.report import bench_file
from core.store import Store, profiles

PER_LINEAR = "response objective=kl granularity=linear"
SYMMETRIC = f"{PER_LINEAR} pruner=quantised_symmetric currency=bits:3"
MEASURED = "5d5fdc41"  # the committed profile with every linear measured alone at six sparsities
WEIGHT, STEPS = 0.25, 12  # of a pair's harm: of 0.1 to 1 it serves held-out windows best; half-way steps until it rests


def paired(profile, target):
    """The plan of least quadratic form of the signs: harms alone and those of pairs, these weighed."""
    changes = np.stack([sketches.changes(profile, f"wanda:{each:g}", True) for each in SPARSITIES], axis=1)
    parameters, levels = profile.weights.parameters.ravel(), np.array([0, *SPARSITIES])
    squares = (changes**2).mean((2, 3))

    def solved(harm):
        curve = curves(levels[1:], harm)
        return solve(Choices(parameters, curve.sparsity, curve.harm), target)

    plan, steps = solved(squares), np.insert(changes, 0, 0.0, axis=1)
    for _ in range(STEPS):
        place = np.clip(np.searchsorted(levels, plan) - 1, 0, len(SPARSITIES) - 1)
        share = ((plan - levels[place]) / np.diff(levels)[place])[:, None, None]
        units = np.arange(len(plan))
        alone = (1 - share) * steps[units, place] + share * steps[units, place + 1]
        cross = np.einsum("ikdw,idw->ik", changes, alone.sum(0) - alone) / alone[0].size
        harm = np.maximum.accumulate(np.maximum(squares + WEIGHT * cross, squares / 1000), axis=1)
        plan = (plan + solved(harm)) / 2
    base = Manual(sparsity=plan.reshape(profile.layers, -1).round(9).tolist(), name="pairs")
    return AllocationRequest(base=base, target=float(plan @ parameters / parameters.sum()), unclipped=True)


def perplexities(store, c4, judged, profile, allocation, pruner):
    """Of uniform and of the plan."""
    plan = Recipe(allocation=allocation, pruner=pruner)
    windows = 8 if plan.allocation.budget_unit.bits else 16
    request = StudyRequest(
        profile=store.profile(profile).key,
        settings=(plan.uniform, plan),
        calibration=WindowRequest(source=c4, documents=(0, 599), sequences=windows, length=512),
        evaluation=EvaluationRequest(text=judged),
    )
    study = study_results.load(store, execute.get(request, store))
    return [study.of(each).perplexity for each in (plan.uniform, plan)]


def main(c4, wikitext, cache):
    store = Store(cache)
    few, many = (WindowRequest(source=c4, documents=(800, 999), sequences=each, length=512) for each in (16, 48))
    other = WindowRequest(source=wikitext, sequences=16, length=512)
    bits, zeros = read_allocation(SYMMETRIC), read_allocation(f"{PER_LINEAR}:0.7")
    joined = read_allocation(SYMMETRIC.replace("linear", "joined"))
    pairs = paired(profiles.load(store, store.profile("demo")), 0.7)
    plans = {
        "3 bits, symmetric, linears sketched, C4": (few, "demo", bits, "quantised_symmetric"),
        "3 bits, symmetric, linears sketched, WikiText-2": (other, "demo", bits, "quantised_symmetric"),
        "3 bits, symmetric, joined linears sketched, C4": (few, "demo", joined, "quantised_symmetric"),
        "70 % zeros, linears measured, C4": (many, MEASURED, zeros, "wanda"),
        "70 % zeros, linears sketched, C4": (many, "demo", zeros, "wanda"),
        "70 % zeros, linears sketched with pairs, C4": (many, "demo", pairs, "wanda"),
    }
    rows = []
    for called, plan in plans.items():
        uniform, planned = perplexities(store, c4, *plan)
        rows.append((called, uniform, planned, planned / uniform))
    heads = ["plan", "uniform", "response per linear", "times uniform's perplexity"]
    pd.DataFrame(rows, columns=heads).to_csv(bench_file("sketched"), index=False, float_format="%.4g")


if __name__ == "__main__":
    main(f"file:{Path(sys.argv[1]).resolve()}", f"file:{Path(sys.argv[2]).resolve()}", Path(sys.argv[3]))
