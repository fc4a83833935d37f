"""Noise that is the same whatever the engine, the batch, the part or the machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def normal(kind: str, seed: int, layer: int, sequences: Sequence[int], tokens: int, width: int) -> Tensor:
    """Standard normal noise, (sequences, tokens, width), float32, drawn on the CPU.

    Each sequence has its own generator, seeded by a hash of (kind, seed, layer, sequence). The size is not part of it:
    different sizes push in the same directions, which makes them comparable.
    """
    return torch.stack([_one(f"{kind} {seed} {layer} {sequence}", tokens, width) for sequence in sequences])


def _one(name: str, tokens: int, width: int) -> Tensor:
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    return torch.randn(tokens, width, generator=generator)
