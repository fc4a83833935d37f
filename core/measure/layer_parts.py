"""Parts of a decoder layer, found by structure, and edits of what they add to the residual stream."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from core.base.errors import UserError
from core.kinds.part import ATTENTION, MLP, head_of
from core.models.anatomy import Linear, linears
from core.models.replay import hidden

Edit = Callable[[Tensor], Tensor]  # (rows, tokens, width) -> the same shape
OUTPUTS = ("o_proj", "out_proj", "c_proj", "dense", "output", "wo")  # names of an attention's last projection


class Place(NamedTuple):
    """Where a part lies in a layer."""

    holders: tuple[nn.Module, ...]  # that hold its weights
    output: nn.Module  # gives what is added to the stream; for a head, reads what it gives
    columns: slice | None = None  # of that input, for a head


def find(layer: nn.Module, part: str) -> Place:
    """The place of `attention`, `mlp` or `head:3` in a layer of any architecture.

    Raises:
        UserError: the layer has no such part, or none that can be told from others.
    """
    attention = _attention(layer)
    if part == MLP:
        return _mlp(layer, attention)
    last = _last(layer, attention).module
    if part == ATTENTION:
        return Place((attention,), _norm_after(layer, ATTENTION) or last)
    (count, size), head = heads(layer), head_of(part)
    if head >= count:
        raise UserError(f"there is no head {head}: the attention has heads 0 to {count - 1}")
    return Place((attention,), last, slice(head * size, (head + 1) * size))


def heads(layer: nn.Module) -> tuple[int, int]:
    """How many query heads a layer's attention has, and how wide each is where the last projection reads it.

    Raises:
        UserError: the layer has no attention, or none with heads that can be told apart.
    """
    attention = _attention(layer)
    last = _last(layer, attention)
    owner = attention.get_submodule(last.name.rpartition(".")[0])
    names = ("v_head_dim", "head_dim", "head_size")
    size = next((getattr(owner, name) for name in names if hasattr(owner, name)), 0)
    width = last.weight.shape[1]
    if not size or width % size:
        raise _without(layer, "heads of one known width")
    return width // size, size


def _attention(layer: nn.Module) -> nn.Module:
    found = [child for child in layer.children() if "Attention" in type(child).__name__]
    if len(found) != 1:
        raise _without(layer, "one attention")
    return found[0]


def _last(layer: nn.Module, attention: nn.Module) -> Linear:
    """The projection that ends an attention."""
    found = [each for each in linears(attention) if each.name.rpartition(".")[2] in OUTPUTS]
    if len(found) != 1:
        raise _without(layer, "one projection that ends its attention")
    return found[0]


def _mlp(layer: nn.Module, attention: nn.Module) -> Place:
    """The one block with matrices beside the attention; bare linears (OPT's) are one together."""
    beside = [child for child in layer.children() if child is not attention and _matrices(child)]
    blocks = [child for child in beside if not isinstance(child, nn.Linear | Conv1D)]
    if len(blocks) > 1 or not beside:
        raise _without(layer, "one MLP")
    holders = blocks or beside
    known = [each.module for each in linears(holders[-1])]
    inside = {id(value) for each in known for value in each.parameters()}
    experts = not _matrices(holders[-1]) <= inside or any(isinstance(e, nn.ModuleList) for e in holders[-1].modules())
    # the last linear, not the module: Bloom's and MPT's modules add the stream to it themselves
    return Place(tuple(holders), _norm_after(layer, MLP) or (holders[-1] if experts else known[-1]))


def _matrices(module: nn.Module) -> set[int]:
    return {id(value) for value in module.parameters() if value.ndim > 1}


def _norm_after(layer: nn.Module, part: str) -> nn.Module | None:
    """The norm between a part and the stream (Gemma 2, OLMo 2, GLM 4); elsewhere, `post_` is the norm after the sum."""
    norms = {name: each for name, each in layer.named_children() if name.startswith("post") and name.endswith("norm")}
    of_mlp = [name for name in norms if any(word in name for word in ("feedforward", "mlp", "ffn"))]
    of_attention = [name for name in norms if "self_attn" in name] or [name for name in norms if "attention" in name]
    if not (of_mlp and of_attention):
        return None
    return norms[(of_mlp if part == MLP else of_attention)[0]]


def _without(layer: nn.Module, what: str) -> UserError:
    return UserError(f"{type(layer).__name__} does not have {what}: its parts cannot be changed, the whole layer can")


@contextmanager
def edited(layer: nn.Module, part: str, edit: Edit) -> Iterator[None]:
    """While inside, what a part of a layer gives is replaced by `edit` of it, in every run of the layer.

    For `attention` and `mlp` that is what is added to the residual stream, after a norm where one stands between (up
    to a factor that is the same for all tokens, as Granite has); for `head:3` what the head hands to the projection
    that ends the attention. With a cache of keys and values a run holds the new tokens alone.

    Args:
        edit: (rows, tokens, width of the stream or of a head) -> the same shape: its argument, unchanged, or a new
            tensor, which the layer may change in place.

    Raises:
        UserError: the layer has no such part.
    """
    place = find(layer, part)
    shape: list[int] = []

    def entered(_: nn.Module, args: tuple, kwargs: dict) -> None:
        shape[:] = next(each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)).shape[:2]

    def given(_: nn.Module, __: tuple, output: Tensor | tuple) -> Tensor | tuple:
        stream = hidden(output)
        changed = edit(stream.reshape(*shape, -1)).reshape(stream.shape)  # OPT's has one row for all tokens
        return changed if isinstance(output, Tensor) else (changed, *output[1:])

    def read(_: nn.Module, args: tuple) -> tuple:
        heads = args[0].reshape(*shape, -1).clone()
        heads[..., place.columns] = edit(heads[..., place.columns].clone())
        return heads.reshape(args[0].shape), *args[1:]

    hook = place.output.register_forward_pre_hook(read) if place.columns else place.output.register_forward_hook(given)
    with ExitStack() as hooks:
        hooks.callback(hook.remove)
        hooks.callback(layer.register_forward_pre_hook(entered, with_kwargs=True).remove)
        yield
