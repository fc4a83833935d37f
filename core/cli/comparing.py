"""`python -m core compare`: where another checkpoint of the same model went wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.table import Table

from core.analysis import checkpoints
from core.analysis.checkpoints import Compared
from core.analysis.gains import gains_of
from core.cli import app, asking
from core.cli.options import command
from core.cli.output import out, say_json
from core.cli.studying import run
from core.models import machine
from core.specs.formats import digits, per_cent
from core.store import profiles
from core.store.cache import Store

SHOWN = 10  # layers in the table


@command(app, "compare")
def compare(given: SimpleNamespace) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    request, store = asking.compare(given), Store(given.cache, given.accept_imported)
    entry = run(request, store, machine.chosen(given.device), {}, nothing="Already in the cache.")
    found = checkpoints.compared(profiles.load(store, entry))
    if given.json:
        say_json({"key": entry.key, "model": entry.provenance.get("model"), **compared_json(found)})
        return
    for said in (found.worst, found.parting, found.cost, found.weighed):
        out.print(said, markup=False, soft_wrap=True, highlight=False)
    out.print(_table(found))
    out.print(f"profile {entry.key}")


def compared_json(found: Compared) -> dict[str, Any]:
    """What `compare --json` says of a comparison."""
    single, whole, gains = found.single, found.whole, gains_of([found.single])
    return {
        "other": found.called,
        "findings": [found.worst, found.parting, found.cost, found.weighed],
        "layers": len(found.harm),
        "ranking": [
            {
                "layer": layer,
                "stands_out": bool(found.odd[layer]),
                "tensor": found.tensors[found.tensor(layer)],
                "error": found.weights.error[layer, found.tensor(layer)],
                "usual_error": found.usual[found.tensor(layer)],
                "kl": found.harm[layer],
                "nll_increase": single.nll_increase[layer].mean(),
                "flips": single.flips[layer].mean(),
                "gain": gains.value[layer],
                "verdict": gains.verdicts[layer],
            }
            for layer in found.ranking
        ],
        "whole": {
            "drift": found.drift,
            "kl": whole.kl.mean(),
            "nll_increase": whole.nll_increase.mean(),
            "flips": whole.flips.mean(),
            "tokens": {"kl": whole.kl, "nll_increase": whole.nll_increase, "flips": whole.flips},
        },
        "weights": {
            "tensors": found.tensors,
            "error": found.weights.error,
            "scale": found.weights.scale,
            "outside": dict(zip(found.outside, np.asarray(found.weights.outside).tolist(), strict=True)),
        },
    }


def _table(found: Compared) -> Table:
    """The most suspect layers."""
    table = Table()
    table.add_column("layer", justify="right")
    table.add_column("tensor", no_wrap=True)
    for column in ("its error", "usual", "KL, nats", "flips"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in found.ranking[:SHOWN]:
        tensor = found.tensor(layer)
        errors = [f"{digits(100 * each)} %" for each in (found.weights.error[layer, tensor], found.usual[tensor])]
        flips = per_cent(found.single.flips[layer].mean())
        mark = "*" if found.odd[layer] else ""
        table.add_row(f"{layer}{mark}", found.tensors[tensor], *errors, digits(found.harm[layer]), flips)
    table.caption = "* stands out from the other layers"
    return table
