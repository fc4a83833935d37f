"""What a pruned model takes in each form beside what it costs, before any is written."""

from collections.abc import Mapping

from core.base import look_up
from core.export.target import counted
from core.methods import DEFAULT_PRUNER, GGUF, LAYERS, UNITS, ZEROS, default_pruner, left_out, treatment
from core.models.sources import locate
from core.plan.allocation import limits
from core.plan.sizes import DENSE, MASKED, PATTERN, Counts, share_within, sizes
from core.requests import ExportRequest, Recipe, StudySpec, grammar
from core.requests.parsing import read_bytes
from core.results import study_results
from core.store import Store
from core.store.files import HOST, unsealed


def worth(asked: ExportRequest, store: Store) -> tuple[dict[str, float], ...]:
    """Bytes by form, the perplexity of those that were measured on the windows of the named study, and tokens a second.

    Tokens that llama.cpp writes: known of the forms that `tests.bench.llama_cpp` timed on this machine, and kept here.

    Raises:
        UserError: the model, or the study, is not here.
    """
    own, known = own_form(asked.setting), {}
    if asked.study:
        study = study_results.load(store, store.by_key(asked.study))
        one = study.single(asked.setting)
        known = few_bits(study.spec, store) | ({own[0]: one.perplexity} if one else {})
    source = locate(asked.model, store, asked.revision, fetch=False)
    timed = unsealed(store.root / "rates" / f"llama.cpp-{HOST}-{source.fingerprint}.json") or {"forms": {}}
    return sizes(counted(source, store), *own), known, timed["forms"]


def counts_of(told: Mapping, store: Store) -> Counts:
    """How many numbers a model has. told: where it is, as a command or the provenance of what was measured says.

    Raises:
        UserError: it is not here.
    """
    return counted(locate(told.get("model_source") or told["model"], store, told.get("revision"), fetch=False), store)


def few_bits(judged: StudySpec, store: Store) -> dict[str, float]:
    """Perplexities of the dense model and of all its linears in a GGUF type, of any study on the same windows."""
    asked = judged.model, judged.text
    alike = (each.spec for each in store.entries("study") if (each.spec.model, each.spec.text) == asked)
    found = [one for each in alike for one in study_results.read(store, each, treatment=treatment("gguf")).singles]
    whole = (one for one in found if one.setting is None or one.setting == one.setting.uniform)
    return {own_form(one.setting)[0] if one.setting else DENSE: one.perplexity for one in whole}


def own_form(setting: Recipe) -> tuple[str, float, bool, float]:
    """The form of the linears, its bits a weight, whether it is of GGUF types, and the share of layers left out."""
    target, counted = setting.allocation.target, setting.allocation.budget_unit
    name = counted.level(target) if counted.levels else PATTERN if setting.pattern == PATTERN else MASKED
    given = getattr(setting.allocation.base, "sparsity", ())  # by hand
    gone = target if counted is LAYERS else len(left_out(given)) / max(len(given), 1)
    kept = (target - gone) / (1 - gone)  # is saved of a weight that stays
    name = setting.treatment.doing(target) if counted is LAYERS else name
    return name, (1 - gone) * setting.treatment.stored(kept), counted is GGUF, gone


def within(words: str, size: str, pruner: str, counts: Counts) -> str:
    """An allocation as it is written, with the target at which the model's weights take no more than some bytes.

    Args:
        words: as `read_allocation` takes it; its target is passed over, and may be left out.
        size: as typed, `100MB`.
        pruner: what brings weights there; the usual one: that of the currency.

    Raises:
        UserError: no such allocation or size, or one that no target meets.
    """
    kind, given, _ = grammar.parts(words if ":" in words else f"{words}:0")
    counted = look_up(UNITS, given.get("currency", ZEROS.name), "currency")
    asked = grammar.built(kind, given, next(iter(counted.levels.values()), 0.0))
    by = default_pruner(counted) if pruner == DEFAULT_PRUNER else pruner
    return grammar.write(asked.replace(target=share_within(read_bytes(size), counts, treatment(by), limits(asked))))
