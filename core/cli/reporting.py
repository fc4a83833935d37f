"""`python -m core report`: a result as one HTML file. A rim like the pages: it draws with their charts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli import app
from core.cli.options import Cache, Json
from core.cli.output import save_file
from core.store.cache import Store


@app.command()
def report(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Of a profile, a study or a best setting, or its beginning, or demo.")
    ],
    to: Annotated[Path, typer.Option("--out", help="The file to write, as in report.html.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Write one HTML file that opens offline: charts, numbers, where they come from, and commands."""
    from core.show.report.reports import KINDS, html

    store = Store(cache)
    entry = store.by_key(key, (*KINDS, "export"))
    save_file(to, "report.html", force, json, {"key": entry.key}, "report", lambda: html(store, entry).encode())
