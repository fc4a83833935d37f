"""The commands themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated

import typer

from core.ask.typed import absolute, span
from core.base.errors import UserError
from core.base.formats import helped
from core.cli import app, asking, sharing
from core.cli.gains_output import gains_json, gains_tables, matrix_table, overview
from core.cli.options import Cache, Device, Json, command
from core.cli.output import out, say_json, summary
from core.cli.running import runs
from core.cli.studying import run
from core.jobs import processes, queue
from core.models import machine
from core.results import propagation
from core.store import profiles
from core.store.cache import Entry, Store

app.add_typer(runs, name="runs")


@command(app, "measure")
def measure(given: SimpleNamespace) -> None:
    """Perturb every layer in turn, follow the drift, save a profile."""
    request, store = sharing.asked(asking.measure(given), given), Store(given.cache, given.accept_imported)
    nothing = "Already in the cache: nothing had to be measured."
    entry = run(request, store, sharing.where(given), {}, given.engine, nothing)
    if sharing.is_unfinished(entry):
        sharing.say(entry, store, given)
        return
    found = profiles.load(store, entry)
    if given.json:
        say_json(summary(entry, found))
    else:
        overview(found)
        warning = helped(entry.provenance.get("warnings", []))
        if warning:
            out.print(warning, markup=False, soft_wrap=True)
        out.print(f"profile {entry.key}")


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
        say_json({"key": entry.key, "tokens": rows}) if json else out.print(rows)
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


@app.command()
def work(
    device: Device = "auto",
    idle: Annotated[float, typer.Option(help="Leave after this many seconds without work.")] = queue.IDLE,
    cache: Cache = None,
) -> None:
    """Run what the dashboard queues, until nothing is asked for any more."""
    from core.jobs import worker

    processes.step_back()
    worker.work(Store(cache), machine.asked(device), idle)


@app.command()
def models(cache: Cache = None, json: Json = False) -> None:
    """Models at hand: the bundled one and what the local Hub cache holds."""
    from core.models.sources import at_hand

    found = at_hand(Store(cache))
    if json:
        say_json({"models": found})
        return
    for each in found:
        size = f"{each['layers']} layers, {(each['parameters'] or 0) / 1e6:.0f} M parameters"
        out.print(f"{each['source']}: {each['label']}, {each['trouble'] or size}")
    out.print("Also: a folder with config.json and .safetensors, a .gguf file, or any Hub id; random:<any> for a twin.")
