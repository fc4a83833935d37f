"""Runs over a calibration text: how every layer is called, and the dense model's way beside the pruned one's."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

import torch
from torch import Tensor

from core.base import UserError, either
from core.methods import PRUNERS_WITHOUT_TEXT
from core.models.anatomy import Linear
from core.models.loading import Loaded
from core.models.placement import weights_on_device
from core.models.replay import REPLAY_TOLERANCE, Call, Tensors, entry, replay_error, together
from core.models.run_cost import WALK_BATCH
from core.prune.linears import Enough, Names, watched

BACK = 0.5  # of what outputs lack that a repair takes back: all of it follows the calibration text too closely
STRAIGHT = 0.03  # of what an output moves its layer's: where more is left, the layer does not simply add it


# --- how layers are called -----------------------------------------------------------------------------------------


def check_replay(loaded: Loaded, tokens: Tensor) -> bool:
    """The walk runs layers by themselves, which is right only where that gives what the model's own forward gives.

    Returns:
        Whether what a layer is told besides its stream depends on a batch's shape alone. Elsewhere it depends on the
        tokens (an embedding of their own in every layer), or is a store that layers fill for later ones (keys and
        values that these share).

    Raises:
        UserError: a layer cannot be run by itself, or is told what earlier layers made of their streams.
    """

    def errors(calls, *inputs):
        """For every layer, told what the calls were: the largest replay error on the inputs of some recordings."""
        found = []
        for layer, (call, *given) in enumerate(zip(calls, *inputs, strict=True)):
            try:
                with weights_on_device(call.layer):
                    found.append(max(replay_error(call, each) for each in given))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise UserError(
                    f"layer {layer} of {loaded.source.label} cannot be run by itself ({type(error).__name__}: "
                    f"{error}), which pruning layer by layer needs: use {either(PRUNERS_WITHOUT_TEXT)}"
                ) from error
        return found

    def insist(errors, wrong):
        for layer, found in enumerate(errors):
            if found > REPLAY_TOLERANCE[loaded.spec.dtype]:
                raise UserError(
                    f"layer {layer} of {loaded.source.label}, {wrong.format(found)}: it cannot be pruned layer by "
                    f"layer; use {either(PRUNERS_WITHOUT_TEXT)}"
                )

    calls = loaded.record(tokens)
    own = errors(calls, calls)
    insist(own, "run by itself, differs by {:.1e} from the model's own forward")
    others = loaded.record((tokens + 1) % loaded.vocabulary)
    usual = zip(own, errors(others, others), strict=True)
    if all(found <= max(pair) for found, pair in zip(errors(calls, calls, others), usual, strict=True)):
        return True
    steered = loaded.record(tokens, others[0].entry)
    wrong = "told what earlier layers made of the text, would differ by {:.1e} once these are pruned"
    insist(errors(calls, steered), wrong)
    return False


def recorded(
    loaded: Loaded, tokens: Tensor, alike: bool, most: int = WALK_BATCH
) -> tuple[list[list[Call]], list[Tensor]]:
    """Per batch: how every layer is called, and the stream that enters the first. Other streams are not kept.

    Args:
        alike: whether what a layer is told besides its stream depends on a batch's shape alone. Then one whole forward
            serves all batches of that shape; of the others only the way to the first layer is run. Else every batch
            keeps its own: a store that layers fill is filled anew, by the pruned ones, as the walk comes to them.
        most: tokens of a batch.
    """
    known = {}  # shape of a batch -> the calls
    batches, streams = [], []
    for part in tokens.split(max(1, most // tokens.shape[1])):
        if part.shape not in known or not alike:
            calls = loaded.record(part)
            streams.append(calls[0].entry)
            nothing = streams[-1].new_empty(0)
            known[part.shape] = [replace(call, entry=nothing, exit=nothing) for call in calls]
        else:
            streams.append(entry(loaded.model, loaded.layers[0], part.to(loaded.model.device)))
        batches.append(known[part.shape])
    return batches, streams


# --- the dense path ------------------------------------------------------------------------------------------------


class DensePath:
    """What the dense model's layers give on the calibration text, and how far from it the pruned path's linears are.

    To fit a linear to the dense path's output is known from quantisation as asymmetric calibration. That an added
    output takes back the stream's drift as well, and all of them only a part, is ours. Streams are (sequences, tokens,
    width); they take as much memory as those of the pruned path, and a layer's dense weights are kept beside it.
    """

    def __init__(self, batches: Sequence[Sequence[Call]], streams: Sequence[Tensor], tried: Sequence[Call]):
        """All layers' runs and the stream that enters the first, for every batch; and a run of each on a few tokens."""
        self.batches, self.streams, self.tried = batches, list(streams), tried
        self.runs = []  # of the layer that it is at
        self.read = []  # of the layer that it is at, so far
        self.weights = {}  # dense ones of its linears, by parameter name
        self.factors = {}  # linear -> what its output is multiplied with when the layer adds it

    def enter(self, index: int, stack: Sequence[Linear]) -> None:
        """Keep what a layer is before any of its linears is pruned."""
        self.runs, self.read = [calls[index] for calls in self.batches], []
        self.weights = {f"{each.name}.weight": each.module.weight.clone() for each in stack}
        self.factors = added(self.tried[index], stack)

    def leave(self) -> None:
        """Go on to what the dense layer gives."""
        self.streams = [call(stream, self.weights) for call, stream in zip(self.runs, self.streams, strict=True)]

    def pulls(
        self,
        group: Sequence[Linear],
        runs: Sequence[Call],
        streams: Sequence[Tensor],
        see: Callable[[Names, Tensor], None],
        read: Sequence[int],
    ) -> Tensors:
        """What moves the linears' outputs part of the way to the dense path's.

        An output that a layer adds to its stream lacks what the stream lacks there too, less what the outputs added
        before it take back.

        Args:
            group: the next linears of the layer, dense yet; those that ran before them may be pruned.
            runs: the layer's calls on the pruned path, one per batch.
            streams: what enters the layer there.
            see: shown what of the group reads each distinct input of the pruned path, and that input.
            read: the batches that are looked at.

        Returns:
            Linear -> (out, in) float32 sum of d x^T over all tokens: x its input on the pruned path, d what moves it.
        """
        wanted = {each.name for each in group}
        self.read += group
        linears = {each.name: each for each in self.read}
        found = {}
        for batch in read:
            stream, beside = streams[batch], self.streams[batch]
            here, there = self._inputs(runs[batch], stream), self._inputs(self.runs[batch], beside, self.weights)
            drift = (beside - stream).float().flatten(0, -2)
            for (names, given), (_, dense) in zip(here, there, strict=True):
                if reading := tuple(name for name in names if name in wanted):
                    see(reading, given)
                x, clean = (each.float().flatten(0, -2) for each in (given, dense))
                drift = drift.to(x.device)  # a layer may lie on another device than the streams
                for name in names:
                    factor = self.factors.get(name)
                    if not factor and name not in wanted:
                        continue
                    before = linears[name].stored(self.weights[f"{name}.weight"]).float().T
                    after = linears[name].weight.float().T  # the same yet, where it is wanted
                    lacks = (clean - x) @ before if name in wanted else clean @ before - x @ after
                    if factor:
                        drift = drift + factor * lacks
                        lacks = drift / factor
                    if name in wanted:
                        found[name] = found.get(name, 0) + BACK * lacks.T @ x
                        drift = (1 - BACK) * drift if factor else drift
        return found

    def _inputs(self, call: Call, stream: Tensor, weights: Tensors | None = None) -> list[tuple[Names, Tensor]]:
        """What reads each distinct input of a run, which goes on as far as it must, and that input."""
        found = []
        with watched(call.layer, self.read, lambda *seen: found.append(seen), whole=False), suppress(Enough):
            call(stream, weights)
        return found


