"""`python -m core measure | show | compare`: profiles, and where another checkpoint of a model went wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import typer

from core.ask.commands import request_of
from core.ask.typed import absolute, span
from core.base.errors import UserError
from core.base.formats import digits, helped, per_cent
from core.cli import Cache, Json, app, command
from core.cli.gains_output import gains_json, gains_tables, matrix_table, overview
from core.cli.output import say, say_json, say_table, summary
from core.cli.studying import is_unfinished, place, run, say_share, share_of
from core.models import machine
from core.plan.gains import gains_of
from core.results import checkpoints, propagation
from core.results.checkpoints import Compared
from core.store import profiles
from core.store.cache import Entry, Store

SHOWN = 10  # layers of a comparison
HARMS = ("kl", "nll_increase", "flips")


@command("measure")
def measure(given: SimpleNamespace) -> None:
    """Perturb every layer in turn, follow the drift, save a profile."""
    request, store = (
        share_of(request_of("measure", **vars(given)), given),
        Store(given.cache, given.accept_imported),
    )
    nothing = "Already in the cache: nothing had to be measured."
    entry = run(request, store, place(given), {}, given.engine, nothing)
    if is_unfinished(entry):
        say_share(entry, store, given)
        return
    found = profiles.load(store, entry)
    if given.json:
        say_json(summary(entry, found))
    else:
        overview(found)
        warning = helped(entry.provenance.get("warnings", []))
        if warning:
            say(warning)
        say(f"profile {entry.key}")


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="A profile's key, the beginning of one, or demo.")],
    gains: Annotated[str | None, typer.Option(help="Every layer of a perturbation, as in gaussian:0.3.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every layer of every perturbation.")] = False,
    matrix: Annotated[str | None, typer.Option(help="Drift matrix of a perturbation, as in gaussian:0.3.")] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="The token ids, where the text is at hand.")] = False,
    text: Annotated[str | None, typer.Option(help="Where the text lies now, for --tokens.")] = None,
    documents: Annotated[str | None, typer.Option(help="Documents it was drawn from, for --tokens.")] = None,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """What a profile shows: the finding and a row per perturbation; every layer where asked."""
    store = Store(cache)
    entry = store.profile(key)
    if tokens:
        rows = _tokens(store, entry, text, documents)
        say_json({"key": entry.key, "tokens": rows}) if json else say(*rows)
        return
    found = profiles.load(store, entry)
    if matrix is not None:
        values = propagation.matrix(found.seeds(matrix))
        say_json({"key": entry.key, "name": matrix, "matrix": values}) if json else matrix_table(matrix, values)
        return
    if json:
        say_json({**summary(entry, found), "perturbations": gains_json(found), "provenance": entry.provenance})
    elif every or gains is not None:
        gains_tables(found, gains)
    else:
        overview(found)


def _tokens(store: Store, entry: Entry, text: str | None, documents: str | None) -> list[list[int]]:
    """Token ids; of an imported profile from files at hand alone: a stranger's pack fetches no model and no text."""
    from core.models.loading import load_tokenizer, quick
    from core.models.sources import locate, refuse_fetch
    from core.models.windows import tokens

    told, spec = entry.provenance, entry.spec.text
    source, model = absolute(text) if text else told.get("text_source"), told.get("model_source")
    if not (source and model):
        raise UserError(f"profile {entry.key} does not say what it was measured on: measure it again to see its tokens")
    if entry.packs and not (text or source.startswith("demo")):
        raise UserError(f"profile {entry.key} was imported: say with --text where its text {source} lies")
    refuse_fetch(entry, store, model, told.get("revision"))
    located = locate(model, store, told.get("revision"), fetch=not entry.packs)
    tokenizer = load_tokenizer(quick(located, store))
    recorded = tuple(told["documents"]) if told.get("documents") else None
    return tokens(spec, source, span(documents) or recorded, tokenizer).tolist()


# --- another checkpoint ----------------------------------------------------------------------------------------------


@command("compare")
def compare(given: SimpleNamespace) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    request, store = request_of("compare", **vars(given)), Store(given.cache, given.accept_imported)
    entry = run(request, store, machine.asked(given.device), {}, nothing="Already in the cache.")
    found = checkpoints.compared(profiles.load(store, entry))
    if given.json:
        say_json({"key": entry.key, "model": entry.provenance.get("model"), **compared_json(found)})
        return
    say(found.worst, found.parting, found.cost, found.weighed)
    _suspects(found)
    say(f"profile {entry.key}")


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


def _suspects(found: Compared) -> None:
    """The most suspect layers."""
    rows = []
    for layer in found.ranking[:SHOWN]:
        tensor, mark = found.tensor(layer), "*" if found.odd[layer] else ""
        errors = [f"{digits(100 * each)} %" for each in (found.weights.error[layer, tensor], found.usual[tensor])]
        flips = per_cent(found.single.flips[layer].mean())
        rows.append((found.tensors[tensor], f"{layer}{mark}", *errors, digits(found.harm[layer]), flips))
    say_table(("tensor", "layer", "its error", "usual", "KL, nats", "flips"), rows, unbroken=True)
    say("* stands out from the other layers")
