"""What plans by a sketch are worth: `python -m tests.bench.sketched C4 WIKITEXT CACHE` writes the table.

Every plan beside uniform at the same bytes, judged on windows of C4 that nothing was measured on, and of WikiText-2.
"""

import sys
from pathlib import Path

import pandas as pd

from core.jobs import execute
from core.requests import EvaluationRequest, Recipe, StudyRequest, WindowRequest, read_allocation
from core.results import study_results
from core.show.report import bench_file
from core.store import Store

PER_LINEAR = "response objective=kl granularity=linear"
SYMMETRIC = f"{PER_LINEAR} pruner=quantised_symmetric currency=bits:3"
MEASURED = "5d5fdc41"  # the committed profile with every linear measured alone at six sparsities


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
    plans = {
        "3 bits, symmetric, linears sketched, C4": (few, "demo", bits, "quantised_symmetric"),
        "3 bits, symmetric, linears sketched, WikiText-2": (other, "demo", bits, "quantised_symmetric"),
        "70 % zeros, linears measured, C4": (many, MEASURED, zeros, "wanda"),
        "70 % zeros, linears sketched, C4": (many, "demo", zeros, "wanda"),
    }
    rows = []
    for called, plan in plans.items():
        uniform, planned = perplexities(store, c4, *plan)
        rows.append((called, uniform, planned, planned / uniform))
    heads = ["plan", "uniform", "response per linear", "times uniform's perplexity"]
    pd.DataFrame(rows, columns=heads).to_csv(bench_file("sketched"), index=False, float_format="%.4g")


if __name__ == "__main__":
    main(f"file:{Path(sys.argv[1]).resolve()}", f"file:{Path(sys.argv[2]).resolve()}", Path(sys.argv[3]))
