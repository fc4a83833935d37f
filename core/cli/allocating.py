"""`python -m core allocate`: a sparsity budget spread over layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from core.ask.commands import request_of
from core.base.errors import UserError
from core.base.formats import digits
from core.base.spec import look_up
from core.cli import command
from core.cli.output import say, say_json, say_table
from core.kinds.treatments import OF_ONE_LAYER
from core.plan.responses import NAMES, estimate, judge_of
from core.plan.spread import Allocation, allocate
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile


@command("allocate")
def spread(given: SimpleNamespace) -> None:
    """Spread a sparsity budget over the layers of a measured model."""
    request, store = request_of("allocate", **vars(given)), Store(given.cache)
    look_up(NAMES, request.judge, "harm")
    if request.judge_pruner is not None:
        look_up(OF_ONE_LAYER, request.judge_pruner, "pruner")
    found = profiles.load(store, store.profile(request.profile))
    allocation = allocate(request.allocation, found)
    answer = allocated_json(allocation, found, request.judge, request.judge_pruner)
    if given.json:
        say_json(answer)
        return
    _say(allocation, answer, found.provenance.get("linears"))
    if found.entry.packs:
        say(f"profile {found.entry.key} is imported: its numbers were not measured here")


def allocated_json(allocation: Allocation, found: Profile, judge: str, judge_pruner: str | None) -> dict[str, Any]:
    """The JSON of an allocation, with its estimated harm.

    Args:
        judge_pruner: whose pruning that harm is of; None: that of the curves, or the first measured.
    """
    judge_pruner = judge_pruner or judge_of(allocation.request, found)
    values, lacking = _estimates(allocation, found, judge, judge_pruner)
    return {
        "profile": found.entry.key,
        "imported": bool(found.entry.packs),
        "request": allocation.request.model_dump(mode="json"),
        **({"linears": found.provenance.get("linears")} if allocation.linears is not None else {}),
        "base": allocation.exact_base,
        "sparsity": allocation.exact,
        "budget": round(allocation.budget, 9),
        "bound": allocation.bound,
        "bounds": [allocation.bounds.low, allocation.bounds.high],
        "judge": {"harm": judge, "pruner": judge_pruner},
        "estimate": values,
        "no_estimate": lacking,
    }


def _estimates(
    allocation: Allocation, found: Profile, harm: str, pruner: str
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Additive estimates of a harm, of layers or of linears, and why there is none where the profile cannot tell."""
    rows = {
        "sparsity": allocation.exact,
        "base": allocation.exact_base,
        "uniform": np.full_like(allocation.exact, allocation.request.target),
    }
    values, lacking = dict.fromkeys(rows), {}
    for name, row in rows.items():
        try:
            values[name] = estimate(row, found, harm, pruner)
        except UserError as error:
            lacking[name] = str(error)
    return values, lacking


def _say(allocation: Allocation, answer: dict[str, Any], linears: list[str] | None) -> None:
    _say_layers(allocation)
    if allocation.linears is not None:
        _say_linears(allocation.linears, linears)
    named = {"sparsity": "this allocation", "base": "its base", "uniform": "uniform"}
    values = [(named[name], value) for name, value in answer["estimate"].items() if value is not None]
    told = ", ".join(f"{name} {digits(value, 4)}" for name, value in values)
    of = "layers" if allocation.linears is None else "linears"
    judge, lacking = answer["judge"], answer["no_estimate"]
    what = f"additive estimate of {NAMES[judge['harm']]}, from {of} pruned alone by {judge['pruner']}"
    say(*([f"{what}: {told}"] if told else []))
    for why in dict.fromkeys(lacking.values()):
        none = " and ".join(named[name] for name in lacking if lacking[name] == why)
        say(f"no {what.removeprefix('additive ')} of {none}: {why}")


def _say_layers(allocation: Allocation) -> None:
    means = ", means over linears" if allocation.linears is not None else ""
    bounds = allocation.bounds
    within = "" if allocation.request.unclipped else f", inside {bounds.low:g} to {bounds.high:g}"
    rows = [
        (str(layer), f"{base:.4f}", f"{sparsity:.4f}", "on a bound" if bound else "")
        for layer, (base, sparsity, bound) in enumerate(
            zip(allocation.base, allocation.sparsity, allocation.bound, strict=True)
        )
    ]
    title = f"Sparsity per layer{means}, budget {allocation.budget:.6f}{within}"
    say_table(("layer", "base", "corrected", "limit"), rows, title, words=0)


def _say_linears(sparsity: np.ndarray, names: list[str] | None) -> None:
    """Layers by linears, which are called by the last part of their names where that tells them apart."""
    names = names or [str(index) for index in range(sparsity.shape[1])]
    short = [name.rpartition(".")[-1] for name in names]
    rows = [(str(layer), *(f"{each:.3f}" for each in row)) for layer, row in enumerate(sparsity)]
    heads = short if len(set(short)) == len(short) else names
    say_table(("layer", *heads), rows, "Sparsity per linear", words=0)
