"""The gradient sketch of a model: one backward pass for each window and draw measures damages of every linear.

Layers are gone through from the last to the first, each run anew on its recorded input, so that a layer's graph, its
weights where they are streamed, and the damages of one linear are all that is there at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from core.base import UserError, gist
from core.measure.first_order import score_slopes, signed_changes
from core.measure.perturb import seeded_generator
from core.methods import DAMAGES
from core.models import Call, Linear, Loaded, Step, Tensors, anatomy, entered, machine, tail, weights_on_device
from core.prune import prune_linear
from core.requests import Sketching
from core.store import Sketch

Slopes = dict[str, list[Tensor]]  # linear -> of each group of windows, see `signed_changes`
ADVICE = "leave the sketch out, and measure linears alone with --preset linears"
# Of torch's messages, which has no class for them: other errors are bugs, and keep their traceback
NO_GRADIENT = ("does not require grad", "derivative for", "not implemented")


@torch.no_grad()  # no inference mode: its tensors cannot be differentiated by
def sketched(
    loaded: Loaded, tokens: Tensor, sequences: Sequence[int], norms: Sequence[Tensors], plan: Sketching, step: Step
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
    size = machine.sketched_together(tokens.shape[1])
    every = [*range(len(tokens))]
    groups = [every[at : at + size] for at in sorted({each - each % size for each in sequences})]
    runs = [loaded.record(tokens[group]) for group in groups]
    above = [_at_the_end(loaded, calls, group, plan.draws) for calls, group in zip(runs, groups, strict=True)]
    rows = []
    for done, layer in enumerate(reversed(loaded.layers)):
        index = len(loaded.layers) - 1 - done
        stack = anatomy.prunable_linears(layer)
        with weights_on_device(layer):
            inputs, slopes = _through([calls[index] for calls in runs], stack, above)
            rows.append([_row(index, each, inputs[each.name], slopes[each.name], norms, plan) for each in stack])
        step(done + 1)
    windows = [each for group in groups for each in group]
    change = np.full((len(rows), max(map(len, rows)), len(plan.damages), plan.draws, len(windows)), np.nan)
    for place, row in zip(change, reversed(rows), strict=True):
        place[: len(row)] = torch.stack(row).double().numpy()
    return Sketch(change[..., [windows.index(each) for each in sequences]])


def _at_the_end(loaded: Loaded, calls: Sequence[Call], group: Sequence[int], draws: int) -> list[Tensor]:
    """Gradients at the last layer's output, of each draw (windows, tokens, width), of random scores of next words."""
    streams = zip(calls[-1].exit.split(1), group, strict=True)
    return [
        torch.cat(each) for each in zip(*(_of_scores(loaded, calls, *each, draws) for each in streams), strict=True)
    ]


def _of_scores(loaded: Loaded, calls: Sequence[Call], stream: Tensor, sequence: int, draws: int) -> list[Tensor]:
    """The same of one window, of each draw (1, tokens, width)."""
    head, raw = loaded.model.get_output_embeddings(), {}
    if not isinstance(head, nn.Linear):
        raise UserError(f"the head of {loaded.source.label} is no linear, so no word's gradient is known: {ADVICE}")

    def keep(_, args, output):
        raw.update(input=args[0], output=output)

    with differentiated(), torch.enable_grad(), head.register_forward_hook(keep):
        stream = stream.detach().clone().requires_grad_()
        logits = tail(loaded.model, calls, stream)
        capped = None
        if logits is not raw["output"]:
            [capped] = torch.autograd.grad(logits.sum(), raw["output"], retain_graph=True)
            capped = capped[0].float()
    seeds = [seeded_generator("sketch", sequence, draw).initial_seed() for draw in range(draws)]
    gradients = []
    for slopes in score_slopes(head.weight, logits[0].detach(), capped, seeds):
        with differentiated():
            slopes[0] = 0  # harm is read after the first token, as of all that is measured
            pushed = slopes[None].to(logits.dtype)
            gradients += torch.autograd.grad(raw["input"], stream, pushed, retain_graph=len(gradients) + 1 < draws)
    return gradients


def _through(calls: Sequence[Call], stack: list[Linear], above: list[list[Tensor]]) -> tuple[Slopes, Slopes]:
    """Bring the gradients of all windows from a layer's output to its input, in place.

    Args:
        calls: of each group of windows that run together.
        above: of each group and draw, the gradient at the layer's output; at its input afterwards.

    Returns:
        Of each linear, by group, its inputs, (windows, tokens, in), and the gradients at its outputs.
    """
    read, slopes = ({each.name: [] for each in stack} for _ in range(2))
    for call, gradients in zip(calls, above, strict=True):
        inputs, outputs = {}, {}
        with differentiated(), torch.enable_grad(), _seen(stack, inputs, outputs):
            stream = call.entry.detach().clone().requires_grad_()
            out = call(stream)
        places, by_linear = [stream, *outputs.values()], {name: [] for name in outputs}
        for draw, gradient in enumerate(gradients):
            with differentiated():
                gradients[draw], *rest = torch.autograd.grad(
                    out, places, gradient, retain_graph=draw + 1 < len(gradients)
                )
            for name, each in zip(outputs, rest, strict=True):
                by_linear[name].append(each.flatten(0, -2))
        for name, each in by_linear.items():
            size = call.entry.shape[:2]
            read[name].append(inputs[name].unflatten(0, size))
            slopes[name].append(torch.stack(each).unflatten(1, size))
    return read, slopes


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


@contextmanager
def _seen(stack: Sequence[Linear], inputs: Tensors, outputs: Tensors) -> Iterator[None]:
    """Keep what linears read, (tokens, in), and give while a layer runs: some flatten their sequences."""

    def hook(name):
        def keep(_, args, output):
            inputs[name], outputs[name] = args[0].detach().flatten(0, -2), output

        return keep

    with entered(each.module.register_forward_hook(hook(each.name)) for each in stack):
        yield


def _row(
    layer: int,
    linear: Linear,
    inputs: Sequence[Tensor],
    slopes: Sequence[Tensor],
    norms: Sequence[Mapping[str, Tensor]],
    plan: Sketching,
) -> Tensor:
    """Signed changes of one linear, (damages, draws, windows); NaN by formats that its width does not fit."""
    change = torch.full((len(plan.damages), plan.draws, sum(map(len, inputs))), torch.nan)
    possible = [place for place, name in enumerate(plan.damages) if DAMAGES[name].fits(linear.weight.shape[1])]
    many = max(1, machine.MOST_DAMAGES // linear.weight.numel())
    for some in (possible[first : first + many] for first in range(0, len(possible), many)):
        damages = torch.stack([_damage(layer, linear, plan.damages[place], norms) for place in some])
        change[some] = signed_changes(inputs, slopes, damages)
        if not change[some].isfinite().all():
            raise UserError(f"the gradients of layer {layer} overflow: use float32, or {ADVICE}")
    return change


def _damage(layer: int, linear: Linear, name: str, norms: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """The change of a linear's weight by a damage, (out, in) float32."""
    damage = DAMAGES[name]
    treated = prune_linear(linear, layer, damage.treatment, {"norm": norms[layer]}, damage.share)
    return linear.stored(treated).float() - linear.weight.float()
