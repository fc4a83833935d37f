"""A model's folder, layer by layer: read where memory does not hold it, written, and kept as a copy of a GGUF file.

A copy lies in the cache under the hash of its file, the number of this method and the versions of the libraries that
convert, so it is what reading the file would give now, only faster. It is checked by hash when it is read. Deleting
`converted` loses nothing.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key, revert_weight_conversion

from core.base import access
from core.base.errors import UserError
from core.models import anatomy
from core.models.file_hashes import file_hash, sha256
from core.models.outline import safetensors_shapes
from core.models.placement import Home, Place, pieces, settle, slot, stored, streamed
from core.models.sources import Source
from core.store.cache import Store
from core.store.files import changed, discard, pretty, readable, temporary_prefix


def by_layers(source: Source, config: Any, dtype: torch.dtype, store: Store | None) -> PreTrainedModel:
    """A model whose layers stay in their files; what lies outside them is read.

    Args:
        store: in whose folder layers that are changed are kept as long as the model lives; None: the system's own.

    Raises:
        UserError: weights are missing, of another shape, or stored in another form than the model has them.
    """
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.tie_weights()
    with suppress(OSError):  # which most have
        model.generation_config = GenerationConfig.from_pretrained(source.folder, local_files_only=True)
    places = _places(source, model)
    layers = anatomy.decoder_layers(model)
    scratch = _scratch(model, store)
    names = {id(layer): name for name, layer in model.named_modules()}
    for index, layer in enumerate(layers):
        of = {name: places.pop(f"{names[id(layer)]}.{name}") for name, _ in layer.named_parameters()}
        settle(layer, Home(torch.device("cpu"), of, dtype, scratch / f"{index}.safetensors"))
    _read(model, places, dtype)
    model.tie_weights()
    return model


def _places(source: Source, model: PreTrainedModel) -> dict[str, Place]:
    """Where everything lies that the model needs, by its name in the model, which in files may be another."""
    changes, needed = get_model_conversion_mapping(model), stored(model)
    renamings = [each for each in changes if isinstance(each, WeightRenaming)]
    there: dict[str, tuple[Place, tuple[int, ...]]] = {}
    for path in source.weights:
        for called, shape in safetensors_shapes(path).items():
            name, _ = rename_source_key(called, renamings, [], model.base_model_prefix, needed)
            there[name] = Place(path, called), shape
    missing = [name for name, each in needed.items() if isinstance(each, nn.Parameter) and name not in there]
    if missing and len(renamings) < len(changes):
        raise UserError(
            f"{source.label} is larger than the memory here, and its files hold {missing[0]} in another form than the "
            "model: use a machine with more memory"
        )
    odd = [name for name in needed.keys() & there.keys() if there[name][1] != tuple(needed[name].shape)]
    refuse_incomplete(source, odd, missing)
    return {name: there[name][0] for name in needed if name in there}


def refuse_incomplete(source: Source, mismatched: Iterable[str], missing: Iterable[str]) -> None:
    """Check that files held what a model needs.

    Raises:
        UserError: weights are of another shape, or missing.
    """
    mismatched, missing = sorted(mismatched), sorted(missing)
    if mismatched:
        raise UserError(
            f"{source.label} has weights of another shape than its config.json announces, {mismatched[0]} among them"
        )
    if missing:
        raise UserError(f"{source.label} lacks {len(missing)} weights, {missing[0]} among them: a file is missing")


def _read(model: PreTrainedModel, places: dict[str, Place], dtype: torch.dtype) -> None:
    """Fill what lies outside the layers, and buffers inside them."""
    for path in dict.fromkeys(place.path for place in places.values()):
        with safe_open(path, framework="pt") as file:
            for name in [name for name, place in places.items() if place.path == path]:
                held, leaf = slot(model, name)
                value = file.get_tensor(places[name].name)
                wide = value.to(dtype if value.is_floating_point() else None, copy=True)
                held[leaf] = nn.Parameter(wide, requires_grad=False) if isinstance(held[leaf], nn.Parameter) else wide


def _scratch(model: PreTrainedModel, store: Store | None) -> Path:
    """A folder that is gone with the model."""
    within = store.root / "converted" if store else None  # where a start clears away what killed processes left
    if within:
        within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=temporary_prefix("layers"), dir=within))
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return folder


FOREIGN = ("quantization_config", "compression_config", "sparsity_config")  # what a plain dense config.json lacks
LOADING_ONLY = ("is_local", "local_files_only", "gguf_file")  # how a tokenizer was loaded here: nothing to keep


def save(model: PreTrainedModel, layers: Sequence[nn.Module], tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model and its tokenizer, layer by layer where these are streamed; the model is left as it was."""
    with _plain(model):
        if streamed(layers):
            _save_by_layers(model, layers, folder)
        else:
            model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    told = json.loads(settings.read_bytes())
    settings.write_bytes(pretty({name: value for name, value in told.items() if name not in LOADING_ONLY}))


