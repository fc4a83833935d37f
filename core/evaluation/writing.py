"""What a model writes before and after pruning."""

from __future__ import annotations

from core.evaluation.generation import continuation
from core.evaluation.pruned import prune
from core.evaluation.resolving import point
from core.models import flops
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Progress, Report
from core.models.provenance import provenance, relative
from core.pruning.walk import restored
from core.specs.requests import WritingRequest, WritingSpec
from core.store.cache import Entry, Store
from core.texts.windows import Windows


def run(request: WritingRequest, loaded: Loaded, store: Store, shape: Outline, report: Report) -> Entry:
    """Let the dense model continue the prompt, prune it, and let it continue again.

    Raises:
        UserError: a prompt without room to continue, or a setting that cannot be.
        Cancelled: the report function said so.
    """
    calibration: dict[str, Windows] = {}
    pruned = point(request.setting, request, loaded, store, calibration).pruned
    spec = WritingSpec(model=loaded.spec, pruned=pruned, prompt=request.prompt, tokens=request.tokens)
    files = [path for each in calibration.values() for path in each.files]
    store.remember(request, spec, [*loaded.source.files, *files])
    known = store.find(request)
    if known:
        return known
    total = flops.walk_flops(shape, request.calibration)

    def say(line: str, layers: int) -> None:
        report(Progress(line, int(total * layers / shape.layers / 1e6), int(total / 1e6)))

    say("the dense model writes", 0)
    dense = continuation(loaded, request.prompt, request.tokens)
    warnings: list[str] = []
    with restored(loaded):
        prune(loaded, pruned, calibration, lambda layer: say(f"pruned layer {layer}", layer), warnings.append)
        say("the pruned model writes", shape.layers)
        written = continuation(loaded, request.prompt, request.tokens)
    told = provenance(loaded, files, store, loaded.model.device) | {
        "setting": request.setting.name,
        "model_source": relative(request.model),
        "prompt": request.prompt,
        "dense": dense,
        "pruned": written,
        "warnings": warnings,
    }
    return store.entry(store.save(spec, None, told))
