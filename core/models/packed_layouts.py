"""Dense weights of GPTQ and AWQ folders, by the layouts that their libraries document.

A linear has `qweight`, whole numbers packed into int32 words, and for every group of inputs `scales` and `qzeros`:
`W[out, in] = scale * (q - zero)`. GPTQ (Frantar et al., arXiv 2210.17323) packs along the inputs, and its first format
stores zeros less one; AWQ (Lin et al., arXiv 2306.00978) packs eight outputs at a time, in an order of its own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from core.base import Fields, UserError

PACKED = ".qweight"  # ends the name of a packed weight
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # of the eight outputs in a word
AWQ = "awq"
LAYOUTS = ("GPTQ", AWQ.upper())  # as `quant_method` has them, in capitals


def check_layout(settings: Fields, label: str) -> None:
    """Refuse a layout that is not read here, by a `quantization_config`.

    Raises:
        UserError: names those that are.
    """
    method, bits = settings["quant_method"], settings.get("bits")
    if bits not in ((4,) if method == AWQ else (2, 4, 8)) or settings.get("version", "gemm") not in ("gemm", None):
        raise UserError(
            f"{label} has {method} weights of {bits} bits in a layout that is not read: GPTQ of 2, 4 or 8 bits and AWQ "
            "of 4 bits (gemm) are; give one of these, one by compressed-tensors, or a .gguf file"
        )


def dense_tensors(tensors: Mapping[str, Tensor], settings: Fields) -> dict[str, Tensor]:
    """All tensors of a checkpoint with each packed linear as its weight, (out, in) in the dtype of its scales."""
    packed = [name.removesuffix(PACKED) for name in tensors if name.endswith(PACKED)]
    parts = tuple(f"{name}.{part}" for name in packed for part in ("qweight", "qzeros", "scales", "g_idx"))
    dense = {name: each for name, each in tensors.items() if name not in parts}
    of = _awq if settings["quant_method"] == AWQ else _gptq
    return dense | {f"{name}.weight": of(*_parts(tensors, name), settings) for name in packed}


def _parts(tensors: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    return *(tensors[f"{name}.{part}"] for part in ("qweight", "qzeros", "scales")), tensors.get(f"{name}.g_idx")


def _gptq(words: Tensor, zeros: Tensor, scales: Tensor, group: Tensor | None, settings: Fields) -> Tensor:
    """words: (in * bits / 32, out); zeros: (groups, out * bits / 32); scales: (groups, out); group: (in,)."""
    bits = settings["bits"]
    codes = _unpacked(words.T, bits).T
    zero = _unpacked(zeros, bits) + (settings.get("checkpoint_format") != "gptq_v2")
    if group is None:
        group = torch.arange(len(codes)) // (len(codes) // len(scales))
    group = group.long()
    return ((codes - (zero & 2**bits - 1)[group]).to(scales.dtype) * scales[group]).T


def _awq(words: Tensor, zeros: Tensor, scales: Tensor, _: Tensor | None, settings: Fields) -> Tensor:
    """words: (in, out / 8); zeros: (groups, out / 8); scales: (groups, out)."""
    order = torch.tensor(AWQ_ORDER).argsort()
    codes, zero = (_unpacked(each, 4).unflatten(1, (-1, 8))[..., order].flatten(1) for each in (words, zeros))
    size = len(codes) // len(scales)
    return ((codes - zero.repeat_interleave(size, 0)).to(scales.dtype) * scales.repeat_interleave(size, 0)).T


def _unpacked(words: Tensor, bits: int) -> Tensor:
    """Whole numbers of int32 words, lowest bits first, (rows, columns * 32 / bits)."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    return (words[..., None] >> shifts & 2**bits - 1).flatten(1)
