"""Weights of a model, read from its files: into memory, or a layer at a time if memory does not hold them."""

import copy
import inspect
import logging
import math
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import init_empty_weights
from accelerate.hooks import remove_hook_from_submodules
from accelerate.utils import OffloadedWeightsLoader
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedModel, modeling_utils
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from core.base import Fields, UserError, brief, made
from core.models import anatomy, machine, placement
from core.models.model_shape import safetensors_shapes
from core.models.packed_layouts import LAYOUTS, PACKED, check_layout, dense_tensors
from core.models.patching import library_errors, patched
from core.models.placement import OffloadedWeights, offload
from core.models.sources import Source
from core.requests import Dtype
from core.store import Store, temporary_prefix

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
logging.getLogger("accelerate.big_modeling").setLevel(logging.ERROR)  # it warns of layers that stay in their files


def read(source: Source, config: Any, dtype: Dtype, store: Store | None) -> PreTrainedModel:
    """A model with the weights of its files; its layers stay in the files if memory does not hold them.

    Raises:
        UserError: incomplete or damaged weights.
    """
    if source.gguf is None:
        shapes = [safetensors_shapes(path) for path in source.weights]
        size = machine.BYTES[dtype] * sum(math.prod(shape) for file in shapes for shape in file.values())
        if size > machine.HEADROOM * placement.free_memory(torch.device("cpu")):
            return read_by_layers(source, config, dtype, store)
    return load_in_memory(source, config, dtype)


def read_by_layers(source: Source, config: Any, dtype: Dtype, store: Store | None) -> PreTrainedModel:
    """A model whose layers stay in their files; what lies outside them is read.

    Weights that the model has in another form than its files are rewritten in its own, in a temporary folder.

    Args:
        store: in whose folder layers that are changed are kept as long as the model lives; None: the system's own.

    Raises:
        UserError: incomplete or damaged weights.
    """
    within = store.root / "converted" if store else None  # where a start clears away what killed processes left
    if within:
        made(within)
    scratch = Path(tempfile.mkdtemp(prefix=temporary_prefix("layers"), dir=within))
    try:
        # nothing is mapped into memory, of which a process may be denied so much at once; transformers has no option
        with patched(modeling_utils, safe_open=lambda path, **how: safe_open(path, **how | {"backend": "pread"})):
            model = load_in_memory(source, config, dtype, device_map=_layers_on_disk(config), offload_folder=scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, scratch, ignore_errors=True)
    hooks = (getattr(module, "_hf_hook", None) for module in model.modules())
    index = next(hook.weights_map.dataset.index for hook in hooks if getattr(hook, "weights_map", None))
    shapes = {path: safetensors_shapes(Path(path)) for path in {each["safetensors_file"] for each in index.values()}}
    own = dict(model.named_parameters())
    there = {name: shapes[each["safetensors_file"]][each["weight_name"]] for name, each in index.items() if name in own}
    _refuse_other_shapes(source, [name for name, shape in there.items() if shape != own[name].shape])
    remove_hook_from_submodules(model)
    for module in model.modules():
        for name in ("forward", "to", "cuda"):
            vars(module).pop(name, None)  # accelerate's, which hold the model in a cycle
    names = {id(module): name for name, module in model.named_modules()}
    for number, layer in enumerate(anatomy.decoder_layers(model)):
        places = {name: index[f"{names[id(layer)]}.{name}"] for name, _ in layer.named_parameters()}
        offload(
            layer, OffloadedWeights(OffloadedWeightsLoader(index=places), scratch=scratch / f"{number}.safetensors")
        )
    return model


def _layers_on_disk(config: Any) -> dict[str, str]:
    """A device map for accelerate that keeps the layers on disk."""
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config)
    layers = {id(layer) for layer in anatomy.decoder_layers(model)}
    places = {name: "disk" for name, module in model.named_modules() if id(module) in layers}
    inside = tuple(f"{name}." for name in places)
    tensors = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    return places | {name.rpartition(".")[0]: "cpu" for name in tensors if not name.startswith(inside)}


