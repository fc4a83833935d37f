"""Faults that a compressed checkpoint may have in one tensor or setting, and the error that all tensors may share."""

import shutil
from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from core.export import compressed_tensors
from core.models.saving import save
from tests import families, gguf_files, tiny

LAYER = 2
Q, K, OUT, UP, DOWN, NORM = (
    f"model.layers.{LAYER}.{name}.weight"
    for name in (
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm",
    )
)  # fmt: skip
EMBEDDING, HEAD, LAST = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
SCALED = PLAIN | {"rope_type": "linear", "factor": 4.0}


def rounded(weight, bits, group=16):
    """Rounded to whole steps between the least and the greatest weight of each group along a row."""
    parts = weight.reshape(*weight.shape[:-1], -1, group)
    low, high = parts.amin(-1, keepdim=True), parts.amax(-1, keepdim=True)
    step = (high - low).clamp(min=1e-12) / (2**bits - 1)
    return (((parts - low) / step).round() * step + low).reshape(weight.shape)


def permuted(weight):
    """The rows in another order."""
    return weight[torch.randperm(len(weight), generator=torch.Generator().manual_seed(0))]


FAULTS = {"permute": permuted, "scale": lambda weight: 1.05 * weight, "3 bits": lambda weight: rounded(weight, 3)}


def with_rows(weight, change, rows=slice(0, 4)):
    """Some rows changed."""
    weight = weight.clone()
    weight[rows] = change(weight[rows])
    return weight


def exchanged(one, other):
    return lambda tensors: tensors | {one: tensors[other], other: tensors[one]}


def changed(name, change):
    return lambda tensors: tensors | {name: change(tensors[name])}


def rotated(each):
    return each.unflatten(0, (-1, 4, 2)).transpose(1, 2).flatten(0, 2)


# What was planted -> tensor or setting that has to be named first, and the change of the tensors, settings or types
PLANTED = {
    "swapped with the next layer's": (UP, exchanged(UP, UP.replace(".2.", ".3."))),
    "gate and up swapped": (UP, exchanged(UP, UP.replace("up", "gate"))),
    "a scale halved": (DOWN, changed(DOWN, lambda each: each / 2)),
    "a scale 5 % too large": (Q, changed(Q, lambda each: 1.05 * each)),
    "a type too low": (OUT, "type"),
    "a norm rounded": (NORM, changed(NORM, lambda each: rounded(each, 3))),
    "a norm scaled": (NORM, changed(NORM, lambda each: 1.1 * each)),
    "a head permuted": (Q, changed(Q, lambda each: torch.cat([each[8:16], each[:8], each[16:]]))),
    "halves of a rotation interleaved": (K, changed(K, rotated)),
    "rows lost": (UP, changed(UP, lambda each: with_rows(each, torch.zeros_like))),
    "rows of the wrong sign": (DOWN, changed(DOWN, lambda each: with_rows(each, torch.neg))),
    "one row far too large": (UP, changed(UP, lambda each: with_rows(each, lambda row: 8 * row, slice(5, 6)))),
    "columns moved by one": (OUT, changed(OUT, lambda each: each.roll(1, 1))),
    "a tensor transposed": (OUT, changed(OUT, lambda each: each.T)),
    "weights clipped": (DOWN, changed(DOWN, lambda each: each.clamp(-0.2, 0.2))),
    "the embedding in 2 bits": (EMBEDDING, changed(EMBEDDING, lambda each: rounded(each, 2))),
    "the head in 2 bits": (HEAD, changed(HEAD, lambda each: rounded(each, 2))),
    "the last norm scaled": (LAST, changed(LAST, lambda each: 1.2 * each)),
    "RoPE scaling lost": ("rotary positions", {"rope_parameters": PLAIN}),
    "an epsilon too large": ("rms_norm_eps", {"rms_norm_eps": 1e-2}),
}


def scaled(change=None, positions=SCALED):
    """The tiny llama with scaled positions, or others, and a fault of `PLANTED` in its tensors or its settings."""
    settings = change if isinstance(change, dict) else {}
    config = families.config("llama", tiny.LAYERS, tiny.WIDTH)
    config.update({"rope_parameters": positions} | settings)
    model = tiny.filled(config)
    if callable(change):
        model.load_state_dict({name: each.clone() for name, each in change(model.state_dict()).items()})
    return model


def quantised(folder, change=None, packed=False, positions=SCALED):
    """It in few bits, in a GGUF file or packed by compressed-tensors: of the type too low one tensor has fewer."""
    model, low = scaled(change, positions), change == "type"
    folder.mkdir()
    if not packed:
        gguf_files.write(
            folder / "model.gguf", kind="Q5_0", of=model, kinds={OUT: "Q4_0"} if low else {}, matrices=True
        )
        return folder / "model.gguf"
    of = replace(tiny.loaded("llama"), model=model)
    save(model, of.tokenizer, folder, weights=False)
    formats = np.full((tiny.LAYERS, 7), "int4g32s")
    formats[LAYER, 3] = "int3g32s" if low else "int4g32s"
    compressed_tensors.write(of, folder, formats)
    return folder


def rewritten(folder, change):
    """A copy of the tiny llama with every tensor changed, by its name."""
    shutil.copytree(tiny.folder("llama"), folder)
    path = folder / "model.safetensors"
    found = load_file(path)
    save_file({name: change(name, each).contiguous() for name, each in found.items()}, path, {"format": "pt"})
    return folder
