"""Parts of a decoder layer, found by structure, and edits of what they add to the residual stream."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from core.base import UserError
from core.methods import ATTENTION, MLP, head_of
from core.models.anatomy import Linear, linears

Edit = Callable[[Tensor], Tensor]  # (rows, tokens, width) -> the same shape
OUTPUTS = ("o_proj", "out_proj", "c_proj", "dense", "output", "wo")  # names of an attention's last projection


class Place(NamedTuple):
    """The place of a part in a layer."""

    holders: tuple[nn.Module, ...]  # that hold its weights
    output: nn.Module  # its output is added to the stream; for a head, its input is what the head gives
    columns: slice = slice(None)  # of that input, for a head

    def linears_of(self, stack: Sequence[Linear]) -> list[Linear]:
        """The linears of a layer that lie in the part."""
        inside = {module for holder in self.holders for module in holder.modules()}
        return [linear for linear in stack if linear.module in inside]


def find_part(layer: nn.Module, part: str) -> Place:
    """The place of `attention`, `mlp` or `head:3` in a layer of any architecture.

    Raises:
        UserError: the layer has no such part, or none that can be told from others.
    """
    attention, last = _attention(layer)
    if part == MLP:
        return _mlp(layer, attention)
    if part == ATTENTION:
        return Place((attention,), _norm_after(layer, part) or last.module)
    (count, size), head = heads(layer), head_of(part)
    if head >= count:
        raise UserError(f"there is no head {head}: the attention has heads 0 to {count - 1}")
    return Place((attention,), last.module, slice(head * size, (head + 1) * size))


def heads(layer: nn.Module) -> tuple[int, int]:
    """Number of query heads of a layer, and the width of each where the last projection reads it.

    Raises:
        UserError: the layer has no attention, or none with heads that can be told apart.
    """
    attention, last = _attention(layer)
    owner = attention.get_submodule(last.name.rpartition(".")[0])
    names = ("v_head_dim", "head_dim", "head_size")
    size = next((getattr(owner, name) for name in names if hasattr(owner, name)), 0)
    width = last.weight.shape[1]
    if not size or width % size:
        raise _without(layer, "heads of one known width")
    return width // size, size


def _attention(layer: nn.Module) -> tuple[nn.Module, Linear]:
    """The one attention of a layer, and the projection that ends it."""
    modules = (child for child in layer.children() if "Attention" in type(child).__name__)
    candidates = [(each, last) for each in modules for last in linears(each) if last.name.rpartition(".")[2] in OUTPUTS]
    if len(candidates) != 1:
        raise _without(layer, "one attention that one projection ends")
    return candidates[0]


def _mlp(layer: nn.Module, attention: nn.Module) -> Place:
    """The one block with matrices beside the attention; bare linears (OPT's) are one together."""
    others = (child for child in layer.children() if child is not attention)
    beside = [child for child in others if any(value.ndim > 1 for value in child.parameters())]
    blocks = [child for child in beside if not isinstance(child, nn.Linear | Conv1D)]
    if len(blocks) > 1 or not beside:
        raise _without(layer, "one MLP")
    holders = blocks or beside
    last = holders[-1]
    if "residual" in inspect.signature(last.forward).parameters:  # Bloom's and MPT's add the stream to it themselves
        last = linears(last)[-1].module
    return Place(tuple(holders), _norm_after(layer, MLP) or last)


def _norm_after(layer: nn.Module, part: str) -> nn.Module | None:
    """The norm between a part and the stream (Gemma 2, OLMo 2, GLM 4); elsewhere, `post_` is the norm after the sum."""
    norms = {name: each for name, each in layer.named_children() if name.startswith("post") and name.endswith("norm")}
    words = {ATTENTION: ("self_attn", "attention"), MLP: ("feedforward", "mlp", "ffn")}
    norms_of = {part: [norms[name] for word in each for name in norms if word in name] for part, each in words.items()}
    return norms_of[part][0] if all(norms_of.values()) else None


def _without(layer: nn.Module, what: str) -> UserError:
    return UserError(f"{type(layer).__name__} does not have {what}: its parts cannot be changed, the whole layer can")


@contextmanager
def edited(layer: nn.Module, part: str, edit: Edit) -> Iterator[None]:
    """While inside, what a part of a layer gives is replaced by `edit` of it, in every run of the layer.

    For `attention` and `mlp` that is what is added to the residual stream, after a norm where one stands between (up
    to a factor that is the same for all tokens, as Granite has); for `head:3` what the head hands to the projection
    that ends the attention. With a cache of keys and values a run holds the new tokens alone.

    Args:
        edit: (rows, tokens, width of the stream or of a head) -> the same shape; it may change its argument.

    Raises:
        UserError: the layer has no such part.
    """
    place = find_part(layer, part)
    shape = []

    def entered(_, args, kwargs):
        shape[:] = next(each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)).shape[:2]

    def changed(value):
        rows = value.reshape(*shape, -1).clone()  # OPT's has one row for all tokens
        rows[..., place.columns] = edit(rows[..., place.columns])
        return rows.reshape(value.shape)

    def gives(_, __, output):
        return changed(output) if isinstance(output, Tensor) else (changed(output[0]), *output[1:])

    def reads(_, args):
        return changed(args[0]), *args[1:]

    at = place.output
    hook = at.register_forward_hook(gives) if head_of(part) is None else at.register_forward_pre_hook(reads)
    with hook, layer.register_forward_pre_hook(entered, with_kwargs=True):
        yield
