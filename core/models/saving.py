"""From a model in memory to a folder that loads anywhere: config.json, safetensors, tokenizer."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.core_model_loading import revert_weight_conversion

from core.models.streaming import pieces, streamed
from core.store.files import pretty

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
