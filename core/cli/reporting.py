"""`python -m core report`: results as one HTML file. A rim like the pages: it draws with their charts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli import app
from core.cli.options import Cache, Json
from core.cli.output import save_file
from core.jobs import queue
from core.store.cache import Store


@app.command()
def report(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="Of profiles and studies, or the beginning of one, or demo.")
    ],
    to: Annotated[Path, typer.Option("--out", help="The file to write, as in report.html.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Write one HTML file that opens offline: charts, numbers, where they come from, and commands."""
    from core.report.assemble import KINDS, html

    store = Store(cache)
    entries = list({each.key: each for each in (store.by_key(key, (*KINDS, "export")) for key in keys)}.values())
    told = {"keys": [entry.key for entry in entries]}
    save_file(to, "report.html", force, json, told, "report", lambda: html(store, entries, queue.asked_for).encode())
