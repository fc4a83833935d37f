"""The gradient sketch of a model: one backward pass for each window and draw measures damages of every linear.

Layers are gone through from the last to the first, each run anew on its recorded input, so that a layer's graph, its
weights where they are streamed, and the damages of one linear are all that is there at once.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from core.base import UserError
from core.measure.backward import ADVICE, AtHead, seeds_of, through
from core.measure.first_order import along, signed_changes
from core.methods import DAMAGES, QUANT_FORMATS, rounded
from core.models import Call, Linear, Loaded, Step, Tensors, anatomy, entry_stream, machine, weights_on_device
from core.prune import prune_linear
from core.requests import OUTSIDE_WINDOWS, Sketching
from core.store import OutsideSketch, Sketch

Slopes = dict[str, list[Tensor]]  # linear -> of each group of windows, see `signed_changes`
Room = dict[tuple[str, torch.device], Tensor]  # by its use, taken once for all layers: it costs as much as its filling


@torch.no_grad()  # no inference mode: its tensors cannot be differentiated by
def sketched(
    loaded: Loaded,
    tokens: Tensor,
    sequences: Sequence[int],
    norms: Sequence[Tensors],
    plan: Sketching,
    step: Step,
) -> Sketch:
    """Sketch some windows of a text.

    A layer runs on `sketched_together` windows at once, always on the same ones of the text, whichever are wanted, so
    that the numbers of a window are the same in any company.

    Args:
        tokens: (all sequences, length).
        norms: per layer of each linear the L2 norm of its inputs, (in,).
        step: called with how many layers are finished.

    Raises:
        UserError: a layer cannot be pruned or differentiated, or the gradients are not finite.
    """
    groups = together(len(tokens), tokens.shape[1], sequences)
    runs = [loaded.record(tokens[group]) for group in groups]
    above = [_at_the_end(loaded, calls, group, plan.draws) for calls, group in zip(runs, groups, strict=True)]
    rows, room = [], {}
    for done, layer in enumerate(reversed(loaded.layers)):
        index = len(loaded.layers) - 1 - done
        stack = anatomy.prunable_linears(layer)
        with weights_on_device(layer):
            inputs, slopes = _through([calls[index] for calls in runs], stack, above, room)
            rows.append([_row(index, each, inputs[each.name], slopes[each.name], norms, plan, room) for each in stack])
        step(done + 1)
    windows = [each for group in groups for each in group]
    change = np.full((len(rows), max(map(len, rows)), len(plan.damages), plan.draws, len(windows)), np.nan)
    for place, row in zip(change, reversed(rows), strict=True):
        place[: len(row)] = torch.stack(row).double().numpy()
    return Sketch(change[..., [windows.index(each) for each in sequences]])


def together(count: int, length: int, sequences: Iterable[int]) -> list[list[int]]:
    """Groups of the windows of a text, so many that run together, in which the wanted ones are."""
    size, every = machine.sketched_together(length), [*range(count)]
    return [every[at : at + size] for at in sorted({each - each % size for each in sequences})]


def gradients_at_entry(
    loaded: Loaded, runs: Sequence[Sequence[Call]], groups: Sequence[Sequence[int]], draws: int
) -> list[list[Tensor]]:
    """Gradients of random scores at the first layer's input, of each group and draw (windows, tokens, width)."""
    above = [_at_the_end(loaded, calls, group, draws) for calls, group in zip(runs, groups, strict=True)]
    for index in reversed(range(len(loaded.layers))):
        with weights_on_device(loaded.layers[index]):
            _through([calls[index] for calls in runs], [], above, {})
    return above


def _at_the_end(loaded: Loaded, calls: Sequence[Call], group: Sequence[int], draws: int) -> list[Tensor]:
    """Gradients at the last layer's output, of each draw (windows, tokens, width), of random scores of next words."""
    streams = zip(calls[-1].exit.split(1), group, strict=True)
    return [
        torch.cat(each) for each in zip(*(_of_scores(loaded, calls, *each, draws) for each in streams), strict=True)
    ]


def _of_scores(loaded: Loaded, calls: Sequence[Call], stream: Tensor, sequence: int, draws: int) -> list[Tensor]:
    """The same of one window, of each draw (1, tokens, width)."""
    end = AtHead(loaded, calls, stream, {})
    return [end.gradients(scores)[0] for scores in end.scores(end.head.weight, seeds_of(sequence, draws))]


def _through(
    calls: Sequence[Call], stack: list[Linear], above: list[list[Tensor]], room: Room
) -> tuple[Slopes, Slopes]:
    """Bring the gradients of all windows from a layer's output to its input, in place.

    Args:
        calls: of each group of windows that run together.
        above: of each group and draw, the gradient at the layer's output; at its input afterwards.
        room: where the gradients at the outputs will lie.

    Returns:
        Of each linear, by group, its inputs, (windows, tokens, in), and the gradients at its outputs.
    """
    modules, read, slopes = {each.name: each.module for each in stack}, defaultdict(list), defaultdict(list)
    for group, (call, gradients) in enumerate(zip(calls, above, strict=True)):
        seen, draws = through(call, modules, gradients)
        size = call.entry.shape[:2]  # which some linears flatten to one
        for draw, each in enumerate(draws):
            for name, slope in each.items():
                slope = slope.reshape(*size, -1)
                if not draw:
                    slopes[name].append(_taken(room, f"{group} {name}", slope, len(gradients), *slope.shape))
                slopes[name][-1][draw] = slope
        for name, ((entry, *_), *_) in seen.items():
            read[name].append(entry.detach().reshape(*size, -1))
    return read, slopes


