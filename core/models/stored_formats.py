"""Number formats that the files of a checkpoint store its linears in, by the full names of these."""

import re

from gguf import GGMLQuantizationType
from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

from core.models import anatomy
from core.models.loading import Loaded
from core.models.model_shape import gguf_types

Formats = dict[str, str]  # full name of a module -> Q4_K, int4g32s


def stored_formats(loaded: Loaded) -> tuple[Formats, Formats]:
    """Formats, and the file's own names where these are others; empty for files of dense numbers."""
    source, settings = loaded.source, getattr(loaded.config, "quantization_config", None) or {}
    if source.gguf:
        types, names = gguf_types(source.folder / source.gguf), get_gguf_hf_weights_map(loaded.model, TensorProcessor())
        own = {names[each][:-7]: each[:-7] for each in types if each in names and each.endswith(".weight")}
        return {name: GGMLQuantizationType(types[f"{each}.weight"]).name for name, each in own.items()}, own
    linears = (
        f"{name}.{each.name}"
        for name, module in loaded.model.named_modules()
        if module in [*loaded.layers]
        for each in anatomy.linears(module)
    )
    return {name: form for name in linears if (form := _format(name, settings))}, {}


def _format(name: str, settings: dict) -> str:
    """Format of a linear by the settings of compressed-tensors, GPTQ or AWQ; empty if they do not say."""
    if "bits" in settings:
        return f"int{settings['bits']}g{settings.get('group_size', 128)}"
    for group in (settings.get("config_groups") or {}).values():
        own, targets = group.get("weights") or {}, group.get("targets", ())
        if any(each in ("Linear", name) or (each[:3] == "re:" and re.match(each[3:], name)) for each in targets):
            return f"{own.get('type')}{own.get('num_bits')}g{own.get('group_size')}{'s' * bool(own.get('symmetric'))}"
    return ""
