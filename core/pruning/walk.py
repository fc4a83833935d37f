"""Prune a whole model, layer after layer, each fed by the pruned layers before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from core.models import anatomy
from core.models.loading import Loaded
from core.models.replay import Call, record
from core.pruning import PRUNERS
from core.results import Array

BATCH = 4096  # tokens per forward


@torch.inference_mode()
def walk(
    loaded: Loaded,
    tokens: Tensor,
    sparsity: Array,
    pruner: str,
    step: Callable[[int], None] = lambda _: None,
) -> Array:
    """Prune the model in place: statistics of layer l from its dense self on what the pruned layers before it give.

    This is the scaffolding that Wanda and SparseGPT share: all linears of a layer are judged on one run of the layer,
    pruned together, and the layer is run again for the inputs of the next.

    Args:
        tokens: (sequences, length) calibration tokens.
        sparsity: (layers,) one for all linears of a layer, or (layers, linears).
        step: told the layer that is done.

    Returns:
        (layers, linears) achieved sparsity, counted.

    Raises:
        UserError: a layer cannot be pruned.
    """
    stacks = [anatomy.prunable(layer) for layer in loaded.layers]
    wanted = np.broadcast_to(sparsity if sparsity.ndim == 2 else sparsity[:, None], (len(stacks), len(stacks[0])))
    batches = _batches(loaded, tokens)
    streams = [calls[0].entry for calls in batches]
    achieved = np.zeros(wanted.shape)
    for index, stack in enumerate(stacks):
        with _input_norms(stack) as norms:
            for calls, stream in zip(batches, streams, strict=True):
                calls[index](stream)
        for column, linear in enumerate(stack):
            norm = norms[linear.name].sqrt().float().to(linear.weight.device)
            kept = PRUNERS[pruner](linear.weight, norm, float(wanted[index, column]))
            linear.module.weight.copy_(linear.stored(kept))
            achieved[index, column] = float((linear.weight == 0).float().mean(dtype=torch.float64))
        streams = [calls[index](stream) for calls, stream in zip(batches, streams, strict=True)]
        step(index)
    return achieved


@contextmanager
def restored(loaded: Loaded) -> Iterator[None]:
    """Whatever is pruned inside comes back bit for bit."""
    kept = {name: value.detach().clone() for name, value in loaded.model.named_parameters()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in loaded.model.named_parameters():
                value.copy_(kept[name])


def _batches(loaded: Loaded, tokens: Tensor) -> list[list[Call]]:
    size = max(1, BATCH // tokens.shape[1])
    layers = loaded.layers
    return [record(loaded.model, layers, part.to(loaded.model.device))[0] for part in tokens.split(size)]


@contextmanager
def _input_norms(stack: Sequence[anatomy.Linear]) -> Iterator[dict[str, Tensor]]:
    """Sums of squared inputs per channel, float64 where the device has it."""
    sums: dict[str, Tensor] = {}

    def hook(name: str) -> Callable:
        def add(_: nn.Module, args: tuple) -> None:
            rows = args[0].float().flatten(0, -2)
            sums[name] = sums.get(name, 0) + (rows * rows).sum(0).cpu().double()

        return add

    with ExitStack() as hooks:
        for linear in stack:
            hooks.callback(linear.module.register_forward_pre_hook(hook(linear.name)).remove)
        yield sums
