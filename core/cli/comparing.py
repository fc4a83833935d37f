"""`python -m core compare`: where another checkpoint of a model went wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from core.ask.commands import request_of
from core.base.formats import digits, per_cent
from core.cli import command
from core.cli.measuring import HARMS
from core.cli.output import say, say_json, say_table
from core.cli.studying import run
from core.models import machine
from core.plan.gains import gains_of
from core.results import checkpoints
from core.results.checkpoints import Compared
from core.show.words import findings
from core.store import profiles
from core.store.cache import Store

SHOWN = 10  # layers of a comparison


@command("compare")
def compare(given: SimpleNamespace) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    request, store = request_of("compare", **vars(given)), Store(given.cache, given.accept_imported)
    entry = run(request, store, machine.asked(given.device), {})
    found = checkpoints.compared(profiles.load(store, entry))
    if given.json:
        say_json({"key": entry.key, "model": entry.provenance.get("model"), **compared_json(found)})
        return
    say(*findings.of_checkpoint(found))
    _suspects(_ranking(found))
    say(f"profile {entry.key}")


def compared_json(found: Compared) -> dict[str, Any]:
    """What `compare --json` says of a comparison."""
    whole, weights = found.whole, found.weights
    each = {name: getattr(whole, name) for name in HARMS}
    return {
        "other": found.called,
        "findings": findings.of_checkpoint(found),
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


def _suspects(ranking: list[dict[str, Any]]) -> None:
    """The most suspect layers."""
    rows = [
        (
            row["tensor"],
            f"{row['layer']}{'*' if row['stands_out'] else ''}",
            *(f"{digits(100 * row[error])} %" for error in ("error", "usual_error")),
            digits(row["kl"]),
            per_cent(row["flips"]),
        )
        for row in ranking[:SHOWN]
    ]
    say_table(("tensor", "layer", "its error", "usual", "KL, nats", "flips"), rows, unbroken=True)
    say("* stands out from the other layers")
