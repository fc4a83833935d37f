"""Repair of a layer's windows in the walk: its attention, then its MLP, each with its nonlinearity."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor, nn

from core.base import UserError
from core.methods import BLOCKS
from core.methods.masked_weights import EIGHTH, MaskedWeights
from core.models.anatomy import Linear
from core.models.layer_parts import find
from core.models.replay import Call, Tensors, hidden, together
from core.prune.calibration import BACK, DensePath, added
from core.prune.linears import Enough

TOGETHER = 512  # tokens of a training step


class Window(NamedTuple):
    """Linears that are repaired together, by what they give together."""

    name: str
    linears: list[Linear]
    output: nn.Module


def batch_size(tokens: Tensor) -> int:
    """Tokens of a batch of windows: few enough for the batches held back to be one in eight.

    Args:
        tokens: (windows, length).
    """
    return min(TOGETHER, max(1, len(tokens) // EIGHTH) * tokens.shape[1])


def windows(layer: nn.Module, stack: Sequence[Linear]) -> list[Window]:
    """The attention and the MLP of a layer; the layer as a whole where these cannot be told."""
    try:
        places = {part: find(layer, part) for part in BLOCKS}
    except UserError:
        return [Window("layer", list(stack), layer)]
    return [Window(part, place.linears_of(stack), place.output) for part, place in places.items()]


def given(call: Call, stream: Tensor, modules: Sequence[nn.Module], weights: Tensors | None = None) -> list[Tensor]:
    """Outputs of some modules of a layer, float32, from a run that goes no further than it must."""
    found = {}

    def see(module, _, output):
        found[id(module)] = hidden(output).clone()  # a layer may add to it in place
        if len(found) == len(modules):
            raise Enough

    with together(each.register_forward_hook(see) for each in modules), suppress(Enough):
        call(stream, weights)
    return [found[id(each)].float() for each in modules]


def repair_windows(
    train: Callable[..., object],
    index: int,
    stack: Sequence[Linear],
    runs: Sequence[Call],
    streams: Sequence[Tensor],
    path: DensePath,
) -> None:
    """Train the kept weights of each window of a layer, in place, to give on the pruned path what the dense one gives.

    Where a window's output is added to the stream, it is to take back half of what the stream lacks there too, as
    after a refit to dense.

    Args:
        train: (kept weights, error of a batch, batches), as `blockwise`.
        stack: the linears of the layer, pruned.
        runs, streams: the layer's calls on the pruned path and what enters it there, one per batch.
        path: which has entered the layer.

    Raises:
        UserError: there is but one batch of calibration windows.
    """
    found = [each for each in windows(runs[0].layer, stack) if each.linears]
    outputs = [each.output for each in found]
    parts = [Linear(each.name, each.output, False) for each in found if each.output is not runs[0].layer]
    factors = added(path.tried[index], parts)
    dense = [given(*each, outputs, path.weights) for each in zip(path.runs, path.streams, strict=True)]
    drift = [(there - here).float() for here, there in zip(streams, path.streams, strict=True)]
    for place, window in enumerate(found):
        factor = factors.get(window.name, 0.0)
        targets = [each[place] for each in dense]
        if factor:
            targets = [
                each + BACK * lacks.view_as(each).to(each.device) / factor
                for each, lacks in zip(targets, drift, strict=True)
            ]
        size = sum(float(each.square().sum()) for each in targets) / len(targets)

        def error(batch, window=window, targets=targets, size=size):
            [output] = given(runs[batch], streams[batch], [window.output])
            return (output - targets[batch]).square().sum() / (size or 1.0)

        kept = MaskedWeights([each.module.weight for each in window.linears])
        with torch.enable_grad():
            train(kept, error, range(len(runs)))
        if factor and place + 1 < len(found):
            for batch, (call, stream) in enumerate(zip(runs, streams, strict=True)):
                [output] = given(call, stream, [window.output])
                drift[batch] += factor * (dense[batch][place] - output).view_as(drift[batch])
