"""What the card of an export tells: its recipe, and what a study measured of it."""

from __future__ import annotations

from core.ask import naming
from core.ask.inputs import ModelSpec
from core.ask.requests import ExportRequest, ExportSpec
from core.ask.settings import PrunedSpec
from core.base.errors import UserError
from core.base.formats import several
from core.export.card import Card, licence_of
from core.models.loading import Loaded
from core.models.provenance import relative
from core.models.windows import Windows
from core.results import evaluations
from core.store.cache import Store
from core.store.provenance_schema import without_folders

Numbers = list[tuple[str, str, str]]  # name, value, protocol


def card_of(
    request: ExportRequest, loaded: Loaded, numbers: Numbers, spec: ExportSpec, calibration: dict[str, Windows]
) -> Card:
    """The card of an export, its recipe as JSON values.

    Args:
        numbers: from `measured`.
        calibration: the texts that it was calibrated on.
    """
    setting = request.setting
    recipe = spec.pruned.model_dump(mode="json", exclude={"calibration", "method"}) | {
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
        title=f"{loaded.source.label}, {naming.setting(setting)}",
        base_model=loaded.source.label,
        base_source=without_folders(relative(request.model)),
        licence=licence_of(loaded.source),
        recipe=recipe,
        numbers=numbers,
        key=spec.key,
    )


def measured(request: ExportRequest, store: Store, model: ModelSpec, pruned: PrunedSpec) -> Numbers:
    """What a study measured of the setting, the dense model and the uniform twin: name, value, protocol.

    Raises:
        UserError: what the study measured under this setting's name is not what is exported.
    """
    if request.study is None:
        return []
    found = evaluations.load(store, store.by_key(request.study, ("study",)))
    own = found.single(request.setting)
    if own is None:
        raise UserError(f"study {request.study} has not measured {request.setting.name}: name one that has, or none")
    if (found.spec.model, own.result.pruned) != (model, pruned):
        raise UserError(
            f"study {request.study} measured {request.setting.name} on other files than are here now (the model, the "
            "calibration text or the profile differs), so its numbers are not this export's: evaluate it again first"
        )
    text = found.spec.text
    protocol = (
        f"{found.provenance.get('text')}, {text.sequences} windows of {text.length} tokens{found.entries[0].mark}"
    )
    rows = {"dense": found.dense, "this model": own}
    twin = own.uniform
    if twin is not None:
        rows["uniform sparsity, same target"] = twin
    numbers = [(f"perplexity, {name}", f"{each.perplexity:.4g}", protocol) for name, each in rows.items()]
    for name, each in rows.items():
        for task, answers in each.result.tasks.items():
            numbers.append(
                (f"{task.name}, {name}", f"{answers.acc.mean():.3f}", f"acc, {several(len(answers.acc), 'example')}")
            )
    return numbers
