"""From a model in memory to a folder that loads anywhere: config.json, safetensors, tokenizer."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from core.store.files import pretty

FOREIGN = ("quantization_config", "compression_config", "sparsity_config")  # what a plain dense config.json lacks
LOADING_ONLY = ("is_local", "local_files_only", "gguf_file")  # how a tokenizer was loaded here: nothing to keep


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model and its tokenizer; the model is left as it was."""
    with _plain(model):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    told = json.loads(settings.read_bytes())
    settings.write_bytes(pretty({name: value for name, value in told.items() if name not in LOADING_ONLY}))


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
