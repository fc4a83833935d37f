"""README.md and recipe.json of an exported folder, and the licence that a model's own files declare."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from yaml import YAMLError

from core.base import Array, Fields, escape_markdown, frozen, per_cent
from core.methods import HALF
from core.models import HUB_ID, Source
from core.requests import COMPRESSED, ExportRequest, ExportSpec, recipe_names
from core.store import pretty

NO_NAME = {"", "other", "unknown", "none", "null"}


def licence_of(source: Source) -> str | None:
    """The licence that the source's files declare, in lower case as the Hub writes it, or None if they declare none.

    GGUF metadata comes first, then the front matter of README.md. A custom licence (`license: other`) goes by its own
    name.
    """
    declared = [
        *(_in_gguf(source.folder / source.gguf) if source.gguf else ()),
        *_in_readme(source.folder / "README.md"),
    ]
    firsts = (value[0] if isinstance(value, list) and value else value for value in declared)  # of several licences
    return next((each.lower() for each in firsts if isinstance(each, str) and each.lower() not in NO_NAME), None)


def _in_gguf(path: Path) -> list[object]:
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    return [fields[key].contents() for key in ("general.license", "general.license.name") if key in fields]


def _in_readme(path: Path) -> list[object]:
    from huggingface_hub import metadata_load

    try:
        metadata = metadata_load(path) or {}
    except (OSError, ValueError, YAMLError, RecursionError):  # missing, or front matter that the Hub rejects too
        return []
    return [metadata.get(name) for name in ("license", "license_name")]


HUB_LICENCES = {  # names of the Hub's `license:` that language models have; any other goes under `license_name:`
    *("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0", "openrail"),
    *("bigscience-bloom-rail-1.0", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma"),
}
Numbers = list[tuple[str, str, str]]  # of a study: name, value, protocol
NEEDS = (  # read in the sources of vLLM 0.21 to 0.33 and of compressed-tensors 0.17 to 0.20; no vLLM was run
    "vLLM reads 4 bits everywhere and 8 on GPUs; other widths from vLLM 0.25 on, by its humming kernels, on NVIDIA, "
    "Turing or later. Other readers need compressed-tensors 0.18 or later. This was checked by loading the folder in "
    "transformers and in vLLM's source: PyPI has no vLLM for CPUs to run it in."
)
RECIPE, GGUF = "recipe.json", "model.gguf"


@frozen
class Card:
    """Contents of the model card beside what the export itself counts."""

    title: str
    base_model: str  # its label
    base_source: str  # as typed; becomes `base_model:` of the metadata if it is a Hub id
    licence: str | None  # of the base model, by its SPDX or Hub name; None if its files do not say
    recipe: Fields  # JSON values: pruner, pattern, sparsity of each layer, target, base and its parameters, ...
    numbers: Numbers
    key: str = ""  # of the record in the cache


@frozen
class Exported:
    """A folder that was loaded back and compared.

    Arrays are (layers, linears), NaN where a layer has fewer linears than another.
    """

    path: Path
    bytes: int  # of the weight files, measured
    files: tuple[str, ...]  # everything in the folder
    achieved: Array  # fraction of zeros, counted in the folder's own weights
    difference: float  # largest difference of logits to the model in memory, relative to the largest logit
    dense_bytes: int  # bytes of the same weights if none were zero
    linears: tuple[tuple[str, ...], ...]  # names, by layer
    weights: Array  # number of weights
    planned: Array  # fraction of zeros
    dtype: str
    form: str = "dense"  # as `ExportRequest.format` has it
    bits: float = HALF  # per weight of the linears, mean, scales included
    speed: Fields | None = None  # by `llama-bench`, of a GGUF file

    @property
    def sparsity(self) -> float:
        """Fraction of zeros over all linears."""
        return float(np.nansum(self.achieved * self.weights) / np.nansum(self.weights))


def card_of(
    request: ExportRequest, source: Source, model: str, numbers: Numbers, spec: ExportSpec, label: str | None
) -> Card:
    """Build the card of an export, its recipe as JSON values.

    Args:
        model: as typed, without folders.
        label: of the calibration text, if one is read.
    """
    setting, text = request.setting, spec.pruned.calibration
    recipe = spec.pruned.model_dump(mode="json", exclude={"calibration", "method"}) | {
        "target": setting.allocation.target,
        "allocation": setting.allocation.model_dump(mode="json"),
        "calibration": text and {
            "text": label,
            "content": text.content,
            "windows": text.sequences,
            "length": text.length,
            "seed": setting.calibration_seed,
        },
    }  # fmt: skip
    if spec.pruned.dropped_layers:
        recipe["left_out"] = spec.pruned.dropped_layers
    if setting.untrained:
        recipe["trained"] = setting.repaired
    title, licence = f"{source.label}, {recipe_names.setting(setting)}", licence_of(source)
    return Card(title, source.label, model, licence, recipe, numbers, spec.key)


def size_words(exported: Exported) -> str:
    """Effect of zeros or few bits on size and speed, with the measured bytes."""
    begin, bits = f"The weight files have {exported.bytes:,} bytes", f"{exported.bits:.4g} bits a weight of the linears"
    if exported.form != "dense":
        zeros = " Zeros are stored like any other value." if np.nansum(exported.planned) else ""
        if speed := exported.speed:
            zeros += f" llama-bench wrote {speed['avg_ts']:.4g} tokens a second by {speed['n_threads']} threads of "
            zeros += f"{speed['cpu_info']}."
        return (
            f"{begin}, {per_cent(exported.bytes / exported.dense_bytes)} of the {exported.dense_bytes:,} that the "
            f"weights take in {exported.dtype}: {bits}, scales included.{zeros}"
        )
    text = (
        f"{begin}: {exported.dense_bytes:,} for the {exported.dtype} values, and "
        f"{exported.bytes - exported.dense_bytes:,} for names and shapes."
    )
    if exported.bits < HALF:
        text += (
            f" What could be stored in {bits} is written as {exported.dtype} numbers here, neither smaller nor faster. "
            "The formats gguf and compressed-tensors keep few bits few."
        )
    if np.nansum(exported.planned):
        text += (
            " A zero is stored like any other value, and a dense matrix product multiplies by it like by any other: "
            f"the {per_cent(exported.sparsity)} zeros make this model neither smaller nor faster. vLLM and llama.cpp "
            "skip none, not even in the pattern 2:4, which vLLM dropped in March 2026."
        )
    return text


def card_text(card: Card, exported: Exported) -> str:
    """Write README.md: Hub metadata, a description, the measured numbers, and the recipe."""
    from huggingface_hub import ModelCard, ModelCardData

    on_hub = HUB_ID.fullmatch(card.base_source) and not Path(card.base_source).exists()
    is_on_list = card.licence is None or card.licence in HUB_LICENCES
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=card.base_source if on_hub else None,
        license=card.licence if is_on_list else "other",
        license_name=None if is_on_list else card.licence,
        tags=["pruned", *(str(card.recipe[name]) for name in ("pruner", "pattern") if card.recipe.get(name))],
    )
    text = ModelCard.from_template(
        metadata,
        template_path=str(Path(__file__).with_name("card.md.j2")),
        card=card,
        title=escape_markdown(card.title),
        base=escape_markdown(card.base_model),
        licence=escape_markdown(card.licence) if card.licence else None,
        folder=repr(exported.path.name),
        file=f", gguf_file={GGUF!r}" if GGUF in exported.files else "",
        form=exported.form,
        zeros=per_cent(exported.sparsity),
        numbers=[[escape_markdown(cell).replace("|", "\\|") for cell in row] for row in card.numbers],
        size=size_words(exported),
        needs=f"Packed by compressed-tensors {version(COMPRESSED)}. {NEEDS}" if exported.form == COMPRESSED else "",
        recipe=pretty(card.recipe).decode().strip().replace("`", "\\u0060"),
        difference=f"{exported.difference:g}",
    )
    return f"{text}\n"


def recipe_json(card: Card, exported: Exported) -> bytes:
    """Write recipe.json: the card for tools, with the zeros of every linear and the names of the folder's files.

    `sparsity` and `budget` are repeated at the top level, so that `prune` reads it as an allocation file. If layers
    differ in their linears, `linears` holds one list per layer, and entries that a layer lacks are null.
    """
    measured = asdict(exported)
    arrays = {name: measured.pop(name) for name in ("achieved", "weights", "planned")}
    arrays = {name: np.where(np.isnan(array), None, array).tolist() for name, array in arrays.items()}
    if len(set(exported.linears)) == 1:
        measured["linears"] = exported.linears[0]
    del measured["path"]
    allocation = {"sparsity": card.recipe.get("sparsity"), "budget": card.recipe.get("target")}
    allocation["currency"] = (card.recipe.get("allocation") or {}).get("currency")
    fields = asdict(card) | {name: value for name, value in allocation.items() if value is not None}
    return pretty(fields | {"export": measured | arrays, "files": list(exported.files)})
