"""Runs over a calibration text: calls of every layer, and the dense path beside the pruned one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

import torch
from torch import Tensor

from core.base import UserError, either
from core.methods import PRUNERS_WITHOUT_TEXT
from core.models import (
    REPLAY_TOLERANCE,
    WALK_BATCH,
    Call,
    Linear,
    Loaded,
    Tensors,
    entered,
    entry_stream,
    replay_error,
    weights_on_device,
)
from core.prune.inputs import Enough, Names, watched

BACK = 0.5  # share of the missing output that a repair restores: restoring all of it overfits the calibration text
STRAIGHT = 0.03  # largest residual share of a layer output's move: above it, the layer does not simply add the output


def check_replay(loaded: Loaded, tokens: Tensor) -> bool:
    """Check that layers run by themselves give what the model's own forward gives, as the walk requires.

    Returns:
        True if a layer's arguments besides its stream depend on the batch's shape alone. Elsewhere they depend on the
        tokens (an embedding of their own in every layer), or are a store that layers fill for later ones (keys and
        values that these share).

    Raises:
        UserError: a layer cannot be run by itself, or its arguments depend on the streams of earlier layers.
    """

    def errors(calls, *inputs):
        """Largest replay error of every layer, with the arguments of `calls`, on the inputs of some recordings."""
        worst = []
        for layer, (call, *calls_given) in enumerate(zip(calls, *inputs, strict=True)):
            try:
                with weights_on_device(call.layer):
                    worst.append(max(replay_error(call, each) for each in calls_given))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise UserError(
                    f"layer {layer} of {loaded.source.label} cannot be run by itself ({type(error).__name__}: "
                    f"{error}), which pruning layer by layer needs: use {either(PRUNERS_WITHOUT_TEXT)}"
                ) from error
        return worst

    def insist(errors, wrong):
        for layer, error in enumerate(errors):
            if error > REPLAY_TOLERANCE[loaded.spec.dtype]:
                raise UserError(
                    f"layer {layer} of {loaded.source.label}, {wrong.format(error)}: it cannot be pruned layer by "
                    f"layer; use {either(PRUNERS_WITHOUT_TEXT)}"
                )

    calls = loaded.record(tokens)
    own = errors(calls, calls)
    insist(own, "run by itself, differs by {:.1e} from the model's own forward")
    others = loaded.record((tokens + 1) % loaded.vocabulary)
    usual = zip(own, errors(others, others), strict=True)
    if all(found <= max(pair) for found, pair in zip(errors(calls, calls, others), usual, strict=True)):
        return True
    steered = errors(calls, loaded.record(tokens, others[0].entry))
    insist(steered, "told what earlier layers made of the text, would differ by {:.1e} once these are pruned")
    return False


def recorded(
    loaded: Loaded, tokens: Tensor, alike: bool, most: int = WALK_BATCH
) -> tuple[list[list[Call]], list[Tensor]]:
    """Record per batch the call of every layer, and the stream that enters the first. Other streams are not kept.

    Args:
        alike: True if a layer's arguments besides its stream depend on the batch's shape alone. Then one whole forward
            serves all batches of that shape; the others are only run up to the first layer. Else every batch keeps its
            own: a store that layers fill is filled anew, by the pruned ones, as the walk comes to them.
        most: tokens of a batch.
    """
    calls_by_shape = {}  # shape of a batch -> the calls
    batches, streams = [], []
    for part in tokens.split(max(1, most // tokens.shape[1])):
        if part.shape not in calls_by_shape or not alike:
            calls = loaded.record(part)
            streams.append(calls[0].entry)
            nothing = streams[-1].new_empty(0)
            calls_by_shape[part.shape] = [replace(call, entry=nothing, exit=nothing) for call in calls]
        else:
            streams.append(entry_stream(loaded.model, loaded.layers[0], part.to(loaded.model.device)))
        batches.append(calls_by_shape[part.shape])
    return batches, streams


# --- the dense path ------------------------------------------------------------------------------------------------


class DensePath:
    """Streams of the dense model on the calibration text, and the distance of the pruned path's linears from them.

    Fitting a linear to the dense path's output is known from quantisation as asymmetric calibration. Ours are two
    changes: an output added to the stream also restores the stream's drift, and only a part of it is restored. Streams
    are (sequences, tokens, width); they take as much memory as those of the pruned path, and a layer's dense weights
    are kept beside it.
    """

    def __init__(self, batches: Sequence[Sequence[Call]], streams: Sequence[Tensor], tried: Sequence[Call]):
        """batches, streams: calls and first streams from `recorded`. tried: a call of each layer on a few tokens."""
        self.batches, self.streams, self.tried = batches, list(streams), tried

    def enter(self, index: int, stack: Sequence[Linear]) -> None:
        """Keep a layer's dense weights before any of its linears is pruned."""
        self.runs = [calls[index] for calls in self.batches]
        self.read = []  # linears of the layer, so far
        self.ends = {}  # batch -> the stream that leaves the dense layer, of runs that came to its end
        self.weights = {f"{each.name}.weight": each.module.weight.clone() for each in stack}  # by parameter name
        self.factors = added(self.tried[index], stack)  # linear -> factor of its output when the layer adds it

    def leave(self) -> None:
        """Advance the streams through the dense layer."""
        for batch, (call, stream) in enumerate(zip(self.runs, self.streams, strict=True)):
            self.streams[batch] = self.ends.pop(batch) if batch in self.ends else call(stream, self.weights)

    def pulls(
        self,
        group: Sequence[Linear],
        runs: Sequence[Call],
        streams: Sequence[Tensor],
        see: Callable[[Names, Tensor], None],
        read: Sequence[int],
    ) -> Tensors:
        """Products that move the linears' outputs part of the way to the dense path's.

        An output that a layer adds to its stream also lacks the drift of the stream, less the part that outputs added
        before it restore.

        Args:
            group: the next linears of the layer, dense yet; those that ran before them may be pruned.
            runs: the layer's calls on the pruned path, one per batch.
            streams: inputs of the layer there.
            see: called with each distinct input of the pruned path and the linears of the group that read it.
            read: indices of the batches to use.

        Returns:
            Linear -> (out, in) float32 sum of d x^T over all tokens: x its input on the pruned path, d its move.
        """
        wanted = {each.name for each in group}
        self.read += group
        linears = {each.name: each for each in self.read}
        moves, pulls = {}, {}  # by the linears that read an input, and by linear
        for batch in read:
            stream, beside = streams[batch], self.streams[batch]
            here, _ = self._run(runs[batch], stream)
            there, end = self._run(self.runs[batch], beside, self.weights)
            if end is not None:
                self.ends[batch] = end
            drift = (beside - stream).float().flatten(0, -2)
            for (names, inputs), (_, dense) in zip(here, there, strict=True):
                reading = tuple(name for name in names if name in wanted)
                if reading:
                    see(reading, inputs)
                x, clean = (each.float().flatten(0, -2) for each in (inputs, dense))
                if reading := tuple(name for name in reading if name not in self.factors):
                    moves[reading] = moves.get(reading, 0) + (clean - x).T @ x
                drift = drift.to(x.device)  # a layer may lie on another device than the streams
                for name in (name for name in names if name in self.factors and wanted & self.factors.keys()):
                    before = self._dense(linears[name]).T
                    after = linears[name].weight.float().T  # still dense, if it is in the group
                    lacks = (clean - x) @ before if name in wanted else clean @ before - x @ after
                    drift = drift + self.factors[name] * lacks
                    if name in wanted:
                        pulls[name] = pulls.get(name, 0) + BACK * (drift / self.factors[name]).T @ x
                        drift = (1 - BACK) * drift
        for reading, move in moves.items():
            for name in reading:
                pulls[name] = pulls.get(name, 0) + BACK * self._dense(linears[name]) @ move
        return pulls

    def _dense(self, linear: Linear) -> Tensor:
        return linear.stored(self.weights[f"{linear.name}.weight"]).float()

    def _run(
        self, call: Call, stream: Tensor, weights: Tensors | None = None
    ) -> tuple[list[tuple[Names, Tensor]], Tensor | None]:
        """Linears that read each distinct input of a run, and that input; and the stream that leaves the layer.

        Of the dense layer, once all its linears are read, the run is whole; others stop after the last that is read.
        """
        inputs, end, whole = [], None, weights and len(self.read) == len(weights)
        with watched(call.layer, self.read, lambda *seen: inputs.append(seen), whole), suppress(Enough):
            end = call(stream, weights)
        return inputs, end


