"""Shares that the tensors of another checkpoint have in its divergence, by gradients of the model's own predictions.

A module that holds tensors is run on the model's own inputs with the other's tensors. The change of its output, times
the gradient of a random score of the next words there, is a signed change as `core.measure.first_order` squares it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.base import UserError, unique
from core.measure.backward import AtHead, seeds_of, through
from core.measure.checkpoint_diff import tensors
from core.measure.first_order import along
from core.methods import QUANT_FORMATS, Warn, finer_formats, rounded
from core.models import Call, Loaded, Step, Tensors, anatomy, entry_stream, weights_on_device
from core.requests import FINER, Sketching, tensor_sketching
from core.store import TensorSketch

TOGETHER = 4096  # tokens that go through a layer at once


def sketched_tensors(
    loaded: Loaded, other: Loaded, tokens: Tensor, formats: Mapping[str, str], warn: Warn, step: Step
) -> TensorSketch:
    """Sketch every module of another checkpoint as it is, and its linears in the next finer formats of their kind.

    All is NaN for a model that has no gradient, or whose head is no linear: the rest of a comparison needs neither.

    Args:
        tokens: (sequences, length).
        formats: full name of a linear -> number format in the other checkpoint, where that is known.
        warn: called with a sentence where all is NaN.
        step: called with how many layers are finished, or as much work on some windows.
    """
    many = max(1, TOGETHER // tokens.shape[1])
    # modules that hold tensors, each once, in order
    names, beside = (
        unique(name.rpartition(".")[0] for name in each) for each in (tensors(loaded.layers), loaded.outside)
    )
    plan, size, layers = tensor_sketching(len(tokens)), len(tokens), len(loaded.layers)
    groups = [range(first, size)[:many] for first in range(0, size, many)]

    def step_of(group):
        return lambda done: step((group.start * layers + len(group) * done) // size)

    try:
        parts = [
            _windows(loaded, other, tokens[group.start : group.stop].to(loaded.model.device), group,
                     plan, formats, names, beside, step_of(group))
            for group in groups
        ]  # fmt: skip
    except UserError as error:
        warn(f"the shares of tensors are not known: {error}")
        every = layers, len(names), len(plan.damages), plan.draws, size
        return TensorSketch(np.full(every, np.nan), np.full((len(beside), *every[-2:]), np.nan))
    return TensorSketch(*(torch.cat(each, -1).double().numpy() for each in zip(*parts, strict=True)))


@torch.no_grad()  # no inference mode: its tensors cannot be differentiated by
def _windows(
    loaded: Loaded, other: Loaded, ids: Tensor, sequences: Sequence[int], plan: Sketching, formats: Mapping[str, str],
    names: list[str], beside: list[str], step: Step,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Changes of some windows, (layers, modules, damages, draws, windows) and (modules outside, draws, windows)."""
    calls, full = loaded.record(ids), {id(module): name for name, module in loaded.model.named_modules()}
    seeds = [seeds_of(each, plan.draws) for each in sequences]
    ends = [_end(loaded, other, calls, *each, beside) for each in zip(calls[-1].exit.split(1), seeds, strict=True)]
    above = [torch.cat(each) for each in zip(*(end for end, _ in ends), strict=True)]
    rest = torch.stack([changed for _, changed in ends], -1)
    rows = torch.zeros(len(calls), len(names), len(plan.damages), plan.draws, len(ids))
    for index in reversed(range(len(calls))):
        own, its = loaded.layers[index], other.layers[index]
        with weights_on_device(own), weights_on_device(its):
            finer = _finer(own, {name: formats.get(f"{full[id(own)]}.{name}", "") for name in names})
            for name, changed in _through(calls[index], own, its, names, finer, above).items():
                rows[index, names.index(name), : len(changed)] = changed
        step(len(calls) - index)
    moved = entry_stream(other.model, other.layers[0], ids) - calls[0].entry
    place = beside.index(full[id(loaded.model.get_input_embeddings())])
    rest[place] += torch.stack([along(gradient, moved) for gradient in above])
    return rows, rest


def _end(
    loaded: Loaded, other: Loaded, calls: Sequence[Call], stream: Tensor, seeds: Sequence[int], names: list[str]
) -> tuple[list[Tensor], Tensor]:
    """Gradients at the last layer's output, (1, tokens, width) by draw; changes by what follows, (modules, draws).

    An embedding that is the head too has that change alone so far.
    """
    modules, its = dict(loaded.model.named_modules()), other.model.get_submodule
    end = AtHead(loaded, calls, stream, {n: modules[n] for n in names if not isinstance(modules[n], nn.Embedding)})
    moved = {
        name: its(name)(*args, **how) - output
        for name, (args, how, output) in end.seen.items()
        if modules[name] is not end.head and output.requires_grad
    }
    changed = other.model.get_output_embeddings().weight - end.head.weight
    place = next(n for n, name in enumerate(names) if getattr(modules[name], "weight", None) is end.head.weight)
    gradients, total = [], torch.zeros(len(names), len(seeds))
    both = (end.scores(each, seeds) for each in (end.head.weight, changed))
    for draw, (scores, of_head) in enumerate(zip(*both, strict=True)):
        gradient, *slopes = end.gradients(scores, [*moved])
        gradients.append(gradient)
        for name, slope in zip(moved, slopes, strict=True):
            total[names.index(name), draw] = 0 if slope is None else along(slope, moved[name])[0]
        total[place, draw] += along(of_head[None], end.read)[0]
    return gradients, total


def _through(
    call: Call, own: nn.Module, its: nn.Module, names: Sequence[str], finer: Mapping[str, Sequence[Tensor]],
    above: list[Tensor],
) -> Tensors:  # fmt: skip
    """Bring the gradients from a layer's output to its input, in place; (damages, draws, windows) of each module."""
    there = dict(own.named_modules())
    seen, draws = through(call, {name: there[name] for name in names if name in there}, above)
    moved = {
        name: [its.get_submodule(name)(*args, **how) - output, *(args[0] @ each.T for each in finer.get(name, ()))]
        for name, (args, how, output) in seen.items()
    }
    total = {name: [] for name in seen}
    for slopes in draws:
        for name, slope in slopes.items():
            slope = slope.reshape(len(call.entry), -1)
            total[name].append(torch.stack([along(slope, each) for each in moved[name]]))
    return {name: torch.stack(each, 1) for name, each in total.items()}


def _finer(layer: nn.Module, formats: Mapping[str, str]) -> dict[str, list[Tensor]]:
    """Changes of the linears of a layer by the formats after their own, as the module reads them, (out, in)."""
    stack = {each.name: each for each in anatomy.linears(layer)}
    changes = {}
    for name in stack.keys() & formats.keys():
        weight = stack[name].weight.float()
        changes[name] = [_rounded(weight, form) - weight for form in finer_formats(formats[name])[:FINER]]
    return changes


def _rounded(weight: Tensor, form: str) -> Tensor:
    """The weight in a format; as it is where this machine lacks what rounds to it."""
    try:
        return rounded(weight, QUANT_FORMATS[form])
    except UserError:
        return weight
