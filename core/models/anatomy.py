"""Decoder layers and linears, found by structure: no table of architectures."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from core.base import UserError
from core.models.placement import checkpoint_tensors, slot, weights_on_device
from core.models.progress import Step
from core.models.replay import Layers, Tensors, entered
from core.store import Array


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The stack of decoder layers: the one ModuleList with `num_hidden_layers` members.

    Raises:
        UserError: none or several such lists; the message names them.
    """
    depth = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    stacks = [module for module in lists.values() if len(module) == depth]
    if len(stacks) == 1:
        return stacks[0]
    lists_named = (
        ", ".join(f"{name} with {len(module)}" for name, module in lists.items()) or "no list of modules at all"
    )
    raise UserError(
        f"{type(model).__name__} is not supported: it has {len(stacks)} stacks of {depth} decoder layers where exactly "
        f"one is needed (found {lists_named})"
    )


def checkpoint_pieces(model: PreTrainedModel) -> Iterator[Tensors]:
    """Everything that a checkpoint of the model holds, by name; tied weights once, under their first name.

    First the tensors outside the layers, then a layer at a time. A piece is valid until the next one.
    """
    layers = {id(layer) for layer in decoder_layers(model)}
    inside = {name: module for name, module in model.named_modules() if id(module) in layers}
    names = {where: [] for where in ("", *inside)}
    for name in checkpoint_tensors(model):
        names[next((each for each in inside if name.startswith(f"{each}.")), "")].append(name)
    for where, own in names.items():
        with weights_on_device(inside.get(where, model)):
            yield {name: held[leaf] for name in own for held, leaf in [slot(model, name)]}


class Linear(NamedTuple):
    """A projection inside a layer; `transposed` for GPT-2's Conv1D, which stores (in, out)."""

    name: str  # relative to the layer
    module: nn.Module
    transposed: bool

    @property
    def weight(self) -> Tensor:
        """The weight as (out, in): a view, never a copy."""
        return self.module.weight.T if self.transposed else self.module.weight

    def stored(self, weight: Tensor) -> Tensor:
        """An (out, in) weight in the layout the module stores."""
        return weight.T if self.transposed else weight


def linears(layer: nn.Module) -> list[Linear]:
    """Every projection of a layer, in the order of its modules."""
    return [
        Linear(name, module, isinstance(module, Conv1D))
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]


@torch.inference_mode()
def joined_linears(model: PreTrainedModel) -> list[list[list[str]]]:
    """Names of each layer's linears by the matrix that engines such as vLLM run them in: q, k, v; gate, up.

    Those are joined that read one tensor inside one module, as a forward of two tokens shows.
    """
    read = {}
    stacks = [linears(layer) for layer in decoder_layers(model)]

    def keep(module, args):
        read[id(module)] = args[0]  # held, so that no other tensor gets its id

    with entered(each.module.register_forward_pre_hook(keep) for stack in stacks for each in stack):
        model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=model.device), use_cache=False)
    joined = []
    for stack in stacks:
        groups = {}
        for each in stack:
            inside = each.name.rpartition(".")[0]
            groups.setdefault((inside, id(read.get(id(each.module), each))), []).append(each.name)
        joined.append([*groups.values()])
    return joined


def prunable_linears(layer: nn.Module) -> list[Linear]:
    """The linears of a layer whose matrix weights are all linears.

    Raises:
        UserError: the layer holds matrices elsewhere, as mixture-of-experts layers do: a sparsity would not mean
            what it says.
    """
    stack = linears(layer)
    inside = {id(parameter) for linear in stack for parameter in linear.module.parameters()}
    others = [name for name, value in layer.named_parameters() if value.ndim > 1 and id(value) not in inside]
    if others or not stack:
        what = "no linears"
        if others:
            what = f"matrix weights outside its linears ({', '.join(others)}), whose inputs cannot be watched"
        raise UserError(f"{type(layer).__name__} has {what}: drift can be measured, but it cannot be pruned here")
    return stack


def per_linear(
    layers: Layers,
    numbers: Callable[[int, Linear], float | tuple[float, ...]],
    select: Callable[[nn.Module], list[Linear]] = prunable_linears,
    step: Step = lambda _: None,
) -> Array:
    """Numbers of every linear, ([numbers,] layers, linears) float64; NaN where a layer has fewer linears than another.

    Args:
        numbers: computed from a layer's index and a linear of it, while its weight is in memory.
        select: the linears of a layer that count.
        step: called with how many layers are finished.

    Raises:
        UserError: as `select` does; `prunable` refuses layers with matrices outside their linears.
    """
    rows = []
    for index, layer in enumerate(layers):
        with weights_on_device(layer):
            rows.append([numbers(index, linear) for linear in select(layer)])
        step(index + 1)
    table = np.full((len(rows), max(map(len, rows)), *np.shape(rows[0][0])), np.nan)
    for place, row in zip(table, rows, strict=True):
        place[: len(row)] = row
    return table if table.ndim == 2 else np.moveaxis(table, 2, 0).copy()


def per_weight(
    layers: Layers, number: Callable[[Tensor], float], select: Callable[[nn.Module], list[Linear]] = prunable_linears
) -> Array:
    """One number computed from each weight, (out, in): (layers, linears), as `per_linear`."""
    return per_linear(layers, lambda _, linear: number(linear.weight), select)


def zero_fraction(weight: Tensor) -> float:
    """Fraction of a weight that is zero, counted."""
    return int((weight == 0).sum()) / weight.numel()


def parameter_counts(layers: Layers) -> Array:
    """Prunable weights per linear, (layers, linears); NaN where a layer has fewer linears than another.

    Raises:
        UserError: the layers cannot be pruned.
    """
    return per_weight(layers, Tensor.numel)


def is_prunable(layers: Layers) -> bool:
    """True where all matrix weights of these layers can be pruned, so that a sparsity means what it says."""
    try:
        return all(prunable_linears(layer) for layer in layers)
    except UserError:
        return False


def is_causal(model: PreTrainedModel) -> bool:
    """True where later tokens leave earlier logits alone, found by running the model.

    Raises:
        UserError: the logits are not finite, so that they cannot be compared.
    """
    vocabulary = model.config.get_text_config().vocab_size
    ids = torch.tensor([[1, 2, 3, 4]], device=model.device) % vocabulary
    other = ids.clone()
    other[0, -1] = (ids[0, -1] + 1) % vocabulary
    with torch.inference_mode():
        both = [model(input_ids=each).logits[0, :-1].float() for each in (ids, other)]
    if not both[0].isfinite().all():
        raise UserError(f"{type(model).__name__} gives outputs that are not finite numbers: its files are damaged")
    return torch.allclose(*both, rtol=1e-3, atol=1e-3 * float(both[0].abs().max()))
