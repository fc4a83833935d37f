"""What one layer or linear pruned a step more or less does to the loss, or two that trade, all others as planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core.evaluation.perplexity import Head, read, windows_per_batch
from core.evaluation.pruned import prune
from core.models.anatomy import Linear, prunable
from core.models.loading import Loaded
from core.models.replay import REPLAY_TOLERANCE, Call, record, replay_error
from core.pruning.walk import restored
from core.specs import ExchangeSpec, MarginalSpec, UserError
from core.specs.polishing import StepsSpec
from core.store.results import Array, Exchanged, Marginal
from core.texts.windows import Windows

Calibration = dict[str, Windows]  # by the key of the text
Told = Callable[[int], None]
Weights = dict[str, Tensor]  # of a layer, by parameter name
Changed = list[tuple[int, Weights]]  # units, and what stands in their place
Change = Mapping[int, Weights]  # layers, and what stands in place of which of their weights
Levels = list[Weights]  # one of every unit: of a layer all linears, or a linear alone


def marginals(loaded: Loaded, spec: MarginalSpec, calibration: Calibration, tokens: Tensor, step: Told) -> Marginal:
    """Price the two steps of every layer, or of every linear; see `_losses`."""

    def alone(less: Levels, more: Levels) -> list[Changed]:
        return [[(unit, each)] for unit, both in enumerate(zip(less, more, strict=True)) for each in both]

    planned, losses = _losses(loaded, spec, alone, calibration, tokens, step)
    return Marginal(planned=planned, less=losses[0::2], more=losses[1::2])


def exchanges(loaded: Loaded, spec: ExchangeSpec, calibration: Calibration, tokens: Tensor, step: Told) -> Exchanged:
    """Price pairs of layers or linears that trade sparsity, both changed at once; see `_losses`."""

    def together(less: Levels, more: Levels) -> list[Changed]:
        return [[(down, less[down]), (up, more[up])] for down, up in spec.pairs]

    return Exchanged(*_losses(loaded, spec, together, calibration, tokens, step))


@torch.inference_mode()
def _losses(
    loaded: Loaded,
    spec: StepsSpec,
    changes: Callable[[Levels, Levels], list[Changed]],
    calibration: Calibration,
    tokens: Tensor,
    step: Told,
) -> tuple[Array, Array]:
    """Prune, read the model as planned and with each change in one walk over it, and restore it.

    A layer's other weights are pruned from its dense ones on the statistics that its planned ones were: those of the
    pruned layers before it. At layer l the streams that were changed below l are run through it as planned, or changed
    where theirs is a change of l too, and those changed here for the first time join them.

    Args:
        changes: every unit a step less and a step more sparse -> what is read.
        tokens: (windows, length) of the text.
        step: told the layer that was just pruned.

    Returns:
        Losses as planned, (windows,), and with each change, (changes, windows), nats/token.

    Raises:
        UserError: the model cannot be pruned so, or a layer of it cannot be run by itself.
    """
    less: Levels = [{} for _ in spec.below]
    more: Levels = [{} for _ in spec.above]
    units = len(spec.below) // len(loaded.layers)  # of a layer: one, or as many as it has linears
    columns = [{linear.name: column for column, linear in enumerate(prunable(layer))} for layer in loaded.layers]

    def look(layer: int, linear: Linear, share: float, at: Callable[[float], Tensor]) -> None:
        unit = layer * units + columns[layer][linear.name] % units
        less[unit][f"{linear.name}.weight"] = at(max(share - spec.below[unit], 0.0))
        more[unit][f"{linear.name}.weight"] = at(share + spec.above[unit])

    with restored(loaded):
        prune(loaded, spec.pruned, calibration, step, lambda _: None, look)
        part, asked = tokens[: spec.windows], [_of_layers(each, units) for each in changes(less, more)]
        head = Head(loaded, part)
        found = [_batch(loaded, head, ids, asked) for ids in part.split(windows_per_batch(part))]
    planned, losses = (np.concatenate(each, axis=-1) for each in zip(*found, strict=True))
    return planned, losses


def _of_layers(changed: Changed, units: int) -> Change:
    found: dict[int, Weights] = {}
    for unit, weights in changed:
        found[unit // units] = found.get(unit // units, {}) | weights
    return found


def _batch(loaded: Loaded, head: Head, ids: Tensor, changes: Sequence[Change]) -> tuple[Array, Array]:
    """Losses as planned (windows,), and with each change, (changes, windows), of one batch of windows."""
    ids = ids.to(loaded.model.device)
    calls, last = record(loaded.model, loaded.layers, ids)
    _check_replay(loaded, calls, ids)
    most = 2 * len(calls)  # streams at once, as many as there are where layers move
    losses = [_walked(calls, head, ids, changes[start : start + most]) for start in range(0, len(changes), most)]
    return read(head, ids, last)[0], np.concatenate(losses)


def _walked(calls: Sequence[Call], head: Head, ids: Tensor, changes: Sequence[Change]) -> Array:
    """(changes, windows) losses, from one walk over the layers."""
    streams: dict[int, Tensor] = {}  # number of a change -> its stream, from its first layer on
    for layer, call in enumerate(calls):
        for number, change in enumerate(changes):
            if layer in change or number in streams:
                streams[number] = call(streams.get(number, call.entry), change.get(layer))
    return np.stack([read(head, ids, streams[number])[0] for number in range(len(changes))])


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
