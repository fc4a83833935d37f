"""`python -m core prune | evaluate | study | anchors`: the cost of recipes, measured on the pruned model."""

from collections.abc import Mapping
from types import SimpleNamespace

from core.base import UserError
from core.cli.study_output import change_json, point_json, prediction_json, print_study, study_json
from core.cli.terminal import Answer, command, err, progress_bar, say, say_json
from core.export import target
from core.export.file_sizes import counts_of, worth
from core.jobs import cluster, cost, queue
from core.methods import treatment
from core.models import machine
from core.plan import DENSE, with_target
from core.requests import (
    TRAINED,
    BestRequest,
    ExportRequest,
    MeasureRequest,
    Recipe,
    Request,
    ShareRequest,
    StudyRequest,
    Unfinished,
    read_share,
    read_study,
    request_of,
    whole_path,
)
from core.results import Prediction, Study, candidates, stored_forecasts, study_results
from core.show.words import study_lines
from core.store import Entry, Store, parts, profiles


@command("prune")
def prune(options: SimpleNamespace, store: Store) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    request = request_of("prune", **vars(options))
    if options.at_most:
        [recipe], counts = request.settings, counts_of(vars(options), store)
        profile = options.profile and profiles.load(store, store.profile(options.profile))
        allocation = with_target(recipe.allocation, counts, recipe.treatment, profile)
        request = request.replace(settings=(recipe.replace(allocation=allocation),))
    folder = whole_path(options.export) if options.export else None
    fields = {"setting": request.settings[0], "format": options.format, "overwrite": options.overwrite}
    export = request.to(ExportRequest, folder=str(folder or ""), **fields)
    if folder:
        target.check_early(export, store)
    models, exported = {}, None
    entry = run(request, store, options, models)
    study = study_results.load(store, entry)
    predicted = stored_forecasts.check_settings(store, study)
    print_study(study, predicted)  # now, as the export may fail
    export = export.replace(study=entry.key)
    if folder:
        exported = export_json(run(export, store, options, models))
    forms = forms_json(export, store)
    say_json({"key": entry.key, **pruned_json(study, request.settings[0], predicted), **forms, "export": exported})
    if exported:
        say_export(exported, forms)


def forms_json(request: ExportRequest, store: Store) -> Answer:
    """JSON of the bytes of the weights in each format, its perplexity and speed where measured, and the verdict."""
    try:
        sizes, perplexities, rates = worth(request, store)
    except UserError:  # stored results answer without the model too
        return {"forms": None, "verdict": None}
    return {"verdict": study_lines.on_zeros(sizes, perplexities), "forms": [
        {"form": name, "bytes": size, "share": size / sizes[DENSE], "perplexity": perplexities.get(name),
         "tokens_per_second": rates.get(name)} for name, size in sizes.items()
    ]}  # fmt: skip


def pruned_json(study: Study, recipe: Recipe, predicted: Mapping[Recipe, Prediction]) -> Answer:
    """JSON of one evaluated recipe, its prediction, the dense model and its uniform twin."""
    measured = study.single(recipe)
    return {
        "setting": recipe.name,
        "planned": measured.planned,
        "achieved": measured.result.evaluated.zeros,
        "linear_forms": measured.result.pruned.formats,
        "level": measured.level,
        "evaluation": point_json(study, measured),
        "predicted": prediction_json(recipe, predicted),
        "dense": point_json(study, study.dense),
        "uniform": point_json(study, measured.uniform or measured),
        "against_uniform": change_json(measured.against_uniform),
        "against_base": change_json(measured.against_base),
        "warnings": measured.warnings,
    }


