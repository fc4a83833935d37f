"""Perplexity by the protocol of SparseGPT and Wanda: full windows without overlap, mean loss per window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from core.models.loading import Loaded
from core.results import Array

BATCH = 2048  # tokens per forward


@torch.inference_mode()
def window_losses(loaded: Loaded, tokens: Tensor, step: Callable[[int], None] = lambda _: None) -> Array:
    """Mean next-token loss of each window, nats/token, (windows,); `exp` of their mean is the perplexity.

    Args:
        tokens: (windows, length).
        step: told how many windows are done.
    """
    losses: list[Array] = []
    for part in tokens.split(max(1, BATCH // tokens.shape[1])):
        ids = part.to(loaded.model.device)
        logits = loaded.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
        each = cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").mean(1)
        losses.append(each.double().cpu().numpy() if each.device.type != "mps" else each.cpu().double().numpy())
        step(sum(map(len, losses)))
    return np.concatenate(losses)


def perplexity(losses: Array) -> float:
    """`exp` of the mean of window means."""
    return float(np.exp(losses.mean()))
