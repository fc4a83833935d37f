"""The documented entry `get`: find the result of a request in the cache, or compute and save it."""

from collections.abc import Iterable, MutableMapping
from dataclasses import replace
from functools import partial

from core.base import Fields, UserError, brief, unique
from core.jobs import cost
from core.jobs.context import WorkContext
from core.judge.resolution import check, resolve, texts_of, with_documents
from core.judge.study_run import StudyRun
from core.measure import Sweep, layers_name, refuse_unlike, settings, tensors
from core.methods import insist_on_ggml
from core.models import (
    Loaded,
    Progress,
    ProgressTracker,
    Reader,
    Report,
    Source,
    anatomy,
    find_part,
    heads,
    load,
    locate,
    placement,
    silent,
)
from core.models.provenance import provenance, stored_formats, without_project_path
from core.models.windows import Windows, windows
from core.prune import check_recipes
from core.requests import (
    BY_REQUEST,
    BestRequest,
    ExportRequest,
    Measurement,
    MeasureRequest,
    ProfileSpec,
    Request,
    Share,
    ShareRequest,
    StudyRequest,
    expanded,
    identified,
    methods_of,
    outside_sketching,
    sketching,
    stands_for,
)
from core.store import Entry, Store, parts


def get(
    request: Request,
    store: Store | None = None,
    device: str = "cpu",
    report: Report = silent,
    models: MutableMapping[str, Loaded] | None = None,
    engine: str = "wavefront",
) -> Entry:
    """The profile, study or export of a request: from the cache, or computed now.

    Args:
        device: cpu, cuda, cuda:1, mps or auto; not part of a result's identity.
        report: called with progress; raises `Cancelled` to stop. Finished parts stay and are not measured again.
        models: holds the last loaded model for the next call.
        engine: wavefront, or hooks for one full forward per injection layer.

    Raises:
        UserError: the request cannot be met.
        Cancelled: the report function said so.
    """
    store = store or Store()
    if entry := store.find(request):
        return entry
    return run(request, WorkContext(store, placement.device(device), report, {} if models is None else models, engine))


def measure(request: MeasureRequest, context: WorkContext, share: Share | None = None) -> Entry:
    store = context.store
    if request.kquants != "none":
        insist_on_ggml()
    loaded = context.load(request, lambda reader: _inputs(request, reader, store))
    text, others = _inputs(request, loaded, store)
    measurements = identified(request.measurements, {typed: other.fingerprint for typed, other in others.items()})
    sketch = sketching(text.spec, request.kquants) if request.sketch else None
    profile = ProfileSpec(
        model=loaded.spec,
        text=text.spec,
        measurements=_each_expanded(measurements, loaded),
        prunable=anatomy.is_prunable(loaded.layers),
        removal=request.removal,
        sketch=sketch,
        outside=sketch and outside_sketching(sketch, text.spec.sequences),
        tensors=bool(others),
        methods=methods_of(request.measurements),
    )
    files = [path for source in (loaded.source, *others.values()) for path in source.watched]
    store.remember(request, profile, [*files, *text.files])
    if entry := store.find(request):  # under another name, or once before this cache knew the request
        return entry
    shape, sweep, beside, formats, own = context.place(loaded), None, {}, {}, {}
    for source in others.values():
        context.report(Progress(f"loading {source.label}"))
        beside[source.fingerprint] = other = load(source, request.dtype, store)
        refuse_unlike(loaded, other)
        formats[source.fingerprint], own[source.fingerprint] = stored_formats(other)
        context.place(other)
    while sweep is None or (share is None and parts.missing(store, profile)):  # a result that shared a unit was deleted
        sweep = Sweep(
            loaded,
            text,
            profile,
            store,
            shape,
            ProgressTracker(context.report),
            context.engine,
            share,
            beside,
            formats,
        )
        sweep.run()
    if sweep.speed:
        cost.remember_speed(store, context.device.type, shape, request.dtype, sweep.speed)
    about = _provenance(request, context, sweep, text) | provenance(loaded, text.files, store)
    if others:
        about["checkpoints"] = {source.fingerprint: without_project_path(typed) for typed, source in others.items()}
        about |= {"tensors": tensors(loaded.layers), "outside": [*loaded.outside], "stack": layers_name(loaded)}
        about["settings"] = {name: settings(loaded, other) for name, other in beside.items()}
        about |= {"formats": formats, "stored_names": own}
    return parts.save_view(store, profile, about)


