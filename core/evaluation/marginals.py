"""What one layer pruned a step more or less does to the loss, while all others stay pruned as planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core.evaluation.perplexity import Head, read, windows_per_batch
from core.evaluation.pruned import prune
from core.models.anatomy import Linear
from core.models.loading import Loaded
from core.models.replay import REPLAY_TOLERANCE, Call, record, replay_error
from core.pruning.walk import restored
from core.specs import MarginalSpec, UserError
from core.store.results import Array, Marginal
from core.texts.windows import Windows

Weights = list[dict[str, Tensor]]  # per layer, by parameter name


@torch.inference_mode()
def marginals(
    loaded: Loaded,
    spec: MarginalSpec,
    calibration: dict[str, Windows],
    tokens: Tensor,
    step: Callable[[int], None] = lambda _: None,
) -> Marginal:
    """Prune, price every layer's two steps in one walk over the pruned model, and restore the model.

    A layer's other weights are pruned from its dense ones on the statistics that its planned ones were: those of the
    pruned layers before it. At layer l the streams that were changed below l are run through it as planned, then the
    two changed here join them.

    Args:
        tokens: (windows, length) of the text.
        step: told the layer that was just pruned.

    Raises:
        UserError: the model cannot be pruned so, or a layer of it cannot be run by itself.
    """
    less: Weights = [{} for _ in loaded.layers]
    more: Weights = [{} for _ in loaded.layers]

    def look(layer: int, linear: Linear, share: float, at: Callable[[float], Tensor]) -> None:
        less[layer][f"{linear.name}.weight"] = at(max(share - spec.below[layer], 0.0))
        more[layer][f"{linear.name}.weight"] = at(share + spec.above[layer])

    with restored(loaded):
        prune(loaded, spec.pruned, calibration, step, lambda _: None, look)
        part = tokens[: spec.windows]
        head = Head(loaded, part)
        found = [_batch(loaded, head, ids, less, more) for ids in part.split(windows_per_batch(part))]
    planned, less_, more_ = (np.concatenate(each, axis=-1) for each in zip(*found, strict=True))
    return Marginal(planned=planned, less=less_, more=more_)


def _batch(loaded: Loaded, head: Head, ids: Tensor, less: Weights, more: Weights) -> tuple[Array, Array, Array]:
    """Losses as planned (windows,), and with each layer changed, (layers, windows), of one batch of windows."""
    ids = ids.to(loaded.model.device)
    calls, last = record(loaded.model, loaded.layers, ids)
    _check_replay(loaded, calls, ids)
    streams: list[Tensor] = []
    for call, *changed in zip(calls, less, more, strict=True):
        streams = [call(stream) for stream in streams]
        streams += [call(call.entry, weights) for weights in changed]
    losses = np.stack([read(head, ids, stream)[0] for stream in streams])
    return read(head, ids, last)[0], losses[0::2], losses[1::2]


def _check_replay(loaded: Loaded, calls: list[Call], ids: Tensor) -> None:
    """Layers are run by themselves, on several streams in turn: that has to give what the model's own forward gives."""
    others, _ = record(loaded.model, loaded.layers, ids, calls[0].entry.flip(1))
    for layer, (call, other) in enumerate(zip(calls, others, strict=True)):
        error = max(replay_error(call), replay_error(call, replace(other, args=(), kwargs={})))
        if error > REPLAY_TOLERANCE[loaded.spec.dtype]:
            raise UserError(
                f"layer {layer} of {loaded.source.label}, run by itself, differs by {error:.1e} from the model's own "
                "forward: its steps cannot be priced, so this model cannot be polished"
            )
