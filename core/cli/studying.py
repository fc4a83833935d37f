"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.analysis import studies
from core.cli import app
from core.cli.commands import Cache, Device, Json
from core.cli.output import out, progress_bar, say_helped, say_json
from core.cli.study_output import comparison_json, point_json, study_json, study_table
from core.jobs import queue
from core.models import cost, machine
from core.specs import grammar
from core.specs.allocations import AllocationRequest
from core.specs.base import checked
from core.specs.errors import UserError
from core.specs.formats import helped
from core.specs.patterns import pattern as read_pattern
from core.specs.requests import ExportRequest, WritingRequest
from core.specs.settings import Setting, uniform
from core.specs.studies import EvaluationRequest, StudyRequest
from core.specs.study_file import read_study
from core.specs.texts import USUAL_CALIBRATION, USUAL_EVALUATION, WindowRequest
from core.specs.typed import absolute, span
from core.store.cache import Entry, Request, Store

Model = Annotated[str, typer.Option(help="demo, a folder, a .gguf file, a Hub id.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub model.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
Evaluate = Annotated[str, typer.Option(help="Text for the perplexity: demo:evaluation, file:PATH, a Hub dataset.")]
EvaluateDocuments = Annotated[str | None, typer.Option(help="Its documents, as in 800-999.")]
Windows = Annotated[int, typer.Option(help="How many windows of it.")]
Length = Annotated[int, typer.Option(help="Tokens per window, of calibration and evaluation.")]
Tasks = Annotated[list[str] | None, typer.Option(help="Zero-shot tasks; repeatable, or separated by commas.")]
TasksFrom = Annotated[str | None, typer.Option(help="Folder of task files; else the harness's own tasks.")]
Examples = Annotated[int, typer.Option(help="Examples per task, a seeded sample; 0 for all.")]

SHORTEST = 8  # tokens of a window


@app.command()
def prune(
    model: Model = "demo",
    revision: Revision = None,
    dtype: Dtype = "float32",
    pruner: Annotated[str, typer.Option(help="magnitude, wanda or sparsegpt.")] = "wanda",
    allocation: Annotated[
        str | None,
        typer.Option(
            help='METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08:0.7", or a .json file; else uniform:0.7, or '
            "what the pattern fixes."
        ),
    ] = None,
    pattern: Annotated[str | None, typer.Option(help="N kept of M, as in 2:4; uniform.")] = None,
    true_sequential: Annotated[bool, typer.Option("--true-sequential", help="Prune a layer group by group.")] = False,
    profile: Annotated[str | None, typer.Option(help="The profile that the allocation looks at.")] = None,
    calibration: Annotated[str, typer.Option(help="Calibration text.")] = USUAL_CALIBRATION.source,
    documents: Annotated[str | None, typer.Option(help="Its documents, as in 0-599.")] = None,
    sequences: Annotated[int, typer.Option(help="How many calibration windows.")] = USUAL_CALIBRATION.sequences,
    length: Length = USUAL_EVALUATION.length,
    seed: Annotated[int, typer.Option(help="Draws the calibration windows.")] = 0,
    evaluate: Evaluate = USUAL_EVALUATION.source,
    evaluate_documents: EvaluateDocuments = None,
    windows: Windows = USUAL_EVALUATION.sequences,
    tasks: Tasks = None,
    tasks_from: TasksFrom = None,
    examples: Examples = 200,
    prompt: Annotated[str | None, typer.Option(help="Let the dense and the pruned model continue these words.")] = None,
    export: Annotated[str | None, typer.Option(help="Write the pruned model to this folder too.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export there.")] = False,
    device: Device = "auto",
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Prune a model, evaluate it beside the dense one and its uniform twin, and export it if asked."""
    setting = checked(
        Setting,
        pruner=pruner,
        allocation=grammar.read_allocation(allocation) if allocation else _usual(pattern),
        pattern=pattern,
        true_sequential=true_sequential,
        calibration_seed=seed,
    )
    store = Store(cache)
    request = checked(
        StudyRequest,
        model=absolute(model),
        revision=revision,
        dtype=dtype,
        profile=profile,
        calibration=_window(calibration, documents, at_least("--sequences", sequences), length),
        settings=(setting,),
        evaluation=_evaluation(evaluate, evaluate_documents, windows, length, tasks, tasks_from, examples),
    )
    if export is not None:
        from core.export import check_early

        check_early(Path(export), overwrite, request.model, request.revision, request.dtype, store)
    where, models = machine.chosen(device), {}
    entry = run(request, store, where, models)
    study = studies.load(store, entry)
    exported = _exported(request, setting, entry, export, overwrite, store, where, models) if export else None
    wrote = _written(request, setting, prompt, store, where, models) if prompt else None
    measured = study.of(setting)
    answer = {
        "key": entry.key,
        "setting": setting.name,
        "planned": measured.planned,
        "achieved": measured.evaluated.zeros,
        "evaluation": point_json(study, measured),
        "dense": point_json(study, study.dense),
        "uniform": point_json(study, study.twin(measured)),
        "against_uniform": comparison_json(measured, study.twin(measured)),
        "against_base": comparison_json(measured, study.base(measured)),
        "warnings": measured.warnings,
        "export": exported,
        "writing": wrote,
    }
    say_json(answer) if json else study_table(study)
    if wrote and not json:
        out.print(f"dense:  {wrote['dense']}", f"pruned: {wrote['pruned']}", sep="\n", markup=False)
    if exported and not json:
        say_export(exported)


@app.command()
def evaluate(
    model: Model = "demo",
    revision: Revision = None,
    dtype: Dtype = "float32",
    text: Evaluate = USUAL_EVALUATION.source,
    documents: EvaluateDocuments = None,
    windows: Windows = USUAL_EVALUATION.sequences,
    length: Length = USUAL_EVALUATION.length,
    tasks: Tasks = None,
    tasks_from: TasksFrom = None,
    examples: Examples = 200,
    device: Device = "auto",
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Evaluate a model as it is: perplexity, and zero-shot tasks if asked."""
    request = checked(
        StudyRequest,
        model=absolute(model),
        revision=revision,
        dtype=dtype,
        evaluation=_evaluation(text, documents, windows, length, tasks, tasks_from, examples),
    )
    store = Store(cache)
    entry = run(request, store, machine.chosen(device), {})
    study = studies.load(store, entry)
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study, study.dense)}
    say_json(answer) if json else study_table(study)


@app.command()
def study(
    file: Annotated[Path, typer.Argument(help="A .toml file; see the README for what it holds.")],
    device: Device = "auto",
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Evaluate a list of settings of one model, point by point; what is finished is kept."""
    request = read_study(file)
    store = Store(cache)
    entry = run(request, store, machine.chosen(device), {})
    found = studies.load(store, entry)
    say_json({"key": entry.key, **study_json(found)}) if json else study_table(found)


def run(request: Request | ExportRequest, store: Store, device: str, models: dict) -> Entry:
    """Run a request as a job in this process, with a progress bar; what is stored already is found."""
    found = store.find(request)
    if found:
        return found
    expected = cost.of_study(request, store, device) if isinstance(request, StudyRequest) else None
    from core.jobs import worker

    with progress_bar(cost.words(expected) if expected else "") as tell:
        return worker.run(store, queue.submit(store, request, device), models, tell)


def _usual(pattern: str | None) -> AllocationRequest:
    """The allocation where none is named."""
    return AllocationRequest() if pattern is None else uniform(read_pattern(pattern).sparsity)


def _exported(
    request: StudyRequest, setting: Setting, entry: Entry, folder: str, overwrite: bool, store: Store, device: str,
    models: dict,
) -> dict[str, Any]:  # fmt: skip
    asked = ExportRequest(
        **_same(request),
        setting=setting,
        folder=str(Path(folder).expanduser().resolve()),
        overwrite=overwrite,
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


def at_least(option: str, value: int, least: int = 1) -> int:
    """The value of an option.

    Raises:
        UserError: it is less.
    """
    if value < least:
        raise UserError(f"{option} {value}: give {least} or more")
    return value


def _window(source: str, documents: str | None, count: int, length: int) -> WindowRequest:
    at_least("--length", length, SHORTEST)
    return checked(WindowRequest, source=absolute(source), documents=span(documents), sequences=count, length=length)


def _evaluation(
    text: str, documents: str | None, windows: int, length: int, tasks: list[str] | None, tasks_from: str | None,
    examples: int,
) -> EvaluationRequest:  # fmt: skip
    names = list(filter(None, (name.strip() for each in tasks or [] for name in each.split(","))))
    if tasks_from and not names:
        raise UserError(
            f"--tasks-from {tasks_from} names a folder and no task in it: add --tasks NAME, or leave it out"
        )
    if examples < 0:
        raise UserError(f"--examples {examples}: give a number of examples per task, or 0 for all")
    return checked(
        EvaluationRequest,
        text=_window(text, documents, at_least("--windows", windows), length),
        tasks=tuple(dict.fromkeys(names)),
        tasks_from=str(Path(tasks_from).expanduser().resolve()) if tasks_from else None,
        examples=examples or None,
    )
