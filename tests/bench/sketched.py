"""What plans by a sketch are worth, on two texts: `python -m tests.bench.sketched C4 WIKITEXT CACHE` writes the table.

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
PLANS = {  # profile whose curves are read, allocation, what is applied
    "3 bits, symmetric, linears sketched": (
        "demo", f"{PER_LINEAR} pruner=quantised_symmetric currency=bits:3", "quantised_symmetric",
    ),
}  # fmt: skip


def perplexities(store, c4, judged, profile, allocation, pruner):
    """Of uniform and of the plan."""
    plan = Recipe(allocation=read_allocation(allocation), pruner=pruner)
    calibration = WindowRequest(source=c4, documents=(0, 599), sequences=8, length=512)
    request = StudyRequest(
        profile=store.profile(profile).key,
        settings=(plan.uniform, plan),
        calibration=calibration,
        evaluation=EvaluationRequest(text=judged),
    )
    study = study_results.load(store, execute.get(request, store))
    return [study.of(each).perplexity for each in (plan.uniform, plan)]


def main(c4, wikitext, cache):
    store = Store(cache)
    texts = {
        "C4": WindowRequest(source=c4, documents=(800, 999), sequences=16, length=512),
        "WikiText-2": WindowRequest(source=wikitext, sequences=16, length=512),
    }
    rows = []
    for called, plan in PLANS.items():
        for text, judged in texts.items():
            uniform, planned = perplexities(store, c4, judged, *plan)
            rows.append((f"{called}, {text}", uniform, planned, planned / uniform))
    heads = ["plan", "uniform", "response per linear", "times uniform's perplexity"]
    pd.DataFrame(rows, columns=heads).to_csv(bench_file("sketched"), index=False, float_format="%.4g")


if __name__ == "__main__":
    main(f"file:{Path(sys.argv[1]).resolve()}", f"file:{Path(sys.argv[2]).resolve()}", Path(sys.argv[3]))
