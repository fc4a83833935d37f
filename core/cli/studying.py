"""`python -m core prune | evaluate | study`: what settings cost, measured on the pruned model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from core import cost, jobs, machine, studies
from core.allocation import written
from core.cli import app
from core.cli.commands import Cache, Device, Json
from core.cli.output import out, progress_bar, say_json
from core.comparison import Interval
from core.errors import UserError
from core.pattern import pattern as read_pattern
from core.request import absolute, span
from core.settings import EvaluationRequest, ExportRequest, Setting, StudyRequest, WritingRequest
from core.specs import WindowRequest, checked, number
from core.store import Entry, Request, Store
from core.studies import Measured, Study
from core.study_file import read_study
from core.words import helped

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
    calibration: Annotated[str, typer.Option(help="Calibration text.")] = "demo",
    documents: Annotated[str | None, typer.Option(help="Its documents, as in 0-599.")] = None,
    sequences: Annotated[int, typer.Option(help="How many calibration windows.")] = 16,
    length: Length = 512,
    seed: Annotated[int, typer.Option(help="Draws the calibration windows.")] = 0,
    evaluate: Evaluate = "demo:evaluation",
    evaluate_documents: EvaluateDocuments = None,
    windows: Windows = 24,
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
        allocation=written.allocation(allocation or _usual(pattern)),
        pattern=pattern,
        true_sequential=true_sequential,
        calibration_seed=seed,
    )
    if export is not None:
        from core.export import check_target

        check_target(Path(export).expanduser().resolve(), overwrite)
    request = checked(
        StudyRequest,
        model=absolute(model),
        revision=revision,
        dtype=dtype,
        profile=profile,
        calibration=_window(calibration, documents, sequences, length),
        settings=(setting,),
        evaluation=_evaluation(evaluate, evaluate_documents, windows, length, tasks, tasks_from, examples),
    )
    store, where, models = Store(cache), machine.chosen(device), {}
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
        "evaluation": point_json(measured),
        "dense": point_json(study.dense),
        "uniform": point_json(study.twin(measured)),
        "against_uniform": comparison_json(measured, study.twin(measured)),
        "warnings": measured.warnings,
        "export": exported,
        "writing": wrote,
    }
    say_json(answer) if json else table(study)
    if wrote and not json:
        out.print(f"dense:  {wrote['dense']}", f"pruned: {wrote['pruned']}", sep="\n", markup=False)
    if exported and not json:
        out.print(f"exported to {exported['folder']}: {exported['bytes']:,} bytes, reloaded and compared")


@app.command()
def evaluate(
    model: Model = "demo",
    revision: Revision = None,
    dtype: Dtype = "float32",
    text: Evaluate = "demo:evaluation",
    documents: EvaluateDocuments = None,
    windows: Windows = 24,
    length: Length = 512,
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
    answer = {"key": entry.key, "model": entry.provenance.get("model"), **point_json(study.dense)}
    say_json(answer) if json else table(study)


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
    say_json({"key": entry.key, **study_json(found)}) if json else table(found)


def run(request: Request | ExportRequest, store: Store, device: str, models: dict) -> Entry:
    """Run a request as a job in this process, with a progress bar; what is stored already is found."""
    found = store.find(request)
    if found:
        return found
    expected = cost.of_study(request, store, device) if isinstance(request, StudyRequest) else None
    from core import worker

    with progress_bar(cost.words(expected) if expected else "") as tell:
        return worker.run(store, jobs.submit(store, request, device), models, tell)


def _usual(pattern: str | None) -> str:
    """The allocation where none is named."""
    return "uniform:0.7" if pattern is None else f"uniform:{number(read_pattern(pattern).sparsity)}"


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
    made = run(asked, store, device, models)
    return {"folder": made.provenance["folder"], "bytes": made.provenance["bytes"], "key": made.key}


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


def _window(source: str, documents: str | None, count: int, length: int) -> WindowRequest:
    return checked(WindowRequest, source=absolute(source), documents=span(documents), sequences=count, length=length)


def _evaluation(
    text: str, documents: str | None, windows: int, length: int, tasks: list[str] | None, tasks_from: str | None,
    examples: int,
) -> EvaluationRequest:  # fmt: skip
    if examples < 0:
        raise UserError(f"--examples {examples}: give a number of examples per task, or 0 for all")
    names = [name for each in tasks or [] for name in each.split(",") if name]
    return checked(
        EvaluationRequest,
        text=_window(text, documents, windows, length),
        tasks=tuple(dict.fromkeys(names)),
        tasks_from=str(Path(tasks_from).expanduser().resolve()) if tasks_from else None,
        examples=examples or None,
    )


# --- saying it -----------------------------------------------------------------------------------------------------


def point_json(measured: Measured) -> dict[str, Any]:
    """One point of a study."""
    return {
        "perplexity": measured.perplexity,
        "kl": measured.kl,
        "agreement": measured.agreement,
        "windows": len(measured.evaluated.nll),
        "broken_at_layer": measured.broken,
        "tasks": {name: _accuracy(found.acc) for name, found in measured.tasks.items()},
    }


def comparison_json(measured: Measured, other: Measured | None) -> dict[str, Any] | None:
    """Change of perplexity in per cent with its paired interval; None where there is nothing to compare with."""
    if other is None or other is measured:
        return None
    return interval_json(studies.against(measured, other))


def interval_json(found: Interval) -> dict[str, Any]:
    """An interval in per cent of perplexity."""
    return {"percent": found.value, "interval": [found.low, found.high], "windows": found.n}


def study_json(found: Study) -> dict[str, Any]:
    """All points of a study."""
    rows = []
    for each in found.points:
        row = {"name": each.name, **point_json(each), "warnings": each.warnings}
        if each.setting:
            row["setting"] = each.setting.model_dump(mode="json")
            row["against_uniform"] = comparison_json(each, found.twin(each))
        rows.append(row)
    return {"text": found.provenance.get("text"), "points": rows}


def _accuracy(correct: np.ndarray) -> dict[str, float]:
    error = float(np.std(correct, ddof=1) / np.sqrt(len(correct))) if len(correct) > 1 else float("nan")
    return {"acc": float(correct.mean()), "acc_stderr": error, "examples": len(correct)}


def table(found: Study) -> None:
    """A study for people: a row per point."""
    tasks = [task.name for task in found.spec.tasks]
    length, windows = found.spec.text.length, found.spec.text.sequences
    told = found.provenance
    view = Table(title=f"{told.get('model')} on {told.get('text')}, {windows} x {length} tokens")
    view.add_column("setting")
    for column in ("perplexity", "against uniform", "KL", *tasks):
        view.add_column(column, justify="right")
    for each in found.points:
        change = comparison_json(each, found.twin(each)) if each.setting else None
        said = "" if change is None else "{percent:+.1f} % [{interval[0]:.1f}, {interval[1]:.1f}]".format(**change)
        accuracies = [_accuracy(each.tasks[name].acc) for name in tasks]
        cells = [f"{one['acc']:.3f} ± {one['acc_stderr']:.3f}" for one in accuracies]
        view.add_row(each.name, _perplexity(each), said, f"{each.kl:.4g}", *cells)
    out.print(view)
    for each in found.points:
        warning = helped(each.warnings)
        if warning:
            out.print(f"{each.name}. {warning}", markup=False, soft_wrap=True)
    out.print(f"study {found.spec.key}")


def _perplexity(measured: Measured) -> str:
    return measured.trouble or f"{measured.perplexity:.4g}"