@command("evaluate")
def evaluate(options: SimpleNamespace, store: Store) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    entry = run_command("evaluate", options, store)
    study = study_results.load(store, entry)
    say_json({"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)})
    print_study(study, {})


@command("study")
def study(options: SimpleNamespace, store: Store) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    entry = run_shares(read_study(options.file), store, options)
    if entry is not None:
        _say_study(store, entry)


def _say_study(store: Store, entry: Entry) -> Study:
    study = study_results.load(store, entry)
    predicted = stored_forecasts.check_settings(store, study)
    say_json({"key": entry.key, **study_json(study, predicted)})
    print_study(study, predicted)
    return study


@command("anchors")
def anchor(options: SimpleNamespace, store: Store) -> None:
    """Evaluate four settings from which the perplexity of any other is predicted; what is finished is kept."""
    profile = profiles.load(store, store.profile(options.profile))
    treated = treatment(options.pruner, options.repair)
    trained = {name: getattr(options, name) for name in TRAINED}
    request = candidates.anchor_study(profile, treated, request_of("anchors", **vars(options)), **trained)
    study = _say_study(store, run(request, store, options))
    try:
        say(study_lines.basis(stored_forecasts.best_forecast([study], profile, treated)))
    except UserError as reason:  # pruning raised no loss, or broke the model
        say(reason)


def run_command(command: str, options: SimpleNamespace, store: Store) -> Entry:
    """Run the request of a command, on the device that it names."""
    return run(request_of(command, **vars(options)), store, options)


def run(request: Request, store: Store, options: SimpleNamespace, models: dict | None = None) -> Entry:
    """Run a request as a job in this process, with a progress bar; a stored result answers at once.

    Args:
        options: `device`, and for what can be spread `engine_on`, `part` and `shares`; for a measurement `engine`.
        models: kept from one run of a command to its next.
    """
    place = _place(options)
    queue.tidy(store)
    if entry := store.find(request):
        err.print("Already in the cache: nothing had to be done.")
        return entry
    from core.jobs import worker

    priced = isinstance(request, MeasureRequest | StudyRequest | BestRequest)
    with progress_bar(cost.words(cost.estimate(request, store, place)) if priced else "") as bar:
        job = queue.submit(store, request, place, getattr(options, "engine", "wavefront"))
        return worker.run(store, job, {} if models is None else models, bar)


def export_json(entry: Entry) -> Answer:
    """JSON of an export, with the warnings of its pruning."""
    names = "folder", "bytes", "dense_bytes", "setting", "warnings"
    return {"key": entry.key} | {name: entry.provenance[name] for name in names}


def say_export(exported: Answer, forms: Answer) -> None:
    """Print an export."""
    about = f"{exported['setting']}: exported to {exported['folder']}, {exported['bytes']:,} bytes"
    troubles = "; ".join(exported["warnings"])
    say(f"{about}, reloaded and compared", forms["verdict"], troubles and f"{exported['setting']}: {troubles}")


# --- shares ----------------------------------------------------------------------------------------------------------


def run_shares(whole: MeasureRequest | StudyRequest, store: Store, options: SimpleNamespace) -> Entry | None:
    """Run the share that `--part` names, or the whole where `--engine-on` says; None while shares of it are missing.

    Raises:
        UserError: no such share or place.
    """
    share = None if options.part is None else read_share(options.part)
    entry = run(ShareRequest(whole=whole, share=share) if share else whole, store, options)
    if not isinstance(entry.spec, Unfinished):
        return entry
    count, missing = len(entry.spec.units), len(parts.missing(store, entry.spec.whole))
    say_json({"key": entry.key, "whole": entry.spec.whole.key, "missing": missing, "units": count})
    there = f"{count - missing} of {count} results are whole"
    say(f"Share {options.part} is done; {there}. Run the other shares on the same cache:", f"unfinished {entry.key}")
    return None


def _place(options: SimpleNamespace) -> str:
    """The device, or the place that `--engine-on` names.

    Raises:
        UserError: no such place, or `--part` names one share.
    """
    device = machine.device_named(options.device)
    engine, part, shares = (getattr(options, name, None) for name in ("engine_on", "part", "shares"))
    if engine is not None and part is not None:
        raise UserError("--part does one share and --engine-on runs them all: give one of the two")
    if engine is None and shares is not None:
        raise UserError("--shares says how many --engine-on runs: name an engine too, or one share with --part")
    return str(cluster.place(engine, shares, device)) if engine else device