def _inputs(request: MeasureRequest, mine: Loaded | Reader, store: Store) -> tuple[Windows, dict[str, Source]]:
    """The text of a request, and its other checkpoints by their typed names.

    Raises:
        UserError: the text is too short, there is no such checkpoint, or it is the model itself.
    """
    text = windows(request.text, mine)
    kinds = [each.perturbation for each in request.measurements]
    typed = [each.source for each in kinds if "source" in type(each).model_fields]
    others = {each: locate(each, store) for each in typed}
    for source in others.values():
        if source.fingerprint == mine.source.fingerprint:
            raise UserError(
                f"{mine.source.label} and {source.label} are the same checkpoint, equal file by file: name another one"
            )
    return text, others


def _provenance(request: MeasureRequest, context: WorkContext, sweep: Sweep, text: Windows) -> Fields:
    """Sources, engine and warnings of a sweep, and the seconds of all units, those of earlier runs included."""
    units = [parts.summary(context.store, sweep.profile.unit(each)) for each in sweep.profile.parted]
    replays = [sweep.replay, *(unit["replay_error"] for unit in units)]
    seconds = {"loading": context.loading, **sweep.seconds, "sweep": sum(unit["seconds"] for unit in units)}
    return {
        "engine": sweep.engine,
        "replay_error": max((each for each in replays if each is not None), default=None),
        "warnings": unique([*(text for unit in units for text in unit["warnings"]), *sweep.warnings]),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "model_source": without_project_path(request.model),
        "revision": request.revision,
        "text_source": without_project_path(request.text.source),
        "documents": request.text.documents,
        "text": text.label,
        "seed": request.text.seed,
    }


def _each_expanded(measurements: Iterable[Measurement], loaded: Loaded) -> tuple[Measurement, ...]:
    """Expand `each` to the linears that every layer has, and to every head.

    Raises:
        UserError: one linear is to be pruned alone that a layer lacks, or a layer has no such part.
    """
    names_by_layer = [[each.name for each in anatomy.linears(layer)] for layer in loaded.layers]
    shared = [name for name in names_by_layer[0] if all(name in each for each in names_by_layer)]
    every_head = any(stands_for(each.perturbation) == "part" for each in measurements)
    expanded_measurements = expanded(measurements, shared, heads(loaded.layers[0])[0] if every_head else 0)
    for part in {each.perturbation.part for each in expanded_measurements if hasattr(each.perturbation, "part")}:
        for layer in loaded.layers:
            find_part(layer, part)
    alone = {each.perturbation.linear for each in expanded_measurements if hasattr(each.perturbation, "linear")}
    for index, names in enumerate(names_by_layer):
        if lacking := sorted(alone.difference(names)):
            raise UserError(
                f"layer {index} of {loaded.source.label} has no linear {brief(lacking[0])}: prune alone only "
                f"what every layer has ({', '.join(shared) or 'nothing here'}), or whole layers"
            )
    return expanded_measurements


def evaluate(request: StudyRequest, context: WorkContext, share: Share | None = None) -> Entry:
    loaded = context.load(request, partial(check, request, store=context.store))
    resolved = resolve(request, loaded, context.store)
    context.store.remember(request, resolved.spec, [*loaded.source.watched, *resolved.watched])
    if entry := context.store.find(request):
        return entry
    return StudyRun(
        loaded, request, resolved, context.store, context.place(loaded), ProgressTracker(context.report), share
    ).run()


def share(request: ShareRequest, context: WorkContext) -> Entry:
    do = measure if isinstance(request.whole, MeasureRequest) else evaluate
    return context.store.find(request.whole) or do(request.whole, context, request.share)


def export(request: ExportRequest, context: WorkContext) -> Entry:
    from core.export import export

    loaded = context.load(request, partial(check_recipes, (request.setting,), request, store=context.store))
    return export.run(request, loaded, context.store, context.place(loaded), context.report)


def search(request: BestRequest, context: WorkContext) -> Entry:
    from core.judge.search import Search

    def stage(request, report):
        return context.store.find(request) or run(request, replace(context, report=report))

    loaded = context.load(request, lambda reader: texts_of(with_documents(request), reader))
    return Search(request, loaded, context.store, context.place(loaded), ProgressTracker(context.report), stage).run()


WORK = {  # kind of a job -> function of request and context that returns the stored entry
    "profile": measure,
    "study": evaluate,
    "export": export,
    "best": search,
    "unfinished": share,
}


def run(request: Request, context: WorkContext) -> Entry:
    """Compute the result of a request, whatever is stored."""
    return WORK[BY_REQUEST[type(request)].kind](request, context)
