"""`python -m core export`: a measured setting as a folder that loads anywhere."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from core.ask import naming
from core.ask.requests import ExportRequest
from core.ask.settings import Setting, read_setting
from core.ask.studies import StudyRequest
from core.ask.typed import whole
from core.base.errors import UserError
from core.base.formats import helped
from core.base.paths import resolved
from core.base.spec import checked
from core.cli import Cache, Device, Json, app
from core.cli.output import say, say_helped, say_json
from core.cli.studying import run
from core.export import check_early
from core.models import machine
from core.models.sources import refuse_fetch
from core.results import best, evaluations
from core.results.evaluations import Evaluations
from core.store.cache import Entry, Store


@app.command()
def export(
    key: Annotated[str, typer.Argument(help="Of a study or a best setting, or the beginning of one.")],
    to: Annotated[Path, typer.Option("--to", help="The folder to write.")],
    setting: Annotated[
        str | None, typer.Option(help="Which one of a study: its name, or a part that no other name has.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export there.")] = False,
    device: Device = "auto",
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Prune as a measured setting says and write the model, with its numbers on the card, to a folder."""
    store = Store(cache)
    folder = resolved(to)
    entry = store.by_key(key, ("study", "best"))
    asked = (_of_best if entry.path.parent.name == "best" else _of_study)(store, entry, setting, folder, overwrite)
    refuse_fetch(entry, store, asked.model, asked.revision, asked.calibration.source)
    check_early(folder, overwrite, asked.model, asked.revision, asked.dtype, store)
    made = run(asked, store, machine.asked(device), {})
    told = {name: made.provenance[name] for name in ("folder", "bytes", "dense_bytes", "setting", "warnings")}
    if json:
        say_json({"key": made.key, **told})
    else:
        where = f"{told['setting']}: exported to {told['folder']}, {told['bytes']:,} bytes, reloaded and compared"
        say(where)
        say_helped(told["setting"], helped(told["warnings"]))


def _of_best(store: Store, entry: Entry, setting: str | None, folder: Path, overwrite: bool) -> ExportRequest:
    if setting is not None:
        raise UserError(f"{entry.key} is a best setting, whose answer is exported: leave --setting out")
    found = best.load(store, entry)
    return best.export_request(found, whole(found.request), str(folder), overwrite)


def _of_study(store: Store, entry: Entry, setting: str | None, folder: Path, overwrite: bool) -> ExportRequest:
    said = entry.provenance.get("request")
    if not isinstance(said, dict):
        raise UserError(f"study {entry.key} does not say how it was asked: run its settings again to export one")
    request = whole(checked(StudyRequest, **said))
    chosen = _chosen(evaluations.load(store, entry), setting)
    return request.to(ExportRequest, setting=chosen, folder=str(folder), overwrite=overwrite, study=entry.key)


def _chosen(study: Evaluations, words: str | None) -> Setting:
    """The setting that is meant: the one so written or named, else the only one with these words in a name of it.

    A name is what the grammar or the pages call it.
    """
    every, called = defaultdict(list), defaultdict(set)
    for each in study.singles:
        if each.setting is not None:
            every[each.setting.name].append(each.setting)
            called[each.setting.name] |= {each.setting.name, naming.whole(each.setting), each.name}
    meant = _spelt(words)
    found = [name for name in every if words is None or meant in called[name]]
    found = found or [name for name in every if any(words in each for each in called[name])]
    if len(found) == 1:
        return _only(study, found[0], every[found[0]])
    if not every:
        raise UserError(f"study {study.spec.key} holds the dense model alone: there is nothing to export")
    what = "has no setting" if not found else "has several settings"
    which = "" if words is None else f" with {words!r} in the name"
    raise UserError(
        f"study {study.spec.key} {what}{which}: name one with --setting, as in {_quoted(found or list(every))}"
    )


def _spelt(words: str | None) -> str | None:
    """A setting that is written with other words or in another order, as the grammar writes it; else as it is."""
    try:
        return words and read_setting(words).name
    except UserError:
        return words


def _only(study: Evaluations, name: str, alike: list[Setting]) -> Setting:
    """The setting of a name; refused where several share it, as those from .json files do."""
    if len(alike) > 1:
        raise UserError(
            f'study {study.spec.key} has {len(alike)} settings named "{name}", which no --setting tells apart: '
            "export one with `prune --export`"
        )
    return alike[0]


def _quoted(names: list[str]) -> str:
    return " or ".join(f'"{name}"' for name in names[:6])
