"""`python -m core compare`: where another checkpoint of the same model went wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rich.table import Table

from core.base.formats import digits, per_cent
from core.cli import app, asking
from core.cli.options import command
from core.cli.output import out, say_json
from core.cli.studying import run
from core.models import machine
from core.plan.gains import gains_of
from core.results import checkpoints
from core.results.checkpoints import Compared
from core.store import profiles
from core.store.cache import Store

SHOWN = 10  # layers in the table
HARMS = ("kl", "nll_increase", "flips")


@command(app, "compare")
def compare(given: SimpleNamespace) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    request, store = asking.compare(given), Store(given.cache, given.accept_imported)
    entry = run(request, store, machine.asked(given.device), {}, nothing="Already in the cache.")
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
    whole, weights = found.whole, found.weights
    each = {name: getattr(whole, name) for name in HARMS}
    return {
        "other": found.called,
        "findings": [found.worst, found.parting, found.cost, found.weighed],
        "layers": len(found.harm),
        "ranking": _ranking(found),
        "whole": {"drift": found.drift, **{name: values.mean() for name, values in each.items()}, "tokens": each},
        "weights": {
            "tensors": found.tensors,
            "error": weights.error,
            "scale": weights.scale,
            "outside": dict(zip(found.outside, weights.outside.tolist(), strict=True)),
        },
    }


def _ranking(found: Compared) -> list[dict[str, Any]]:
    """The layers, the most suspect first."""
    gains, single = gains_of([found.single]), found.single
    return [
        {
            "layer": layer,
            "stands_out": bool(found.odd[layer]),
            "tensor": found.tensors[tensor],
            "error": found.weights.error[layer, tensor],
            "usual_error": found.usual[tensor],
            **{name: getattr(single, name)[layer].mean() for name in HARMS},
            "kl": found.harm[layer],
            "gain": gains.value[layer],
            "verdict": gains.verdicts[layer],
        }
        for layer, tensor in ((layer, found.tensor(layer)) for layer in found.ranking)
    ]


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
