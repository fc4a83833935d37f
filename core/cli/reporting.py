"""`python -m core report`: results as one HTML file. A rim like the pages: it draws with their charts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from core.cli import app
from core.cli.options import Cache, Json
from core.cli.output import out, say_json
from core.jobs import queue
from core.specs.errors import UserError
from core.store.cache import Store
from core.store.files import write_file


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
    entries = [store.demo() if key == "demo" else store.by_key(key, (*KINDS, "export")) for key in dict.fromkeys(keys)]
    entries = list({entry.key: entry for entry in entries}.values())
    file = Path(os.path.expanduser(to))
    if file.is_dir():
        raise UserError(f"{file} is a folder: name the file to write, as in {file / 'report'}.html")
    if file.exists() and not force:
        raise UserError(f"{file} exists: choose another name, or replace it with --force")
    content = html(store, entries, queue.asked_for).encode()
    try:
        write_file(file, content)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    if json:
        say_json({"keys": [entry.key for entry in entries], "file": str(file), "bytes": len(content)})
    else:
        out.print(f"report written to {file}, {len(content) / 1e6:.2f} MB", markup=False, soft_wrap=True)
