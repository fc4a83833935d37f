"""`python -m core export`: a measured setting as a folder that loads anywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from core.ask.requests import ExportRequest
from core.ask.settings import Setting
from core.ask.studies import StudyRequest
from core.ask.typed import whole, whole_path
from core.base.errors import UserError
from core.base.spec import checked
from core.cli import command
from core.cli.output import say_json
from core.cli.studying import export_json, run, say_export
from core.export import check_early
from core.models import machine
from core.models.sources import refuse_fetch
from core.results import best, evaluations
from core.results.evaluations import Evaluations
from core.store.cache import Entry, Store


@command("export")
def export(given: SimpleNamespace) -> None:
    """Prune as a measured setting says and write the model, with its numbers on the card, to a folder."""
    store = Store(given.cache)
    entry = store.by_key(given.key, ("study", "best"))
    folder, overwrite = whole_path(given.to), given.overwrite
    of_best = entry.path.parent.name == "best"
    asked = (_of_best if of_best else _of_study)(store, entry, given.setting, folder, overwrite)
    refuse_fetch(entry, store, asked.model, asked.revision, asked.calibration.source)
    check_early(folder, overwrite, asked.model, asked.revision, asked.dtype, store)
    answer = export_json(run(asked, store, machine.asked(given.device), {}))
    say_json(answer) if given.json else say_export(answer)


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
    """The setting that is meant: the one that the grammar writes so, else the only one with these words in its name."""
    every = [each.setting for each in study.singles if each.setting]
    if not every:
        raise UserError(f"study {study.spec.key} holds the dense model alone: there is nothing to export")
    meant = [each for each in every if words in (None, each.name)] or [each for each in every if words in each.name]
    if len(meant) == 1:
        return meant[0]
    what = "has several settings" if meant else "has no setting"
    names = list(dict.fromkeys(each.name for each in meant or every))
    right = f"name one with --setting, as in {' or '.join(map(repr, names[:6]))}"
    if len(names) < len(meant):
        right = "no --setting tells them apart, so export one with `prune --export`"
    raise UserError(f"study {study.spec.key} {what} called {words!r}: {right}")
