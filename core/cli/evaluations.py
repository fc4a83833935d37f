"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

from core.base import UserError, pruning_troubles
from core.cli import command
from core.cli.output import Answer, err, progress_bar, say, say_helped, say_json
from core.cli.study_output import change_json, point_json, prediction_json, study_json, study_table
from core.export import target
from core.export.file_sizes import counts_of, within, worth
from core.jobs import cluster, queue
from core.methods import treatment
from core.models import machine, run_cost
from core.plan.sizes import DENSE
from core.requests import (
    BestRequest,
    ExportRequest,
    MeasureRequest,
    Recipe,
    Request,
    ShareRequest,
    StudyRequest,
    Unfinished,
    read_share,
)
from core.requests.commands import request_of
from core.requests.parsing import whole_path
from core.requests.recipes import TRAINED
from core.requests.study_file import read_study
from core.results import CheckedPrediction, Study, anchor_studies, stored_forecasts, study_results
from core.results.search_plan import estimate
from core.show.words import advice, forecast_sentences
from core.store import Entry, Store, parts, profiles


@command("prune")
def prune(given: SimpleNamespace, store: Store) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    if given.at_most:
        counts = counts_of(vars(given), store)
        given.allocation = within(given.allocation or "uniform", given.at_most, given.pruner, counts)
    request = request_of("prune", **vars(given))
    folder = whole_path(given.export) if given.export else None
    how = {"setting": request.settings[0], "format": given.format, "overwrite": given.overwrite}
    asked = request.to(ExportRequest, folder=str(folder or ""), **how)
    if folder:
        target.check_early(asked, store)
    where, models, exported = machine.asked(given.device), {}, None
    entry = run(request, store, where, models)
    study = study_results.load(store, entry)
    predicted = stored_forecasts.check_settings(store, study)
    if not given.json:
        study_table(study, predicted)  # now, for what follows may fail
    asked = asked.replace(study=entry.key)
    if folder:
        exported = export_json(run(asked, store, where, models))
    if given.json:
        told = pruned_json(study, request.settings[0], predicted) | forms_json(asked, store)
        say_json({"key": entry.key, **told, "export": exported})
    elif exported:
        say_export(exported, forms_json(asked, store))


def forms_json(asked: ExportRequest, store: Store) -> Answer:
    """Bytes of the weights in each form, what is known of its perplexity and speed beside it, and what that says."""
    try:
        found, known, rates = worth(asked, store)
    except UserError:  # stored results answer without the model too
        return {"forms": None, "verdict": None}
    return {"verdict": advice.on_zeros(found, known), "forms": [
        {"form": name, "bytes": size, "share": size / found[DENSE], "perplexity": known.get(name),
         "tokens_per_second": rates.get(name)} for name, size in found.items()
    ]}  # fmt: skip


def pruned_json(study: Study, setting: Recipe, predicted: Mapping[Recipe, CheckedPrediction]) -> Answer:
    """What one setting cost, beside what others predicted, the dense model and its uniform twin."""
    measured = study.single(setting)
    return {
        "setting": setting.name,
        "planned": measured.planned,
        "achieved": measured.result.evaluated.zeros,
        "linear_forms": measured.result.pruned.forms,
        "level": measured.level,
        "evaluation": point_json(study, measured),
        "predicted": prediction_json(setting, predicted),
        "dense": point_json(study, study.dense),
        "uniform": point_json(study, measured.uniform or measured),
        "against_uniform": change_json(measured.against_uniform),
        "against_base": change_json(measured.against_base),
        "warnings": measured.warnings,
    }


@command("evaluate")
def evaluate(given: SimpleNamespace, store: Store) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    entry = answered("evaluate", given, store)
    study = study_results.load(store, entry)
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)}
    say_json(answer) if given.json else study_table(study, {})


@command("study")
def study(given: SimpleNamespace, store: Store) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    entry = run_shares(read_study(given.file), store, given)
    if entry is not None:
        _say_study(store, entry, given.json)


