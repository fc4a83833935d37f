"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.analysis import evaluations
from core.cli import app, asking
from core.cli.options import command
from core.cli.output import out, say_helped, say_json
from core.cli.study_output import change_json, point_json, study_json, study_table
from core.cli.telling import progress_bar
from core.jobs import queue
from core.models import cost, machine
from core.specs import ExportRequest, Setting, StudyRequest, WritingRequest, checked
from core.specs.formats import helped
from core.specs.jobs import Request
from core.specs.study_file import read_study
from core.store.cache import Entry, Store


@command(app, "prune")
def prune(given: SimpleNamespace) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    request, store = asking.prune(given), Store(given.cache)
    [setting] = request.settings
    if given.export is not None:
        from core.export import check_early

        check_early(Path(given.export), given.overwrite, request.model, request.revision, request.dtype, store)
    where, models = machine.chosen(given.device), {}
    entry = run(request, store, where, models)
    study = evaluations.load(store, entry)
    exported = _exported(request, given, entry, store, where, models) if given.export else None
    wrote = _written(request, setting, given.prompt, store, where, models) if given.prompt else None
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
        "writing": wrote,
    }
    say_json(answer) if given.json else study_table(study)
    if wrote and not given.json:
        out.print(f"dense:  {wrote['dense']}", f"pruned: {wrote['pruned']}", sep="\n", markup=False)
    if exported and not given.json:
        say_export(exported)


@command(app, "evaluate")
def evaluate(given: SimpleNamespace) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    store = Store(given.cache)
    entry = run(asking.evaluate(given), store, machine.chosen(given.device), {})
    study = evaluations.load(store, entry)
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)}
    say_json(answer) if given.json else study_table(study)


@command(app, "study")
def study(given: SimpleNamespace) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    request, store = read_study(given.file), Store(given.cache)
    entry = run(request, store, machine.chosen(given.device), {})
    found = evaluations.load(store, entry)
    say_json({"key": entry.key, **study_json(found)}) if given.json else study_table(found)


def run(request: Request, store: Store, device: str, models: dict) -> Entry:
    """Run a request as a job in this process, with a progress bar; what is stored already is found."""
    found = store.find(request)
    if found:
        return found
    expected = cost.of_study(request, store, device) if isinstance(request, StudyRequest) else None
    from core.jobs import worker

    with progress_bar(cost.words(expected) if expected else "") as tell:
        return worker.run(store, queue.submit(store, request, device), models, tell)


def _exported(
    request: StudyRequest, given: SimpleNamespace, entry: Entry, store: Store, device: str, models: dict
) -> dict[str, Any]:
    asked = ExportRequest(
        **_same(request),
        setting=request.settings[0],
        folder=str(Path(given.export).expanduser().resolve()),
        overwrite=given.overwrite,
        study=entry.key,
    )
    return export_json(run(asked, store, device, models))


def export_json(made: Entry) -> dict[str, Any]:
    """What was exported, and what pruning it had to be helped along with."""
    return {"key": made.key, **{name: made.provenance[name] for name in ("folder", "bytes", "warnings")}}


def say_export(exported: dict[str, Any]) -> None:
    """The same for people."""
    where = f"exported to {exported['folder']}: {exported['bytes']:,} bytes, reloaded and compared"
    out.print(where, markup=False, soft_wrap=True)
    say_helped("export", helped(exported["warnings"]))


def _written(
    request: StudyRequest, setting: Setting, prompt: str, store: Store, device: str, models: dict
) -> dict[str, str]:
    """What both models write after the prompt."""
    asked = checked(WritingRequest, **_same(request), setting=setting, prompt=prompt)
    told = run(asked, store, device, models).provenance
    return {name: told[name] for name in ("prompt", "dense", "pruned")}


def _same(request: StudyRequest) -> dict[str, Any]:
    """What a study has in common with what is done with one of its settings."""
    return {name: getattr(request, name) for name in ("model", "revision", "dtype", "profile", "calibration")}
