"""Repair of windows of a layer in the walk: its attention, then its MLP, each with its nonlinearity."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor, nn

from core.base import UserError
from core.methods import BLOCKS, VALIDATION_EVERY, MaskedWeights
from core.models import Call, Linear, Tensors, entered, find_part, stream_of
from core.prune.calibration import BACK, DensePath, added
from core.prune.inputs import Enough

TOGETHER = 512  # tokens of a training step


class Window(NamedTuple):
    """Linears that are repaired together, by their joint output."""

    name: str
    linears: list[Linear]
    output: nn.Module


def batch_size(tokens: Tensor) -> int:
    """Tokens of a batch of windows: few enough for one batch in eight to be held back.

    Args:
        tokens: (windows, length).
    """
    return min(TOGETHER, max(1, len(tokens) // VALIDATION_EVERY) * tokens.shape[1])


def windows(layer: nn.Module, stack: Sequence[Linear]) -> list[Window]:
    """Attention and MLP of a layer; the layer as a whole if they cannot be told apart."""
    try:
        places = {part: find_part(layer, part) for part in BLOCKS}
    except UserError:
        return [Window("layer", list(stack), layer)]
    return [Window(part, place.linears_of(stack), place.output) for part, place in places.items()]


def outputs_of(
    call: Call, stream: Tensor, modules: Sequence[nn.Module], weights: Tensors | None = None
) -> list[Tensor]:
    """Outputs of some modules of a layer, float32, from a run that stops after the last of them."""
    outputs = {}

    def see(module, _, output):
        outputs[id(module)] = stream_of(output).clone()  # a layer may add to it in place
        if len(outputs) == len(modules):
            raise Enough

    with entered(each.register_forward_hook(see) for each in modules), suppress(Enough):
        call(stream, weights)
    return [outputs[id(each)].float() for each in modules]


def repair_windows(
    train: Callable[..., object],
    index: int,
    stack: Sequence[Linear],
    runs: Sequence[Call],
    streams: Sequence[Tensor],
    path: DensePath,
) -> None:
    """Train the kept weights of each window of a layer, in place, towards the dense path's outputs.

    If a window's output is added to the stream, its target also restores half of the stream's drift, as in a refit to
    dense.

    Args:
        train: (kept weights, error of a batch, batches), as `blockwise`.
        stack: the linears of the layer, pruned.
        runs, streams: calls and inputs of the layer on the pruned path, one per batch.
        path: the dense path, which has entered the layer.

    Raises:
        UserError: there is only one batch of calibration windows.
    """
    places = [each for each in windows(runs[0].layer, stack) if each.linears]
    outputs = [each.output for each in places]
    parts = [Linear(each.name, each.output, False) for each in places if each.output is not runs[0].layer]
    factors = added(path.tried[index], parts)
    dense = [outputs_of(*each, outputs, path.weights) for each in zip(path.runs, path.streams, strict=True)]
    drift = [(there - here).float() for here, there in zip(streams, path.streams, strict=True)]
    for place, window in enumerate(places):
        factor = factors.get(window.name, 0.0)
        targets = [each[place] for each in dense]
        if factor:
            targets = [
                each + BACK * lacks.view_as(each).to(each.device) / factor
                for each, lacks in zip(targets, drift, strict=True)
            ]
        size = sum(float(each.square().sum()) for each in targets) / len(targets)

        def error(batch, window=window, targets=targets, size=size):
            [output] = outputs_of(runs[batch], streams[batch], [window.output])
            return (output - targets[batch]).square().sum() / (size or 1.0)

        masked = MaskedWeights([each.module.weight for each in window.linears])
        with torch.enable_grad():
            train(masked, error, range(len(runs)))
        if factor and place + 1 < len(places):
            for batch, (call, stream) in enumerate(zip(runs, streams, strict=True)):
                [output] = outputs_of(call, stream, [window.output])
                drift[batch] += factor * (dense[batch][place] - output).view_as(drift[batch])
