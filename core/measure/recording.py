"""The calls of every layer over a calibration text, and whether a layer may be run by itself with them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.base.errors import UserError
from core.base.formats import either
from core.kinds.treatments import WITHOUT_TEXT
from core.models.loading import Loaded
from core.models.placement import at_hand
from core.models.replay import REPLAY_TOLERANCE, Call, entry, replay_error
from core.models.work import WALK_BATCH


def check_replay(loaded: Loaded, tokens: Tensor) -> bool:
    """The walk runs layers by themselves, which is right only where that gives what the model's own forward gives.

    Returns:
        Whether what a layer is told besides its stream depends on a batch's shape alone. Elsewhere it depends on the
        tokens (an embedding of their own in every layer), or is a store that layers fill for later ones (keys and
        values that these share).

    Raises:
        UserError: a layer cannot be run by itself, or is told what earlier layers made of their streams.
    """
    calls = loaded.record(tokens)
    own = _errors(loaded, calls, calls)
    _insist(loaded, own, "run by itself, differs by {:.1e} from the model's own forward")
    others = loaded.record((tokens + 1) % loaded.vocabulary)
    usual = zip(own, _errors(loaded, others, others), strict=True)
    if all(found <= max(pair) for found, pair in zip(_errors(loaded, calls, calls, others), usual, strict=True)):
        return True
    steered = loaded.record(tokens, others[0].entry)
    wrong = "told what earlier layers made of the text, would differ by {:.1e} once these are pruned"
    _insist(loaded, _errors(loaded, calls, steered), wrong)
    return False


def _errors(loaded: Loaded, calls: list[Call], *inputs: list[Call]) -> list[float]:
    """For every layer, told what the calls were: the largest replay error on the inputs of some recordings, in turn."""
    found = []
    for layer, (call, *given) in enumerate(zip(calls, *inputs, strict=True)):
        try:
            with at_hand(call.layer):
                found.append(max(replay_error(call, each) for each in given))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"layer {layer} of {loaded.source.label} cannot be run by itself ({type(error).__name__}: {error}), "
                f"which pruning layer by layer needs: use {either(WITHOUT_TEXT)}"
            ) from error
    return found


def _insist(loaded: Loaded, errors: list[float], wrong: str) -> None:
    for layer, found in enumerate(errors):
        if found > REPLAY_TOLERANCE[loaded.spec.dtype]:
            raise UserError(
                f"layer {layer} of {loaded.source.label}, {wrong.format(found)}: it cannot be pruned layer by layer; "
                f"use {either(WITHOUT_TEXT)}"
            )


def recorded(loaded: Loaded, tokens: Tensor, alike: bool) -> tuple[list[list[Call]], list[Tensor]]:
    """Per batch: how every layer is called, and the stream that enters the first. Other streams are not kept.

    Args:
        alike: whether what a layer is told besides its stream depends on a batch's shape alone. Then one whole forward
            serves all batches of that shape; of the others only the way to the first layer is run. Else every batch
            keeps its own: a store that layers fill is filled anew, by the pruned ones, as the walk comes to them.
    """
    known: dict[torch.Size, list[Call]] = {}
    batches, streams = [], []
    for part in tokens.split(max(1, WALK_BATCH // tokens.shape[1])):
        if part.shape not in known or not alike:
            calls = loaded.record(part)
            streams.append(calls[0].entry)
            nothing = streams[-1].new_empty(0)
            known[part.shape] = [replace(call, entry=nothing, exit=nothing) for call in calls]
        else:
            streams.append(entry(loaded.model, loaded.layers[0], part.to(loaded.model.device)))
        batches.append(known[part.shape])
    return batches, streams