def _save_by_layers(model: PreTrainedModel, layers: Sequence[nn.Module], folder: Path) -> None:
    """What `save_pretrained` writes, a file for each layer and one for the rest."""
    model.config.architectures, model.config.dtype = [type(model).__name__], model.dtype
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    place, size = {}, 0
    for number, piece in enumerate(pieces(model, layers), 1):
        name = f"model-{number:05}-of-{len(layers) + 1:05}.safetensors"
        tensors = {each: value.contiguous() for each, value in revert_weight_conversion(model, piece).items()}
        save_file(tensors, folder / name, {"format": "pt"})
        place |= dict.fromkeys(tensors, name)
        size += sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_bytes(pretty(index))


@contextmanager
def _plain(model: PreTrainedModel) -> Iterator[None]:
    """The model as if its weights had always been dense: `save_pretrained` refuses what came from GGUF.

    It writes into the configuration, too; so it is given a copy.
    """
    config, own = model.config, vars(model).get("hf_quantizer")
    copied = copy.deepcopy(config)
    for each in (copied, copied.get_text_config()):
        for name in (*FOREIGN, "_model_name_or_path"):
            vars(each).pop(name, None)
    model.config, model.hf_quantizer = copied, None
    try:
        yield
    finally:
        model.config = config
        if own is None:
            del model.hf_quantizer  # the class says None
        else:
            model.hf_quantizer = own


METHOD = 1
CONVERTERS = ("transformers", "gguf", "safetensors", "tokenizers")
LARGEST = 4_000_000_000  # bytes of a copy: larger models are read from their own file
KEPT = 2  # copies of other files that stay when one is added


def copy_address(source: Source, store: Store) -> Path:
    """Where the copy of a file lies, if there is one."""
    versions = [importlib.metadata.version(name) for name in CONVERTERS]
    text = " ".join([source.content, str(METHOD), *versions])
    return store.root / "converted" / hashlib.sha256(text.encode()).hexdigest()[:16]


def kept_copy(source: Source, store: Store) -> Path | None:
    """The folder of a file's copy, each of its files equal to its recorded hash; None where there is no such copy."""
    if source.gguf is None:
        return None
    folder = copy_address(source, store)
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        whole = {path.name for path in folder.iterdir()} == {"manifest.json", *manifest}
        if whole and all(file_hash(store, folder / name) == found for name, found in manifest.items()):
            return folder
    except (OSError, ValueError, AttributeError):  # none yet, or a damaged one
        pass
    with suppress(OSError, access.Refused):  # a cache that cannot be written
        discard(folder)  # it can be made again
    return None


@contextmanager
def writing_copy(source: Source, store: Store) -> Iterator[Path]:
    """A temporary folder to write a copy to, which others find once it is whole.

    Raises:
        OSError: it cannot be written; no trace of it stays.
    """
    folder = copy_address(source, store)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(folder.name), dir=folder.parent))
    try:
        yield temporary
        names = sorted(path.name for path in temporary.iterdir())
        manifest = {name: sha256(temporary / name) for name in names}
        (temporary / "manifest.json").write_bytes(pretty(manifest))
        readable(temporary)
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def room_for_copy(store: Store, size: int) -> bool:
    """Whether a copy of so many bytes is small enough, and leaves as much of the disk free."""
    if access.is_read_only():
        return False
    there = next(path for path in (store.root, *store.root.absolute().parents) if path.exists())
    return size <= LARGEST and shutil.disk_usage(there).free > 2 * size


def _publish(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not (folder / "manifest.json").is_file():
            raise
        return  # another process was faster
    others = sorted(folder.parent.glob("[!.]*"), key=lambda path: changed(path / "manifest.json"))
    for old in [path for path in others if path != folder][:-KEPT]:
        discard(old)
