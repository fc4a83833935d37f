"""Gradients of random scores of a model's next words, brought back from its head layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from core.base import Fields, UserError, gist
from core.measure.first_order import score_slopes
from core.measure.perturb import seeded_generator
from core.models import Call, Loaded, Tensors, entered, tail

Seen = dict[str, tuple[tuple, Fields, Tensor]]  # name of a module -> arguments of its call, and its output
ADVICE = "leave the sketch out, and measure linears alone with --preset linears"
# Of torch's messages, which has no class for them: other errors are bugs, and keep their traceback
NO_GRADIENT = ("does not require grad", "derivative for", "not implemented")


@contextmanager
def differentiated() -> Iterator[None]:
    """Say in one sentence that a model's operations have no gradient.

    Raises:
        UserError: they have none.
    """
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:  # torch has no class for it: all else keeps its traceback
        if not any(sign in str(error) for sign in NO_GRADIENT):
            raise
        raise UserError(f"this model cannot be differentiated ({gist(error)}): {ADVICE}") from error


def watched(modules: Mapping[str, nn.Module], seen: Seen) -> AbstractContextManager:
    """Keep arguments and output of each module while inside."""

    def hook(name):
        def keep(_, args, kwargs, output):
            if isinstance(output, Tensor):
                seen[name] = args, kwargs, output

        return keep

    return entered(module.register_forward_hook(hook(name), with_kwargs=True) for name, module in modules.items())


def seeds_of(sequence: int, draws: int) -> list[int]:
    """The seed of each draw of a window."""
    return [seeded_generator("sketch", sequence, draw).initial_seed() for draw in range(draws)]


class AtHead:
    """The way from the last layer to the logits of one window, where gradients begin.

    Raises:
        UserError: the head is no linear, or not differentiable.
    """

    def __init__(self, loaded: Loaded, calls: Sequence[Call], stream: Tensor, modules: Mapping[str, nn.Module]):
        """Run it on the last layer's output, (1, tokens, width), and watch some modules on the way beside the head."""
        self.head = loaded.model.get_output_embeddings()
        if not isinstance(self.head, nn.Linear):
            raise UserError(f"the head of {loaded.source.label} is no linear, so no word's gradient is known: {ADVICE}")
        self.seen: Seen = {}
        with differentiated(), torch.enable_grad(), watched({**modules, "": self.head}, self.seen):
            self.stream = stream.detach().clone().requires_grad_()
            logits, self.rise = tail(loaded.model, calls, self.stream), None
            (self.read, *_), _, raw = self.seen.pop("")
            if logits is not raw:  # they are capped: how fast each rises with what the head gives
                [slope] = torch.autograd.grad(logits.sum(), raw, retain_graph=True)
                self.rise = slope[0].float()
        self.logits = logits[0].detach()

    def scores(self, weight: Tensor, seeds: Sequence[int]) -> Iterator[Tensor]:
        """Gradients of random scores at the input of a head, see `score_slopes`, of each draw (tokens, width).

        Harm is read after the first token, as of all that is measured: its score counts as none.
        """
        for slopes in score_slopes(weight, self.logits, self.rise, seeds):
            slopes[0] = 0
            yield slopes

    def gradients(self, slopes: Tensor, names: Sequence[str] = ()) -> tuple[Tensor, ...]:
        """Gradients at the last layer's output, (1, tokens, width), and at the outputs of watched modules.

        Args:
            slopes: (tokens, width) at the head's input; None where a module has no part in it.
        """
        places = [self.stream, *(self.seen[name][2] for name in names)]
        with differentiated():
            pushed = slopes[None].to(self.read.dtype)
            return torch.autograd.grad(self.read, places, pushed, retain_graph=True, allow_unused=True)


def through(call: Call, modules: Mapping[str, nn.Module], above: list[Tensor]) -> tuple[Seen, Iterator[Tensors]]:
    """Bring the gradients of all draws from a layer's output to its input, in place, one by one.

    Args:
        modules: those inside the layer at whose outputs gradients are wanted.
        above: of each draw the gradient at the layer's output, (windows, tokens, width); at its input afterwards.

    Returns:
        What the modules read and gave, and, draw by draw, the gradients at what they gave; 0 where there is no way on.
    """
    seen: Seen = {}
    with differentiated(), torch.enable_grad(), watched(modules, seen):
        stream = call.entry.detach().clone().requires_grad_()
        out = call(stream)
    seen = {name: each for name, each in seen.items() if each[2].requires_grad}
    return seen, _draws(out, stream, {name: output for name, (*_, output) in seen.items()}, above)


def _draws(out: Tensor, stream: Tensor, outputs: Tensors, above: list[Tensor]) -> Iterator[Tensors]:
    for draw, gradient in enumerate(above):
        with differentiated():
            above[draw], *slopes = torch.autograd.grad(
                out, [stream, *outputs.values()], gradient, retain_graph=draw + 1 < len(above), allow_unused=True
            )
        yield {
            name: torch.zeros_like(output) if slope is None else slope
            for (name, output), slope in zip(outputs.items(), slopes, strict=True)
        }
