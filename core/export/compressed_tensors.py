"""Write a model of integers as a compressed-tensors folder, which transformers and vLLM read, and its recipe.

The weights are packed as the library's own `pack-quantized` says: of a linear its codes, a scale for every group, and
its shape. Since release 0.18 codes of 3, 5, 6 and 7 bits lie densely, over the borders of words; earlier ones misread
that. Zero points are not written: releases 0.15 to 0.20 of the library read them under no setting of transformers that
reads several widths too.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file

from core.base import Fields, UserError, listed
from core.methods import QUANT_FORMATS, dequantise, quantise
from core.models import Loaded, anatomy, checkpoint_pieces, is_streamed
from core.requests import COMPRESSED
from core.store import pretty

Groups = dict[str, Fields]
FormatTable = NDArray[np.str_]  # (layers, linears) names of number formats


def check(loaded: Loaded, formats: FormatTable) -> None:
    """Refuse a model or a plan that cannot be written in this format.

    Args:
        formats: (layers, linears) names, as `int3g32s`.

    Raises:
        UserError: its linears are stored transposed, or memory does not hold it; or linears that vLLM runs as one
            matrix differ in their formats.
    """
    if is_streamed(loaded.layers) or any(linear.transposed for linear in anatomy.prunable_linears(loaded.layers[0])):
        raise UserError("only what memory holds as torch's own linears is packed: export this model dense")
    joined = anatomy.joined_linears(loaded.model)
    for layer, (names, row) in enumerate(zip(joined, formats, strict=True)):
        own = dict(zip((each.name for each in anatomy.linears(loaded.layers[layer])), row, strict=False))
        for group in names:
            if len({own[name] for name in group}) > 1:
                unlike = listed(f"{name} {own[name]}" for name in group)
                raise UserError(
                    f"vLLM runs these linears of layer {layer} as one matrix, of one format: this plan gives {unlike}; "
                    "allocate with granularity=joined"
                )


def groups(loaded: Loaded, formats: FormatTable) -> Groups:
    """Build `config_groups`: format name -> full names of its linears (`targets`) and their encoding (`weights`).

    Args:
        formats: (layers, linears) names, as `int3g32s`.
    """
    names, targets = {id(module): name for name, module in loaded.model.named_modules()}, {}
    for layer, row in zip(loaded.layers, formats, strict=True):
        for linear, form in zip(anatomy.prunable_linears(layer), row, strict=False):
            targets.setdefault(QUANT_FORMATS[form], []).append(names[id(linear.module)])
    return {
        form.name: {
            "targets": linears,
            "weights": {
                "type": "int",
                "strategy": "group",
                "num_bits": form.bits,
                "group_size": form.group,
                "symmetric": form.symmetric,
            },
        }
        for form, linears in sorted(targets.items())
    }


def recipe(loaded: Loaded, formats: FormatTable, pruner: str | None) -> str:
    """Write the same plan for llm-compressor, which rounds by its own methods: its `recipe.yaml`.

    Args:
        formats: as for `groups`.
        pruner: the one that rounded it here.
    """
    scheme = {"ignore": ["lm_head"], "config_groups": groups(loaded, formats)}
    modifiers = {"GPTQModifier" if str(pruner).startswith("gptq") else "QuantizationModifier": scheme}
    return yaml.safe_dump({"quant_stage": {"quant_modifiers": modifiers}}, sort_keys=False, width=120)


def write(loaded: Loaded, folder: Path, formats: FormatTable) -> None:
    """Write the model in half precision, and set its weights to the values that the files hold.

    Args:
        folder: with config.json and the tokenizer's files in it.
        formats: as for `groups`, symmetric ones.
    """
    from compressed_tensors.compressors import pack_to_int32

    config_groups = groups(loaded, formats)
    of = {name: QUANT_FORMATS[form] for form, group in config_groups.items() for name in group["targets"]}
    tensors = {}
    for piece in checkpoint_pieces(loaded.model):
        for name, value in piece.items():
            inside = name.removesuffix(".weight")
            if name == inside or inside not in of:
                value.copy_(value.half())
                tensors[name] = value.half()
                continue
            codes, scales, zeros = quantised = quantise(value, of[inside])
            value.copy_(dequantise(quantised))
            tensors |= {
                f"{inside}.weight_packed": pack_to_int32((codes - zeros).flatten(1).to(torch.int8), of[inside].bits),
                f"{inside}.weight_scale": scales.squeeze(2).half(),
                f"{inside}.weight_shape": torch.tensor(value.shape),
            }
    save_file({name: each.contiguous().cpu() for name, each in tensors.items()}, folder / "model.safetensors",
              {"format": "pt"})  # fmt: skip
    settings = folder / "config.json"
    method = {"quant_method": COMPRESSED, "format": "pack-quantized", "quantization_status": "compressed"}
    method["version"] = version(COMPRESSED)
    settings.write_bytes(pretty(json.loads(settings.read_bytes()) | {
        "architectures": [type(loaded.model).__name__], "dtype": "float16",
        "quantization_config": method | {"config_groups": config_groups, "ignore": ["lm_head"]},
    }))  # fmt: skip