def _say_study(store: Store, entry: Entry, json: bool) -> Study:
    found = study_results.load(store, entry)
    predicted = stored_forecasts.check_settings(store, found)
    say_json({"key": entry.key, **study_json(found, predicted)}) if json else study_table(found, predicted)
    return found


@command("anchors")
def anchor(given: SimpleNamespace, store: Store) -> None:
    """Evaluate four settings from which the perplexity of any other is predicted; what is finished is kept."""
    profile = profiles.load(store, store.profile(given.profile))
    pruned = treatment(given.pruner, given.repair)
    trained = {name: getattr(given, name) for name in TRAINED}
    request = anchor_studies.anchor_study(profile, pruned, request_of("anchors", **vars(given)), **trained)
    found = _say_study(store, run(request, store, machine.asked(given.device), {}), given.json)
    if not given.json:
        try:
            say(forecast_sentences.basis(stored_forecasts.best_forecast([found], profile, pruned)))
        except UserError as reason:  # pruning raised no loss, or broke the model
            say(reason)


def answered(command: str, given: SimpleNamespace, store: Store) -> Entry:
    """Run what a command asks for, on the device that it names."""
    return run(request_of(command, **vars(given)), store, machine.asked(given.device), {})


ESTIMATES = {MeasureRequest: run_cost.estimate, StudyRequest: run_cost.estimate, BestRequest: estimate}


def run(request: Request, store: Store, device: str, models: dict, engine: str = "wavefront") -> Entry:
    """Run a request as a job in this process, with a progress bar; what is stored already is found."""
    queue.tidy(store)
    entry = store.find(request)
    if entry is None:
        expected = ""
        if counts := ESTIMATES.get(type(request)):
            spread = cluster.read(device)
            cost = counts(request, store, spread.device if spread else device)
            cost = replace(cost, rate=cost.rate * spread.shares) if cost and spread else cost  # each does its share
            expected = run_cost.words(cost)
        from core.jobs import worker

        with progress_bar(expected) as bar:
            entry = worker.run(store, queue.submit(store, request, device, engine), models, bar)
    else:
        err.print("Already in the cache: nothing had to be done.")
    if entry.packs:
        err.print(f"{entry.key} holds imported numbers, which were not measured here.")
    return entry


def export_json(made: Entry) -> Answer:
    """What was exported, and what pruning it had to be helped along with."""
    names = "folder", "bytes", "dense_bytes", "setting", "warnings"
    return {"key": made.key} | {name: made.provenance[name] for name in names}


def say_export(exported: Answer, forms: Answer) -> None:
    """The same for people."""
    about = f"{exported['setting']}: exported to {exported['folder']}, {exported['bytes']:,} bytes"
    say(f"{about}, reloaded and compared", forms["verdict"])
    say_helped(exported["setting"], pruning_troubles(exported["warnings"]))


# --- shares ----------------------------------------------------------------------------------------------------------


def run_shares(
    whole: MeasureRequest | StudyRequest, store: Store, given: SimpleNamespace, engine: str = "wavefront"
) -> Entry | None:
    """Run the share that `--part` names, or the whole where `--engine-on` says; None where shares of it are missing.

    Raises:
        UserError: there is no such share or place.
    """
    share = None if given.part is None else read_share(given.part)
    entry = run(ShareRequest(whole=whole, share=share) if share else whole, store, place(given), {}, engine)
    if not isinstance(entry.spec, Unfinished):
        return entry
    count, missing = len(entry.spec.units), len(parts.missing(store, entry.spec.whole))
    if given.json:
        say_json({"key": entry.key, "whole": entry.spec.whole.key, "missing": missing, "units": count})
        return None
    there = f"{count - missing} of {count} results are whole"
    say(f"Share {given.part} is done; {there}. Run the other shares on the same cache:", f"unfinished {entry.key}")
    return None


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
