"""Saying results: one JSON object, or tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from core.ask.shortages import disk_full
from core.base.errors import UserError
from core.base.formats import pruned_before
from core.base.paths import exists, expanded
from core.store.cache import Entry
from core.store.files import abandoned, write_file
from core.store.profiles import Profile

out = Console(emoji=False)
err = Console(stderr=True, emoji=False)


def say_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinity become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def save_file(
    to: Path, usual: str, force: bool, json: bool, told: dict[str, Any], name: str, make: Callable[[], bytes]
) -> None:
    """Write what is made to a file, and say so.

    Args:
        usual: a name for it, where a folder is given in its place.
        force: replace a file that is there.
        told: what the JSON says of it beside the file.
        name: what people are told was written.

    Raises:
        UserError: the file is a folder, is there already, or cannot be written.
    """
    file = expanded(to)
    if exists(file) and file.is_dir():
        raise UserError(f"{file} is a folder: name the file to write, as in {file / usual}")
    if exists(file) and not force:
        raise UserError(f"{file} exists: choose another name, or replace it with --force")
    content = make()
    for half in abandoned(file.parent, file.name):  # of a run that was killed
        half.unlink(missing_ok=True)
    try:
        write_file(file, content)
    except OSError as error:
        if disk_full(error):
            raise
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    if json:
        say_json(told | {"file": str(file), "bytes": len(content)})
    else:
        out.print(f"{name} written to {file}, {len(content) / 1e6:.2f} MB", markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def summary(entry: Entry, found: Profile | None = None) -> dict[str, Any]:
    """What `measure` answers."""
    return {
        "key": entry.key,
        "imported": bool(entry.packs),
        **entry.spec.record(entry.provenance),
        "layers": found.layers if found else None,
    }


def say_helped(name: str, told: str | None) -> None:
    """What pruning had to be helped along with, and what put an end to it; nothing where all went well."""
    if told:
        out.print(f"{name}. {told}", markup=False, soft_wrap=True)


# --- the cache -----------------------------------------------------------------------------------------------------


def runs_table(found: dict[str, list[Entry]], jobs: list[Any], troubles: list[str]) -> None:
    """What is in the cache, for people.

    Args:
        found: entries by kind.
    """
    for kind, entries in found.items():
        for entry in entries:
            told, which = entry.provenance, f" ({entry.standing})" if entry.standing else ""
            model = f"{told.get('model')}{which}"
            when = f"made {told.get('created')} on {told.get('device')} in {told.get('dtype')}"
            out.print(f"[bold]{entry.key}[/bold]  {kind}: {escape(model)}", soft_wrap=True)
            for line in filter(None, (*entry.spec.lines(told), pruned_before(entry.spec.earlier), when)):
                out.print(f"    {line}", markup=False, soft_wrap=True)
    for job in jobs:
        out.print(f"run {job.key}: {job.state}, {job.request.title}: {job.status.line}", markup=False, soft_wrap=True)
    for trouble in troubles:
        out.print(f"set aside as corrupt: {trouble}", markup=False, soft_wrap=True)