def added(call: Call, stack: Sequence[Linear]) -> dict[str, float]:
    """Factors by which a layer adds outputs of its linears to its stream, by linear; found by trial.

    All outputs but one are fixed, and that one is moved: if the layer's own output then moves by a multiple of it and
    by nothing else, the layer adds it. A layer that norms an output before adding it fails this test.

    Args:
        call: of the layer, on a few tokens.
        stack: the linears of the layer.
    """
    outputs = {}
    with _replaced(stack, lambda name, output: outputs.setdefault(name, output).clone()):  # a layer may add in place
        clean = call(call.entry)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device) * clean.float().norm(dim=-1, keepdim=True)
    noise = (noise / clean.shape[-1] ** 0.5).to(clean.dtype)  # an attention sink is too long for float16
    factors = {}
    for name in [each.name for each in stack if each.name in outputs and outputs[each.name].numel() == clean.numel()]:
        fixed = outputs | {name: outputs[name] + noise.view_as(outputs[name]).to(outputs[name].device)}
        with _replaced(stack, lambda other, _, fixed=fixed: fixed[other].clone()):
            moved = (call(call.entry) - clean).double()
        factor = float((moved * noise).sum() / (noise.double() * noise).sum())
        if factor and (moved - factor * noise).norm() <= STRAIGHT * moved.norm():
            factors[name] = factor
    return factors


def _replaced(stack: Sequence[Linear], change: Callable[[str, Tensor], Tensor]) -> AbstractContextManager:
    """While inside, `change(name, output)` replaces the output of every linear."""
    return entered(
        each.module.register_forward_hook(lambda _, args, output, name=each.name: change(name, output))
        for each in stack
    )