def added(call: Call, stack: Sequence[Linear]) -> dict[str, float]:
    """What a layer adds to its stream: linear -> the factor that its output is added with. Found by trying.

    All outputs are held but one, which is moved: where the layer's own output then moves by a multiple of it and by
    nothing else, the layer adds it. A layer that norms an output before adding it does something else.

    Args:
        call: a run on a few tokens.
        stack: the linears of the layer.
    """
    kept = {}
    with _replaced(stack, lambda name, output: kept.setdefault(name, output).clone()):  # a layer may add in place
        clean = call(call.entry)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device) * clean.float().norm(dim=-1, keepdim=True)
    noise = (noise / clean.shape[-1] ** 0.5).to(clean.dtype)  # an attention sink is too long for float16
    found = {}
    for name in [each.name for each in stack if each.name in kept and kept[each.name].numel() == clean.numel()]:
        held = kept | {name: kept[name] + noise.view_as(kept[name]).to(kept[name].device)}
        with _replaced(stack, lambda other, _, held=held: held[other].clone()):
            moved = (call(call.entry) - clean).double()
        factor = float((moved * noise).sum() / (noise.double() * noise).sum())
        if factor and (moved - factor * noise).norm() <= STRAIGHT * moved.norm():
            found[name] = factor
    return found


def _replaced(stack: Sequence[Linear], change: Callable[[str, Tensor], Tensor]) -> AbstractContextManager:
    """While inside, a linear gives what `change` makes of its name and output."""
    return together(
        each.module.register_forward_hook(lambda _, args, output, name=each.name: change(name, output))
        for each in stack
    )
