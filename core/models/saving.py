"""A model written to a folder: layer by layer where these are streamed, and as a copy of a GGUF file in the cache.

A copy lies under the hash of its file, the number of this method and the versions of the converting libraries: it holds
what reading the file would give now, only faster. It is checked by hash when it is read. Deleting `converted` loses
nothing.
"""

import copy
import importlib.metadata
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.core_model_loading import revert_weight_conversion

from core.base import access, digest, listed
from core.models.anatomy import checkpoint_pieces, decoder_layers
from core.models.patching import library_errors, patched
from core.models.placement import is_streamed
from core.models.sources import Source
from core.store import Store, changed, discard, file_hash, pretty, readable, sha256, temporary_folder

FOREIGN = (  # what a plain dense config.json lacks
    "quantization_config", "compression_config", "sparsity_config", "distributed_config",
)  # fmt: skip
LOADING_ONLY = ("is_local", "local_files_only", "gguf_file")  # how a tokenizer was loaded here: nothing to keep


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, weights: bool = True) -> None:
    """Write a model and its tokenizer, layer by layer where these are streamed; the model is left as it was.

    Args:
        weights: False: the settings alone.

    Raises:
        UserError: settings that came with it cannot be written.
    """
    with library_errors("the model cannot be written as its settings are"), _dense_config(model):
        if not weights:
            model.config.save_pretrained(folder)
        elif is_streamed(decoder_layers(model)):
            _save_by_layers(model, folder)
        else:
            model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    content = json.loads(settings.read_bytes())
    settings.write_bytes(pretty({name: value for name, value in content.items() if name not in LOADING_ONLY}))


def _save_by_layers(model: PreTrainedModel, folder: Path) -> None:
    """Write what `save_pretrained` writes, a file for each layer and one for the rest."""
    model.config.architectures, model.config.dtype = [type(model).__name__], model.dtype
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    place, size, files = {}, 0, len(decoder_layers(model)) + 1
    for number, piece in enumerate(checkpoint_pieces(model), 1):
        name = f"model-{number:05}-of-{files:05}.safetensors"
        tensors = {each: value.contiguous() for each, value in revert_weight_conversion(model, piece).items()}
        save_file(tensors, folder / name, {"format": "pt"})
        place |= dict.fromkeys(tensors, name)
        size += sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_bytes(pretty(index))


@contextmanager
def without_layers(model: PreTrainedModel, left_out: Collection[int]) -> Iterator[None]:
    """While inside, the model lacks some layers: the others move up, and so do their entries in its settings' lists.

    Raises:
        UserError: inside, a library cannot do what it does to the whole model.
    """
    if not left_out:
        yield
        return
    layers = decoder_layers(model)
    remaining = [index for index in range(len(layers)) if index not in left_out]
    holder, name = next(
        (module, name) for module in model.modules() for name, child in module.named_children() if child is layers
    )
    config = model.config.get_text_config()
    lists = {
        key: [value[index] for index in remaining]
        for key, value in vars(config).items()
        if isinstance(value, list) and len(value) == len(layers)
    }
    setattr(holder, name, type(layers)(layers[index] for index in remaining))
    what = f"{type(model).__name__} cannot be written without layers {listed(map(str, left_out))}"
    try:
        with library_errors(what), patched(config, **vars(config) | lists):
            config.num_hidden_layers = len(remaining)
            yield
    finally:
        setattr(holder, name, layers)


@contextmanager
def _dense_config(model: PreTrainedModel) -> Iterator[None]:
    """While inside, the model has a plain dense configuration: `save_pretrained` refuses what came from GGUF.

    It writes into the configuration, too; so it is given a copy.
    """
    copied = copy.deepcopy(model.config)
    for each in (copied, copied.get_text_config()):
        for name in (*FOREIGN, "_model_name_or_path"):
            vars(each).pop(name, None)
    with patched(model, config=copied, hf_quantizer=None):
        yield


METHOD = 2  # since scaled positions are read
MAX_COPY = 4_000_000_000  # bytes of a copy: larger models are read from their own file
MAX_COPIES = 3  # copies that stay when one is added


def fastest_source(source: Source, store: Store | None) -> Source:
    """The files that are fastest to read: the converted copy of a GGUF where there is one, else the source's own."""
    copy = find_copy(source, store) if store else None
    return replace(source, folder=copy, gguf=None) if copy else source


def find_copy(source: Source, store: Store) -> Path | None:
    """The folder of the copy of a GGUF, each file checked by its recorded hash; None if there is none."""
    if source.gguf is None:
        return None
    folder = _copy_folder(source, store)
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        if manifest and all(file_hash(store.root, folder / name) == known for name, known in manifest.items()):
            return folder
    except (OSError, ValueError, AttributeError):  # none yet, or a damaged one
        pass
    with suppress(OSError, access.Refused):  # a cache that cannot be written
        discard(folder)  # it can be made again
    return None


def write_copy(source: Source, store: Store, write: Callable[[Path], object]) -> None:
    """Write a copy; other processes see it once it is whole.

    Args:
        write: fills a folder.

    Raises:
        OSError, Refused: it cannot be written; no trace of it stays.
    """
    folder = _copy_folder(source, store)
    with temporary_folder(folder) as temporary:
        write(temporary)
        (temporary / "manifest.json").write_bytes(pretty({path.name: sha256(path) for path in temporary.iterdir()}))
        readable(temporary)
        if not folder.exists():  # else another process was faster
            temporary.rename(folder)
    for old in sorted(folder.parent.glob("[!.]*"), key=changed)[:-MAX_COPIES]:
        discard(old)


def _copy_folder(source: Source, store: Store) -> Path:
    versions = [importlib.metadata.version(name) for name in ("transformers", "gguf", "safetensors", "tokenizers")]
    return store.root / "converted" / digest(" ".join([source.content, str(METHOD), *versions]))[:16]
