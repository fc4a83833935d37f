"""What is read of logits, a few tokens at a time: memory for all of them takes longer to get than what is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

CACHED = 2**18  # logits whose arrays stay in the caches of a processor's core


def by_tokens(read: Callable[..., Iterable[Tensor]], *each: Tensor) -> tuple[Tensor, ...]:
    """What is read of every token by itself, with the same numbers as read of all at once.

    Args:
        read: (tokens, ...) of each -> (tokens, ...) of whatever it finds.
        each: (sequences, tokens, ...); the first are logits, (sequences, tokens, vocabulary).

    Returns:
        (sequences, tokens, ...) each.
    """
    shape = each[0].shape[:2]
    parts = max(1, shape.numel() // _few(each[0]))
    split = zip(*(one.flatten(0, 1).tensor_split(parts) for one in each), strict=True)
    return tuple(torch.cat(found).unflatten(0, shape) for found in zip(*(read(*part) for part in split), strict=True))


def _few(logits: Tensor) -> int:
    """Tokens at once: all of them where memory is fast; at least two, for a lone row is summed in another order."""
    return max(2, CACHED // logits.shape[-1]) if logits.device.type == "cpu" else logits.shape[:2].numel()
