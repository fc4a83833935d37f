"""From an export request to a folder: prune, write, reload, compare."""

from __future__ import annotations

from pathlib import Path

from core.ask import naming
from core.ask.commands import command_line
from core.ask.models import ModelSpec
from core.ask.requests import ExportRequest, ExportSpec
from core.ask.settings import PrunedSpec
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import USUAL_EVALUATION
from core.base.errors import UserError
from core.base.formats import several
from core.evaluate.resolving import plan, point, prune
from core.export import RECIPE, Card, Exported, check_target, journal, licence_of, recipe_json, size_words, space_needed
from core.export.checking import count
from core.export.folder import export
from core.measure.pruning import check, restored
from core.models import work
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Account, Report
from core.models.provenance import provenance, relative
from core.models.windows import Windows
from core.results import evaluations
from core.store.cache import Entry, Store
from core.store.provenance_schema import without_folders

Numbers = list[tuple[str, str, str]]  # name, value, protocol


def run(request: ExportRequest, loaded: Loaded, store: Store, shape: Outline, report: Report) -> Entry:
    """Prune as the setting says and write the model to the asked folder.

    Raises:
        UserError: the folder is in use, the setting cannot be, or the study measured other weights.
        Cancelled: the report function said so; nothing is left behind.
    """
    folder = Path(request.folder)
    calibration: dict[str, Windows] = {}
    pruned = point(request.setting, request, loaded, store, calibration).pruned
    spec = ExportSpec(model=loaded.spec, pruned=pruned, folder=str(folder))
    finished = journal.stands(store, folder, spec)  # made by a run that was killed before it could say so
    if finished:
        return finished
    check_target(folder, request.overwrite, space_needed(shape.parameters, request.dtype), loaded.source.folder, store)
    numbers = _numbers(request, store, loaded.spec, pruned)
    account = Account(report, work.pruning(shape, request.calibration, request.setting.treatment))
    step = account.by_layer("pruned", shape.layers, account.planned)
    warnings: list[str] = []
    before = count(loaded.layers).sparsity

    def ready(made: Exported) -> None:
        files = [path for each in calibration.values() for path in each.files]
        told = provenance(loaded, files, store, loaded.model.device) | _told(request, made) | {"warnings": warnings}
        journal.ready(store, folder, spec, told, recipe_json(card, made))

    with restored(loaded):
        zeros = prune(loaded, pruned, calibration, step, warnings.append)
        card = _card(request, loaded, numbers, pruned, calibration)
        planned = check(plan(pruned), *zeros.shape)
        try:
            export(loaded, folder, card, planned, request.overwrite, account.say, before, store, ready)
        except BaseException:
            journal.end(store, folder)
            raise
    return journal.stands(store, folder, spec)


def _told(request: ExportRequest, made: Exported) -> dict[str, object]:
    return {
        "folder": request.folder,
        "bytes": made.bytes,
        "dense_bytes": made.dense_bytes,
        "difference": made.difference,
        "sparsity": made.sparsity,
        "setting": request.setting.name,
        "size": size_words(made),
    }


def _card(
    request: ExportRequest, loaded: Loaded, numbers: Numbers, pruned: PrunedSpec, calibration: dict[str, Windows]
) -> Card:
    setting = request.setting
    recipe = pruned.model_dump(mode="json", exclude={"calibration", "method"}) | {
        "target": setting.allocation.target,
        "allocation": setting.allocation.model_dump(mode="json"),
        "calibration": None,
    }
    for each in calibration.values():
        recipe["calibration"] = {
            "text": each.label,
            "content": each.spec.content,
            "windows": each.spec.sequences,
            "length": each.spec.length,
            "seed": setting.calibration_seed,
        }
    return Card(
        title=f"{loaded.source.label}, {naming.whole(setting)}",
        base_model=loaded.source.label,
        base_source=without_folders(relative(request.model)),
        licence=licence_of(loaded.source),
        recipe=recipe,
        numbers=numbers,
        commands=_commands(request),
    )


def _numbers(request: ExportRequest, store: Store, model: ModelSpec, pruned: PrunedSpec) -> Numbers:
    """What a study measured of the setting, the dense model and the uniform twin: name, value, protocol.

    Raises:
        UserError: what the study measured under this setting's name is not what is exported.
    """
    if request.study is None:
        return []
    found = evaluations.load(store, store.by_key(request.study, ("study",)))
    measured = found.single(request.setting)
    if measured is None:
        raise UserError(f"study {request.study} has not measured {request.setting.name}: name one that has, or none")
    if (found.spec.model, measured.result.pruned) != (model, pruned):
        raise UserError(
            f"study {request.study} measured {request.setting.name} on other files than are here now (the model, the "
            "calibration text or the profile differs), so its numbers are not this export's: evaluate it again first"
        )
    text = found.spec.text
    protocol = (
        f"{found.provenance.get('text')}, {text.sequences} windows of {text.length} tokens{found.entries[0].mark}"
    )
    rows = {"dense": found.dense, "this model": measured}
    twin = measured.uniform
    if twin is not None:
        rows["uniform sparsity, same target"] = twin
    numbers = [(f"perplexity, {name}", f"{each.perplexity:.4g}", protocol) for name, each in rows.items()]
    for name, each in rows.items():
        for task, answers in each.result.tasks.items():
            numbers.append(
                (f"{task}, {name}", f"{answers.acc.mean():.3f}", f"acc, {several(len(answers.acc), 'example')}")
            )
    return numbers


def _commands(request: ExportRequest) -> list[str]:
    """The command line that makes the folder again, from the folder above it; none where `prune` has no options for it.

    The sparsities are those that the folder's recipe holds: no profile is looked at again.
    """
    name, text = Path(request.folder).name, request.calibration
    asked = request.to(
        StudyRequest,
        model=without_folders(relative(request.model)),
        profile=None,
        calibration=text.model_copy(update={"source": without_folders(relative(text.source))}),
        settings=(request.setting,),
        evaluation=EvaluationRequest(text=USUAL_EVALUATION.model_copy(update={"length": text.length})),
    )
    recipe = None if request.setting.pattern else f"{name}/{RECIPE}"
    unjudged = dict.fromkeys(("evaluate", "windows", "tasks", "examples"))
    try:
        return [command_line(asked, allocation=recipe, export=f"{name}-again", **unjudged)]
    except UserError:
        return []
