"""Faults that a compressed checkpoint may have in one tensor, and the error that all of them may share."""

import shutil

import torch
from safetensors.torch import load_file, save_file

from tests import tiny


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


def rewritten(folder, change):
    """A copy of the tiny llama with every tensor changed, by its name."""
    shutil.copytree(tiny.folder("llama"), folder)
    path = folder / "model.safetensors"
    found = load_file(path)
    save_file({name: change(name, each).contiguous() for name, each in found.items()}, path, {"format": "pt"})
    return folder
