"""File sizes of a pruned model in each format, beside its measured perplexities, before anything is written."""

from collections.abc import Mapping
from typing import NamedTuple

from core.export.target import count_numbers
from core.methods import GGUF, LAYERS, dropped_layers, treatment
from core.models.sources import locate
from core.plan.sizes import DENSE, MASKED, PATTERN, Counts, sizes
from core.requests import ExportRequest, Recipe, StudySpec
from core.results import study_results
from core.store import Store
from core.store.files import HOST
from core.store.notes import read_note


def worth(request: ExportRequest, store: Store) -> tuple[dict[str, float], ...]:
    """Bytes by format, perplexity of those measured on the windows of the named study, and tokens a second.

    Tokens a second are llama.cpp's, for the formats that `tests.bench.llama_cpp` timed on this machine.

    Raises:
        UserError: the model, or the study, is not here.
    """
    own, perplexities = own_form(request.setting), {}
    if request.study:
        study = study_results.load(store, store.by_key(request.study))
        one = study.single(request.setting)
        perplexities = few_bits(study.spec, store) | ({own.name: one.perplexity} if one else {})
    source = locate(request.model, store, request.revision, fetch=False)
    timed = read_note(store.root / "rates" / f"llama.cpp-{HOST}-{source.fingerprint}.json") or {"forms": {}}
    return sizes(count_numbers(source, store), *own), perplexities, timed["forms"]


def counts_of(place: Mapping, store: Store) -> Counts:
    """Count the numbers of a model.

    Args:
        place: `model_source` or `model`, and `revision`, as a command or the provenance of a result has them.

    Raises:
        UserError: it is not here.
    """
    return count_numbers(
        locate(place.get("model_source") or place["model"], store, place.get("revision"), fetch=False), store
    )


def few_bits(judged: StudySpec, store: Store) -> dict[str, float]:
    """Perplexity of the dense model and of each GGUF type for all linears, from any study on the same windows."""
    protocol = judged.model, judged.text
    alike = (each.spec for each in store.entries("study") if (each.spec.model, each.spec.text) == protocol)
    results = [one for each in alike for one in study_results.read(store, each, treatment=treatment("gguf")).singles]
    whole = (one for one in results if one.setting is None or one.setting == one.setting.uniform)
    return {own_form(one.setting).name if one.setting else DENSE: one.perplexity for one in whole}


class StoredForm(NamedTuple):
    """Form in which a recipe leaves the linears; in the order that `sizes` takes."""

    name: str
    bits: float  # per weight
    is_gguf: bool
    dropped: float  # share of layers


def own_form(recipe: Recipe) -> StoredForm:
    """Form of the linears that a recipe leaves."""
    target, unit = recipe.allocation.target, recipe.allocation.budget_unit
    name = unit.phrase(target) if unit.levels else PATTERN if recipe.pattern == PATTERN else MASKED
    sparsity = getattr(recipe.allocation.base, "sparsity", ())  # by hand
    dropped = target if unit is LAYERS else len(dropped_layers(sparsity)) / max(len(sparsity), 1)
    saved = (target - dropped) / (1 - dropped)  # of a weight in the layers that stay
    name = recipe.treatment.doing(target) if unit is LAYERS else name
    return StoredForm(name, (1 - dropped) * recipe.treatment.stored(saved), unit is GGUF, dropped)
