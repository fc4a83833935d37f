"""`python -m core allocate`: a sparsity budget spread over layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.table import Table

from core.ask import allocations
from core.base.errors import UserError
from core.base.formats import digits
from core.base.spec import look_up
from core.cli import app, asking
from core.cli.options import command
from core.cli.output import out, say_json
from core.kinds.treatments import OF_ONE_LAYER
from core.plan.budget import TOLERANCE, met
from core.plan.estimates import estimate, judge_of
from core.plan.responses import NAMES, Judge
from core.plan.spread import Allocation, allocate, layer_parameters
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile


@command(app, "allocate")
def spread(given: SimpleNamespace) -> None:
    """Spread a sparsity budget over the layers of a measured model."""
    request, judge, judge_pruner = asking.allocation(given), given.judge, given.judge_pruner
    if judge_pruner is not None:
        look_up(OF_ONE_LAYER, judge_pruner, "pruner")
    look_up(NAMES, judge, "harm")
    store = Store(given.cache)
    found = profiles.load(store, store.profile(given.profile))
    spent = _spent(request.base, found) if request.base.by_hand else None
    if spent is not None and given.target is None and given.allocation is None:
        request = request.model_copy(update={"target": spent})
    allocation = allocate(request, found)
    by = Judge(judge, judge_pruner or judge_of(request, found))
    values, lacking = _estimates(allocation, found, by)
    answer = {
        "profile": found.entry.key,
        "imported": bool(found.entry.packs),
        "request": request.model_dump(mode="json"),
        **({"linears": found.provenance.get("linears")} if allocation.linears is not None else {}),
        "base": allocation.exact_base,
        "sparsity": allocation.exact,
        "budget": round(allocation.budget, 9),
        "bound": allocation.bound,
        "bounds": [allocation.bounds.low, allocation.bounds.high],
        "judge": {"harm": by.harm, "pruner": by.pruner},
        "estimate": values,
        "no_estimate": lacking,
    }
    if given.json:
        say_json(answer)
        return
    _say(allocation, answer, found.provenance.get("linears"))
    if found.entry.packs:
        out.print(f"profile {found.entry.key} is imported: its numbers were not measured here", soft_wrap=True)
    if spent is not None and abs(spent - request.target) > TOLERANCE:
        out.print(f"the numbers given spend {spent:.6f}: all were shifted to spend {request.target:g}", soft_wrap=True)


def _spent(base: allocations.Manual, found: Profile) -> float | None:
    """What numbers set by hand spend, weighted by parameters; None where they do not fit, which allocating says."""
    given = np.array(base.sparsity, float)
    parameters = layer_parameters(found)
    return met(given, parameters) if given.shape == parameters.shape else None


def _estimates(allocation: Allocation, found: Profile, by: Judge) -> tuple[dict[str, float | None], dict[str, str]]:
    """Additive estimates of a harm, of layers or of linears, and why there is none where the profile cannot tell."""
    rows = {
        "sparsity": allocation.exact,
        "base": allocation.exact_base,
        "uniform": np.full_like(allocation.exact, allocation.request.target),
    }
    values, lacking = dict.fromkeys(rows), {}
    for name, row in rows.items():
        try:
            values[name] = estimate(row, found, by.harm, by.pruner)
        except UserError as error:
            lacking[name] = str(error)
    return values, lacking


def _say(allocation: Allocation, answer: dict[str, Any], linears: list[str] | None) -> None:
    out.print(_layers(allocation))
    if allocation.linears is not None:
        out.print(_linears(allocation.linears, linears))
    named = {"sparsity": "this allocation", "base": "its base", "uniform": "uniform"}
    values = [(named[name], value) for name, value in answer["estimate"].items() if value is not None]
    told = ", ".join(f"{name} {digits(value, 4)}" for name, value in values)
    of = "layers" if allocation.linears is None else "linears"
    judge, lacking = answer["judge"], answer["no_estimate"]
    what = f"additive estimate of {NAMES[judge['harm']]}, from {of} pruned alone by {judge['pruner']}"
    if told:
        out.print(f"{what}: {told}", soft_wrap=True)
    for why in dict.fromkeys(lacking.values()):
        none = " and ".join(named[name] for name in lacking if lacking[name] == why)
        out.print(f"no {what.removeprefix('additive ')} of {none}: {why}", markup=False, soft_wrap=True)


def _layers(allocation: Allocation) -> Table:
    means = ", means over linears" if allocation.linears is not None else ""
    bounds = allocation.bounds
    within = "" if allocation.request.unclipped else f", inside {bounds.low:g} to {bounds.high:g}"
    table = Table(title=f"Sparsity per layer{means}, budget {allocation.budget:.6f}{within}")
    for column in ("layer", "base", "corrected", "limit"):
        table.add_column(column, justify="right")
    rows = zip(allocation.base, allocation.sparsity, allocation.bound, strict=True)
    for layer, (base, sparsity, bound) in enumerate(rows):
        table.add_row(str(layer), f"{base:.4f}", f"{sparsity:.4f}", "on a bound" if bound else "")
    return table


def _linears(sparsity: np.ndarray, names: list[str] | None) -> Table:
    """Layers by linears, which are called by the last part of their names where that tells them apart."""
    table = Table(title="Sparsity per linear")
    table.add_column("layer", justify="right")
    names = names or [str(index) for index in range(sparsity.shape[1])]
    short = [name.rpartition(".")[-1] for name in names]
    for name in short if len(set(short)) == len(short) else names:
        table.add_column(name, justify="right")
    for layer, row in enumerate(sparsity):
        table.add_row(str(layer), *(f"{each:.3f}" for each in row))
    return table
