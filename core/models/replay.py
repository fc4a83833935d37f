"""Record the calls of decoder layers, then repeat them with other hidden states."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from accelerate.utils import convert_to_fp32
from torch import Tensor, nn
from torch.func import functional_call
from transformers import Cache, PreTrainedModel

from core.base import Fields
from core.models.patching import patched

Tensors = dict[str, Tensor]  # by their names in a layer, or a model
Layers = Sequence[nn.Module]
# largest relative difference between a layer run by itself and the same layer in its model's forward
REPLAY_TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 3e-3}


def stream_of(output: Tensor | tuple) -> Tensor:
    """The residual stream in a layer's output, which is a tensor or a tuple that begins with it."""
    return output if isinstance(output, Tensor) else output[0]


@dataclass(frozen=True)
class Call:
    """One layer's call in a real forward: its clean input and output, and all other arguments."""

    layer: nn.Module
    entry: Tensor  # (batch, tokens, width)
    exit: Tensor  # (batch, tokens, width)
    args: tuple
    kwargs: Fields
    entry_name: str | None  # set where the stream is passed by keyword
    rest: tuple | None  # what a tuple output holds besides the stream

    def __call__(self, stream: Tensor, weights: Tensors | None = None) -> Tensor:
        """Run the layer on another stream of the recorded batch size, with other weights if given; restores them."""
        args, kwargs = self.args, self.kwargs
        if self.entry_name:
            kwargs = {**kwargs, self.entry_name: stream}
        else:
            args = (stream, *args)
        if weights:
            return stream_of(functional_call(self.layer, weights, args, kwargs))
        return stream_of(self.layer(*args, **kwargs))

    def in_float32(self) -> "Call":
        """The same call with its recorded floating-point arguments widened."""
        return replace(self, args=convert_to_fp32(self.args), kwargs=convert_to_fp32(self.kwargs))

    def output(self, stream: Tensor) -> Tensor | tuple:
        """A stream in the form this layer returns it."""
        return stream if self.rest is None else (stream, *self.rest)


def call_from_hook(layer: nn.Module, args: tuple, kwargs: Fields, output: Tensor | tuple) -> Call:
    """The call of a layer, from the arguments of a forward hook."""
    name = None if args else _stream_name(kwargs)
    rest = None if isinstance(output, Tensor) else tuple(output[1:])
    return Call(layer, kwargs[name] if name else args[0], stream_of(output), args[1:], kwargs, name, rest)


def skip_layer(layer: nn.Module) -> None:
    """Let a layer return its input, in the form of its output, until `restore_layer`."""

    def passed_on(*run):
        call = call_from_hook(*run)
        return call.output(call.entry)

    layer.left_out = layer.register_forward_hook(passed_on, with_kwargs=True)


def restore_layer(layer: nn.Module) -> None:
    """Undo `skip_layer`, where it was done."""
    if hook := vars(layer).pop("left_out", None):
        hook.remove()


@contextmanager
def entered(contexts: Iterable[AbstractContextManager]) -> Iterator[None]:
    """Enter several contexts, such as the hooks of many modules, in their order."""
    with ExitStack() as stack:
        for each in contexts:
            stack.enter_context(each)
        yield


def record(model: PreTrainedModel, layers: Layers, ids: Tensor, stream: Tensor | None = None) -> list[Call]:
    """The call of every layer in one real forward.

    Args:
        ids: (batch, tokens) token ids, without padding.
        stream: (batch, tokens, width) that enters the first layer in place of what the model makes of the ids.
    """

    def replaced(_, args, kwargs):
        return ((stream, *args[1:]), kwargs) if args else (args, {**kwargs, _stream_name(kwargs): stream})

    hooks = [] if stream is None else [layers[0].register_forward_pre_hook(replaced, with_kwargs=True)]
    with entered(hooks), recorded(layers) as calls:
        model(input_ids=ids, use_cache=False)
    return calls


@contextmanager
def recorded(layers: Layers) -> Iterator[list[Call]]:
    """The list that the calls of layers are added to in the block."""
    calls = []
    hooks = [
        layer.register_forward_hook(lambda *run: calls.append(call_from_hook(*run)), with_kwargs=True)
        for layer in layers
    ]
    with entered(hooks):
        yield calls


def passed_over(calls: Sequence[Call], stream: Tensor | None = None) -> Iterator[AbstractContextManager]:
    """Contexts in which each call's layer returns a stream in place of running, by default that of its recorded run."""
    for call in calls:
        output = call.output(call.exit if stream is None else stream)
        yield patched(call.layer, forward=lambda *_, output=output, **__: output)


def replay_error(call: Call, on: Call | None = None) -> float:
    """Relative difference between a layer run again on its recorded input and what it gave then, at the worst token.

    Args:
        on: another recording of the layer, whose input and output are taken; all other arguments are the call's.
    """
    on = on or call
    clean = on.exit.float()
    return float(((call(on.entry).float() - clean).norm(dim=-1) / clean.norm(dim=-1)).max())


def entry_stream(model: PreTrainedModel, first: nn.Module, ids: Tensor) -> Tensor:
    """The residual stream that enters the first layer, (batch, tokens, width): no layer is run.

    Args:
        ids: (batch, tokens) token ids, without padding.
    """

    def stop(_, args, kwargs):
        raise _Entered(next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)))

    try:
        with first.register_forward_pre_hook(stop, with_kwargs=True):
            model(input_ids=ids, use_cache=False)
    except _Entered as reached:
        return reached.args[0]
    raise RuntimeError(f"{type(model).__name__} never called its first layer")


class _Entered(Exception):
    """Ends a forward at the first layer, with the stream that enters it."""


def tail(model: PreTrainedModel, calls: Sequence[Call], stream: Tensor) -> Tensor:
    """Logits of a last-layer stream: the model's own embedding-to-head path with every layer passed over.

    Args:
        stream: (batch, tokens, width) at the output of the last layer.

    Returns:
        (batch, tokens, vocabulary) logits.
    """
    any_ids = torch.zeros(stream.shape[:2], dtype=torch.long, device=model.device)  # what they become is passed over
    with entered(passed_over(calls, stream)):
        return model(input_ids=any_ids, use_cache=False).logits


def continuation_options(model: PreTrainedModel, read: Cache) -> Fields:
    """Arguments of a forward that continues from a cache of earlier tokens, and adds to it."""
    names = {"cache", "past_key_values"}.intersection(inspect.signature(model.forward).parameters)
    return dict.fromkeys(names, read) | {"use_cache": True}


def _stream_name(kwargs: Fields) -> str:
    return next(key for key, value in kwargs.items() if isinstance(value, Tensor))


CACHED = 2**18  # logits whose arrays stay in the caches of a processor's core


def by_tokens(read: Callable[..., Iterable[Tensor]], *each: Tensor) -> tuple[Tensor, ...]:
    """Apply a function that treats each token by itself to a few tokens at a time, with the same numbers.

    Args:
        read: (tokens, ...) of each -> (tokens, ...) of any number of results.
        each: (sequences, tokens, ...); the first are logits, (sequences, tokens, vocabulary).

    Returns:
        (sequences, tokens, ...) each.
    """
    logits, shape = each[0], each[0].shape[:2]
    # at least two, for a lone row is summed in another order; all of them where memory is fast
    few = max(2, CACHED // logits.shape[-1]) if logits.device.type == "cpu" else shape.numel()
    parts = max(1, shape.numel() // few)
    split = zip(*(one.flatten(0, 1).tensor_split(parts) for one in each), strict=True)
    return tuple(torch.cat(found).unflatten(0, shape) for found in zip(*(read(*part) for part in split), strict=True))
