"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.ask.jobs import Request
from core.ask.measurements import MeasureRequest
from core.ask.requests import BestRequest, ExportRequest
from core.ask.studies import StudyRequest
from core.ask.study_file import read_study
from core.base.formats import helped
from core.base.paths import resolved
from core.cli import app, asking, sharing
from core.cli.options import command
from core.cli.output import err, out, say_helped, say_json
from core.cli.study_output import change_json, point_json, study_json, study_table
from core.cli.telling import progress_bar
from core.jobs import queue
from core.models import machine, work
from core.results import evaluations
from core.results.search_plan import estimate
from core.store.cache import Entry, Store


@command(app, "prune")
def prune(given: SimpleNamespace) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    request, store = asking.prune(given), Store(given.cache, given.accept_imported)
    [setting] = request.settings
    if given.export is not None:
        from core.export import check_early

        check_early(Path(given.export), given.overwrite, request.model, request.revision, request.dtype, store)
    where, models = machine.asked(given.device), {}
    entry = run(request, store, where, models)
    study = evaluations.load(store, entry)
    if not given.json:
        study_table(study)  # now, for what follows may fail
    exported = None
    if given.export:
        folder = str(resolved(given.export))
        asked = request.to(ExportRequest, setting=setting, folder=folder, overwrite=given.overwrite, study=entry.key)
        exported = export_json(run(asked, store, where, models))
    measured = study.single(setting)
    answer = {
        "key": entry.key,
        "setting": setting.name,
        "planned": measured.planned,
        "achieved": measured.result.evaluated.zeros,
        "evaluation": point_json(study, measured),
        "dense": point_json(study, study.dense),
        "uniform": point_json(study, measured.uniform or measured),
        "against_uniform": change_json(measured.against_uniform),
        "against_base": change_json(measured.against_base),
        "warnings": measured.warnings,
        "export": exported,
    }
    if given.json:
        say_json(answer)
        return
    if exported:
        say_export(exported)


@command(app, "evaluate")
def evaluate(given: SimpleNamespace) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    store = Store(given.cache, given.accept_imported)
    entry = run(asking.evaluate(given), store, machine.asked(given.device), {})
    study = evaluations.load(store, entry)
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)}
    say_json(answer) if given.json else study_table(study)


@command(app, "study")
def study(given: SimpleNamespace) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    request, store = sharing.asked(read_study(given.file), given), Store(given.cache, given.accept_imported)
    entry = run(request, store, sharing.where(given), {})
    if sharing.is_unfinished(entry):
        sharing.say(entry, store, given)
        return
    found = evaluations.load(store, entry)
    say_json({"key": entry.key, **study_json(found)}) if given.json else study_table(found)


ESTIMATES = {MeasureRequest: work.estimate, StudyRequest: work.estimate, BestRequest: estimate}


def run(
    request: Request, store: Store, device: str, models: dict, engine: str = "wavefront", nothing: str = ""
) -> Entry:
    """Run a request as a job in this process, with a progress bar; what is stored already is found.

    Args:
        nothing: what is said where nothing had to be done.
    """
    queue.tidy(store)
    entry, bar = store.find(request), None
    if entry is None:
        known = ESTIMATES.get(type(request))
        expected = known and sharing.expected(known, request, store, device)
        from core.jobs import worker

        with progress_bar(work.words(expected) if known else "") as bar:
            entry = worker.run(store, queue.submit(store, request, device, engine), models, bar)
    if entry.packs:
        err.print(f"{entry.key} holds imported numbers, which were not measured here.")
    if nothing and not (bar and bar.began):
        err.print(nothing)
    return entry


def export_json(made: Entry) -> dict[str, Any]:
    """What was exported, and what pruning it had to be helped along with."""
    return {"key": made.key, **{name: made.provenance[name] for name in ("folder", "bytes", "warnings")}}


def say_export(exported: dict[str, Any]) -> None:
    """The same for people."""
    where = f"exported to {exported['folder']}: {exported['bytes']:,} bytes, reloaded and compared"
    out.print(where, markup=False, soft_wrap=True)
    say_helped("export", helped(exported["warnings"]))
