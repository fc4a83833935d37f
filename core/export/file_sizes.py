"""File sizes of a pruned model in each format, beside its measured perplexities and the speed of files written here."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from core.base import Fields, UserError, gist, several
from core.export.card import Numbers
from core.methods import LAYERS, Warn, dropped_layers, treatment
from core.models import Source, count_numbers, locate
from core.plan.sizes import DENSE, MASKED, PATTERN, sizes
from core.requests import Counts, ExactRecipe, ExportRequest, ModelSpec, Recipe, StudySpec
from core.results import study_results
from core.store import HOST, Store, read_note, write_note


def worth(request: ExportRequest, store: Store) -> tuple[dict[str, float], ...]:
    """Bytes by format, perplexity of those measured on the windows of the named study, and tokens a second.

    Tokens a second are llama.cpp's, of the files that were exported on this machine.

    Raises:
        UserError: the model, or the study, is not here.
    """
    own, perplexities = own_form(request.setting), {}
    if request.study:
        study = study_results.load(store, store.by_key(request.study))
        one = study.single(request.setting)
        perplexities = few_bits(study.spec, store) | ({own.name: one.perplexity} if one else {})
    source = locate(request.model, store, request.revision, fetch=False)
    return sizes(count_numbers(source, store), *own), perplexities, rates(source, store)


def measured_numbers(request: ExportRequest, store: Store, model: ModelSpec, pruned: ExactRecipe) -> Numbers:
    """Numbers of a study on the recipe, the dense model and the uniform twin: name, value, protocol.

    Raises:
        UserError: the study has no such recipe, or measured other weights under its name.
    """
    if request.study is None:
        return []
    study = study_results.load(store, store.by_key(request.study, ("study",)))
    own = study.single(request.setting)
    if own is None:
        raise UserError(f"study {request.study} has not measured {request.setting.name}: name one that has, or none")
    if (study.spec.model, own.result.pruned) != (model, pruned):
        raise UserError(
            f"study {request.study} measured {request.setting.name} on other files than are here now (the model, the "
            "calibration text or the profile differs), so its numbers are not this export's: evaluate it again first"
        )
    text = study.spec.text
    protocol = f"{study.provenance.get('text')}, {text.sequences} windows of {text.length} tokens"
    rows = {"dense": study.dense, "this model": own}
    if own.uniform:
        rows["uniform sparsity, same target"] = own.uniform
    return [(f"perplexity, {name}", f"{each.perplexity:.4g}", protocol) for name, each in rows.items()] + [
        (f"{task.name}, {name}", f"{answers.acc.mean():.3f}", f"acc, {several(len(answers.acc), 'example')}")
        for name, each in rows.items()
        for task, answers in each.result.tasks.items()
    ]


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
    outside: str  # GGUF type of embeddings and output matrix


def own_form(recipe: Recipe) -> StoredForm:
    """Form of the linears that a recipe leaves."""
    target, unit = recipe.allocation.target, recipe.allocation.budget_unit
    name = unit.phrase(target) if unit.levels else PATTERN if recipe.pattern == PATTERN else MASKED
    sparsity = getattr(recipe.allocation.base, "sparsity", ())  # by hand
    dropped = target if unit is LAYERS else len(dropped_layers(sparsity)) / max(len(sparsity), 1)
    saved = (target - dropped) / (1 - dropped)  # of a weight in the layers that stay
    name = recipe.treatment.doing(target) if unit is LAYERS else name
    return StoredForm(
        name, (1 - dropped) * recipe.treatment.stored(saved), unit.in_gguf, dropped, recipe.allocation.outside
    )


# --- tokens a second that a GGUF file writes, by llama.cpp's `llama-bench`, kept for a model on this machine ----------

TOOL = "llama-bench"
PATIENCE = 600  # seconds for three times 32 tokens
TOLD = ("build_commit", "build_number", "cpu_info", "n_threads", "n_gen")


def timed(file: Path, warn: Warn) -> Fields | None:
    """The answer of `llama-bench` on writing, `avg_ts` tokens a second; None where it fails or is not on the PATH.

    Args:
        warn: called with a sentence where it fails.
    """
    if not (tool := shutil.which(TOOL)):
        return None
    how = ["-p", "0", "-n", "32", "-r", "3", "-o", "json"]
    try:
        answer = subprocess.run([tool, "-m", file, *how], capture_output=True, timeout=PATIENCE, check=True).stdout
        [row] = json.loads(answer)
        return {name: row[name] for name in (*TOLD, "avg_ts")}
    except (OSError, TypeError, LookupError, ValueError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        why = gist(RuntimeError(lines[-1].replace(str(file), file.name)) if lines else error)
        warn(f"{TOOL} failed, so no speed of {file.name} is known: {why}")
        return None


def keep(row: Fields, form: str, source: Source, store: Store) -> None:
    """Keep the tokens a second of a form, with the machine and what `llama-bench` says of itself."""
    facts = {name: row[name] for name in TOLD} | {"tool": TOOL, "machine": HOST, "model": source.label}
    write_note(_note(source, store), facts | {"forms": rates(source, store) | {form: row["avg_ts"]}})


def rates(source: Source, store: Store) -> dict[str, float]:
    """Tokens a second by form, of those that were timed on this machine."""
    return (read_note(_note(source, store)) or {"forms": {}})["forms"]


def _note(source: Source, store: Store) -> Path:
    return store.root / "rates" / f"llama.cpp-{HOST}-{source.fingerprint}.json"
