"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.ask.commands import request_of
from core.ask.jobs import Request, ShareRequest, Unfinished, read_share
from core.ask.measurements import MeasureRequest
from core.ask.requests import BestRequest, ExportRequest
from core.ask.studies import StudyRequest
from core.ask.study_file import read_study
from core.base.errors import UserError
from core.base.formats import helped
from core.base.paths import resolved
from core.cli import command
from core.cli.output import err, progress_bar, say, say_helped, say_json
from core.cli.study_output import change_json, point_json, study_json, study_table
from core.jobs import cluster, queue
from core.models import machine, work
from core.models.work import Cost
from core.results import evaluations
from core.results.search_plan import estimate
from core.store import parts
from core.store.cache import Entry, Store


@command("prune")
def prune(given: SimpleNamespace) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    request, store = request_of("prune", **vars(given)), Store(given.cache, given.accept_imported)
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


@command("evaluate")
def evaluate(given: SimpleNamespace) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    store = Store(given.cache, given.accept_imported)
    entry = run(request_of("evaluate", **vars(given)), store, machine.asked(given.device), {})
    study = evaluations.load(store, entry)
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)}
    say_json(answer) if given.json else study_table(study)


@command("study")
def study(given: SimpleNamespace) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    request, store = share_of(read_study(given.file), given), Store(given.cache, given.accept_imported)
    entry = run(request, store, place(given), {})
    if is_unfinished(entry):
        say_share(entry, store, given)
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
        expected = known and expected_cost(known, request, store, device)
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
    say(where)
    say_helped("export", helped(exported["warnings"]))


# --- shares ----------------------------------------------------------------------------------------------------------


def share_of(whole: MeasureRequest | StudyRequest, given: SimpleNamespace) -> Request:
    """The share that `--part` names, or the whole.

    Raises:
        UserError: there is no such share.
    """
    return ShareRequest(whole=whole, share=read_share(given.part)) if given.part is not None else whole


def place(given: SimpleNamespace) -> str:
    """The device, or the place that `--engine-on` names.

    Raises:
        UserError: there is no such place, or only one share was asked for.
    """
    device = machine.asked(given.device)
    if given.engine_on is None:
        if given.shares is not None:
            raise UserError("--shares says how many --engine-on runs: name an engine too, or one share with --part")
        return device
    if given.part is not None:
        raise UserError("--part does one share and --engine-on runs them all: give one of the two")
    return str(cluster.place(given.engine_on, given.shares, device))


def expected_cost(estimate: Callable[..., Cost | None], request: Request, store: Store, device: str) -> Cost | None:
    """What a run costs; at a place the time of a device is divided by its shares."""
    spread = cluster.read(device)
    if spread is None:
        return estimate(request, store, device)
    cost = estimate(request, store, spread.device)
    return cost and replace(cost, rate=cost.rate * spread.shares)


def is_unfinished(entry: Entry) -> bool:
    """Whether shares of it are missing."""
    return isinstance(entry.spec, Unfinished)


def say_share(entry: Entry, store: Store, given: SimpleNamespace) -> None:
    """That a share is done, and how much is missing of the whole."""
    count, missing = len(entry.spec.units), len(parts.missing(store, entry.spec.whole))
    if given.json:
        say_json({"key": entry.key, "whole": entry.spec.whole.key, "missing": missing, "units": count})
        return
    there = f"{count - missing} of {count} results are whole"
    say(f"Share {given.part} is done; {there}. Run the other shares on the same cache:")
    say(f"unfinished {entry.key}")