def load_in_memory(source: Source, config: Any, dtype: Dtype, **placed: Any) -> PreTrainedModel:
    """A model with the weights of its files.

    Args:
        placed: where transformers is to put them; nothing: into memory.

    Raises:
        UserError: incomplete or damaged weights, or in a format that cannot be read.
    """
    settings = getattr(config, "quantization_config", None) or {}
    if str(settings.get("quant_method")).upper() in LAYOUTS:
        return _from_layout(source, config, dtype, settings, bool(placed))
    safe = {"config": config} if source.gguf else {"use_safetensors": True} | _dense(source, config)
    groups = "quantization_config" in safe and config.quantization_config.get("config_groups")
    several = isinstance(groups, dict) and len(groups) > 1
    if several:  # transformers' own way to dense weights takes the width of one group for all
        del safe["quantization_config"]
        if placed:
            raise UserError(f"{source.label} has weights of several widths, and memory does not hold it")
    with library_errors(f"the weights of {source.label} cannot be loaded"):
        model, info = AutoModelForCausalLM.from_pretrained(
            source.folder,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **safe,
            **source.options,
            **placed,
        )
    _refuse_other_shapes(source, [name for name, *_ in info["mismatched_keys"]])
    if several:
        unpack(model)
    missing = info["missing_keys"]
    if missing:
        raise UserError(f"{source.label} lacks {len(missing)} weights, {min(missing)} among them: a file is missing")
    return model


def _from_layout(source: Source, config: Any, dtype: Dtype, settings: Fields, streamed: bool) -> PreTrainedModel:
    """A model of a GPTQ or AWQ folder with dense weights; raises as `load_in_memory`."""
    check_layout(settings, source.label)
    if streamed:
        raise UserError(f"{source.label} has weights packed by {settings['quant_method']}, and memory does not hold it")
    config = copy.deepcopy(config)
    del config.quantization_config
    with library_errors(f"the weights of {source.label} cannot be loaded"):
        packed = {name: each for path in source.weights for name, each in load_file(path).items()}
        if not any(name.endswith(PACKED) for name in packed):
            raise UserError(
                f"{source.label} says that its weights are packed by {settings['quant_method']}, and none is: give a "
                "folder that holds what it says, one by compressed-tensors, or a .gguf file"
            )
        model, info = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].from_pretrained(
            None, config=config, state_dict=dense_tensors(packed, settings), dtype=getattr(torch, dtype),
            output_loading_info=True,
        )  # fmt: skip
    if info["missing_keys"]:
        raise UserError(f"{source.label} lacks weights, {min(info['missing_keys'])} among them: a file is missing")
    return model


def unpack(model: PreTrainedModel) -> None:
    """Let a model of compressed-tensors, which else unpacks its weights when it is first run, have dense linears."""
    from compressed_tensors.compressors import decompress_module

    for module in model.modules():
        decompress_module(module, leave_decompressed=False)
    model.hf_quantizer.compressor.remove_decompression_hook(model)


def _refuse_other_shapes(source: Source, names: Sequence[str]) -> None:
    if names:
        raise UserError(
            f"{source.label} has weights of another shape than its config.json announces, {min(names)} among them"
        )


def _dense(source: Source, config: Any) -> Fields:
    """Options that ask transformers for the dense weights that quantised ones stand for.

    Raises:
        UserError: nobody offers that for their format, or the library of the format is not installed.
    """
    method = (getattr(config, "quantization_config", None) or {}).get("quant_method")
    if method is None:
        return {}
    kind = AUTO_QUANTIZATION_CONFIG_MAPPING.get(method)
    if kind is None or "dequantize" not in inspect.signature(kind).parameters:
        raise UserError(
            f"{source.label} has weights quantised by {brief(method)}, which transformers does not turn into dense "
            "ones: give a dense export, one by GPTQ, AWQ or compressed-tensors, or a .gguf file"
        )
    try:
        return {"quantization_config": kind(dequantize=True)}
    except ImportError as error:
        raise UserError(
            f"{source.label} has weights quantised by {method}, whose library is missing: run `pip install {method}`"
        ) from error


def random_weights(source: Source, config: Any, dtype: Dtype) -> PreTrainedModel:
    """A model of the same shape with random weights, drawn by its source's seed."""
    with torch.random.fork_rng(devices=[]), library_errors(f"{source.label} cannot be made from its settings"):
        torch.manual_seed(source.initialised)
        return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
