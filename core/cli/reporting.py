"""`python -m core report`: results as one HTML file. A rim like the pages: it draws with their charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from core.ask.lab import check_layer
from core.base.errors import UserError
from core.base.formats import either
from core.cli import app
from core.cli.options import Cache, Json
from core.cli.output import save_file
from core.jobs import queue
from core.report.view import Seen
from core.store import profiles
from core.store.cache import Entry, Store


@app.command()
def report(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="Of profiles and studies, or the beginning of one, or demo.")
    ],
    to: Annotated[Path, typer.Option("--out", help="The file to write, as in report.html.")],
    perturbation: Annotated[
        str | None, typer.Option(help="What the charts of profiles open at, as in gaussian:0.3@all.")
    ] = None,
    layer: Annotated[int | None, typer.Option(help="The layer that they mark.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Write one HTML file that opens offline: charts, numbers, where they come from, and commands."""
    from core.report.assemble import KINDS, html

    store = Store(cache)
    entries = list({each.key: each for each in (store.by_key(key, (*KINDS, "export")) for key in keys)}.values())
    told = {"keys": [entry.key for entry in entries]}
    seen = _view(store, entries, perturbation, layer)
    save_file(
        to, "report.html", force, json, told, "report", lambda: html(store, entries, queue.asked_for, seen).encode()
    )


def _view(store: Store, entries: Sequence[Entry], perturbation: str | None, layer: int | None) -> Seen:
    """Where the parts on profiles open.

    Raises:
        UserError: none of them measured that perturbation, or has that layer.
    """
    if perturbation is None and layer is None:
        return Seen()
    found = [profiles.load(store, each) for each in entries if each.path.parent.name == "profile"]
    if not found:
        raise UserError("--perturbation and --layer are for profiles: name one, or leave them out")
    names = dict.fromkeys(name for each in found for name in each.by_name)
    if perturbation is not None and perturbation not in names:
        raise UserError(f"{perturbation} was not measured: choose {either(names)}")
    if layer is not None:
        check_layer(layer, max(each.layers for each in found))
    return Seen(perturbation, layer)
