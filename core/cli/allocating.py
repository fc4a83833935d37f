"""`python -m core allocate`: a sparsity budget spread over layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from core.ask.grammar import read_allocation
from core.base.errors import UserError
from core.base.formats import digits
from core.base.spec import look_up
from core.cli import command
from core.cli.output import say, say_json, say_table
from core.plan.responses import NAMES, estimate, judge_of
from core.plan.spread import Allocation, allocate
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile


@command("allocate")
def spread(given: SimpleNamespace) -> None:
    """Spread a sparsity budget over the layers of a measured model."""
    asked, store = read_allocation(given.allocation), Store(given.cache)
    look_up(NAMES, given.judge, "harm")
    found = profiles.load(store, store.profile(given.profile))
    allocation = allocate(asked, found)
    answer = allocated_json(allocation, found, given.judge)
    if given.json:
        say_json(answer)
        return
    _say(allocation, answer)
    if found.entry.packs:
        say(f"profile {found.entry.key} is imported: its numbers were not measured here")


def allocated_json(allocation: Allocation, found: Profile, judge: str) -> dict[str, Any]:
    """The JSON of an allocation, with the additive estimate of a harm, and why there is none of some."""
    pruner = judge_of(allocation.request, found)
    rows = {
        "sparsity": allocation.exact,
        "base": allocation.exact_base,
        "uniform": np.full_like(allocation.exact, allocation.request.target),
    }
    values, lacking = dict.fromkeys(rows), {}
    for name, row in rows.items():
        try:
            values[name] = estimate(row, found, judge, pruner)
        except UserError as error:
            lacking[name] = str(error)
    return {
        "profile": found.entry.key,
        "imported": bool(found.entry.packs),
        "request": allocation.request.model_dump(mode="json"),
        **({"linears": found.provenance.get("linears")} if allocation.linears is not None else {}),
        "base": rows["base"],
        "sparsity": rows["sparsity"],
        "budget": round(allocation.budget, 9),
        "bound": allocation.bound,
        "bounds": [allocation.bounds.low, allocation.bounds.high],
        "judge": {"harm": judge, "pruner": pruner},
        "estimate": values,
        "no_estimate": lacking,
    }


NAMED = {"sparsity": "this allocation", "base": "its base", "uniform": "uniform"}


def _say(allocation: Allocation, answer: dict[str, Any]) -> None:
    """Every layer, and its linears where each has a sparsity of its own; then the estimates."""
    low, high = answer["bounds"]
    within = "" if allocation.request.unclipped else f", inside {low:g} to {high:g}"
    layers = zip(allocation.base, allocation.sparsity, allocation.bound, strict=True)
    rows = [
        [str(layer), f"{base:.4f}", f"{sparsity:.4f}", "on a bound" if bound else ""]
        for layer, (base, sparsity, bound) in enumerate(layers)
    ]
    heads, means = ["layer", "base", "corrected", "limit"], ""
    if allocation.linears is not None:
        names = answer["linears"] or map(str, range(allocation.linears.shape[1]))
        heads += [name.rpartition(".")[-1] for name in names]
        rows = [row + [f"{each:.3f}" for each in more] for row, more in zip(rows, allocation.linears, strict=True)]
        means = ", means over linears"
    say_table(heads, rows, f"Sparsity per layer{means}, budget {allocation.budget:.6f}{within}", words=0)
    judge, of = answer["judge"], "linears" if means else "layers"
    what = f"additive estimate of {NAMES[judge['harm']]}, from {of} pruned alone by {judge['pruner']}"
    known = [f"{NAMED[name]} {digits(value, 4)}" for name, value in answer["estimate"].items() if value is not None]
    say(*([f"{what}: {', '.join(known)}"] if known else []))
    say(*(f"no {what} of {NAMED[name]}: {why}" for name, why in answer["no_estimate"].items()))