def _taken(room: Room, name: str, like: Tensor, *shape: int) -> Tensor:
    """A tensor of a shape in the memory of a name, with the type and on the device of another one."""
    place, size = (name, like.device), math.prod(shape)
    if place not in room or len(room[place]) < size:
        room[place] = like.new_empty(size)
    return room[place][:size].view(shape)


def _row(
    layer: int,
    linear: Linear,
    inputs: Sequence[Tensor],
    slopes: Sequence[Tensor],
    norms: Sequence[Mapping[str, Tensor]],
    plan: Sketching,
    room: Room,
) -> Tensor:
    """Signed changes of one linear, (damages, draws, windows); NaN by formats that its width does not fit."""
    change = torch.full((len(plan.damages), plan.draws, sum(map(len, inputs))), torch.nan)
    possible = [place for place, name in enumerate(plan.damages) if DAMAGES[name].fits(linear.weight.shape[1])]
    many = max(1, machine.MOST_DAMAGES // linear.weight.numel())
    for some in (possible[first : first + many] for first in range(0, len(possible), many)):
        damages = _taken(room, "damages", linear.weight[:0].float(), len(some), *linear.weight.shape)
        for damage, place in zip(damages, some, strict=True):
            damage[:] = _damage(layer, linear, plan.damages[place], norms)
        change[some] = signed_changes(inputs, slopes, damages)
        if not change[some].isfinite().all():
            raise UserError(f"the gradients of layer {layer} overflow: use float32, or {ADVICE}")
    return change


def _damage(layer: int, linear: Linear, name: str, norms: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """The change of a linear's weight by a damage, (out, in) float32."""
    damage = DAMAGES[name]
    treated = prune_linear(linear, layer, damage.treatment, {"norm": norms[layer]}, damage.share)
    return linear.stored(treated).float() - linear.weight.float()


# --- the matrices outside the layers: embeddings, and an output matrix of its own ------------------------------------


@torch.no_grad()  # no inference mode: its tensors cannot be differentiated by
def sketched_outside(loaded: Loaded, tokens: Tensor, plan: Sketching, step: Step) -> OutsideSketch:
    """Sketch embeddings and output matrix, a tied one once: what it changes at both ends adds before it is squared.

    One type of one matrix is there at a time. Scores are those of the linears' sketch.

    Args:
        tokens: (sequences, length), of which the first few are read.
        step: called with how many types are finished.

    Raises:
        UserError: the model cannot be differentiated, or its head is no linear; or as `rounded`.
    """
    tokens = tokens[:OUTSIDE_WINDOWS].to(loaded.model.device)
    groups = together(*tokens.shape, range(len(tokens)))
    runs = [loaded.record(tokens[group]) for group in groups]
    above = gradients_at_entry(loaded, runs, groups, plan.draws)
    embedding, head = loaded.model.get_input_embeddings().weight, loaded.model.get_output_embeddings().weight
    matrices = [embedding] if embedding is head else [embedding, head]
    change = np.full((len(matrices), len(plan.damages), plan.draws, len(tokens)), np.nan)
    for done, name in enumerate(plan.damages):
        for row, weight in zip(change[:, done], matrices, strict=True):
            if DAMAGES[name].fits(weight.shape[1]):
                values = rounded(weight, QUANT_FORMATS[name]).to(weight.dtype)
                at_entry = _at_entry(loaded, tokens, values, runs, groups, above) if weight is embedding else 0.0
                at_head = _at_head(loaded, values - weight, runs, groups, plan.draws) if weight is head else 0.0
                row[:] = at_entry + at_head
        step(done + 1)
    return OutsideSketch(change)


def _at_entry(loaded, tokens, values, runs, groups, above) -> np.ndarray:
    """Signed changes by other embeddings, (draws, windows).

    Args:
        tokens: (sequences, length).
        values: (vocabulary, width) of the other embeddings.
        runs: calls of the layers, of each group of windows in `groups`.
        above: of each group and draw the gradient at the first layer's input, (windows, tokens, width).
    """
    columns = []
    with _instead(loaded.model.get_input_embeddings().weight, values):
        for group, calls, draws in zip(groups, runs, above, strict=True):
            moved = entry_stream(loaded.model, loaded.layers[0], tokens[group]) - calls[0].entry
            columns.append(torch.stack([along(gradient, moved) for gradient in draws]))
    return torch.cat(columns, 1).numpy()


def _at_head(loaded, change, runs, groups, draws) -> np.ndarray:
    """Signed changes by a change of the output matrix, (vocabulary, width): (draws, windows)."""
    columns = []
    for group, calls in zip(groups, runs, strict=True):
        for sequence, stream in zip(group, calls[-1].exit.split(1), strict=True):
            end = AtHead(loaded, calls, stream, {})
            scores = end.scores(change, seeds_of(sequence, draws))
            columns.append(torch.cat([along(each[None], end.read) for each in scores]))
    return torch.stack(columns, 1).numpy()


@contextmanager
def _instead(weight: Tensor, values: Tensor) -> Iterator[None]:
    """Let a weight have other values while inside."""
    before, weight.data = weight.data, values
    try:
        yield
    finally:
        weight.data = before
