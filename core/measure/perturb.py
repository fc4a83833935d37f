"""The injection of perturbations: inputs and operations that they may use. Each is a file in `core/methods`."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import field

import torch
from torch import Tensor, nn

from core.base import Positions, UserError, frozen
from core.methods import ATTENTION, MLP, Treatment, Warn
from core.models import Call, Edit, Layers, Tensors, anatomy, edited, find_part, weights_on_device
from core.prune import prune_linear
from core.requests import Measurement

Stream = Tensor  # (sequences, tokens, width)


@frozen
class Moments:
    """Statistics of pass 1 that perturbations need; frozen before pass 2."""

    norm: tuple[Tensors, ...] = ()  # per layer: linear -> (in,) L2 norm of its inputs over all tokens
    second_moment: tuple[Tensors, ...] = ()  # per layer: linear -> (in, in) sum of x x^T
    sink_moment: tuple[Tensors, ...] = ()  # the same, first tokens counting more
    others: Mapping[str, Layers] = field(default_factory=dict)  # layers of other checkpoints, by source
    root: tuple[Tensor, ...] = ()  # per layer: symmetric root of the residual stream's covariance, (width, width)
    warn: Warn = warnings.warn  # called with a sentence where pruning needed help, as extra damping


@frozen
class Injection:
    """A layer in the clean run of some sequences, with the operations that a perturbation may use there."""

    seed: int  # of the noise
    layer: int
    call: Call
    sequences: Sequence[int]  # which of the text's the batch holds; they decide the noise
    moments: Moments

    @property
    def entry(self) -> Stream:
        """The clean stream before the layer."""
        return self.call.entry

    @property
    def exit(self) -> Stream:
        """The clean stream after it."""
        return self.call.exit

    def noise(self, kind: str, like: Stream | None = None) -> Stream:
        """Standard normal noise as wide as the stream, or as another tensor; each kind draws its own."""
        shape = (self.exit if like is None else like).shape[1:]
        return normal(kind, self.seed, self.layer, self.sequences, *shape).to(self.exit.device)

    def shaped(self, noise: Stream) -> Stream:
        """Noise with the covariance of the layer's output."""
        return noise @ self.moments.root[self.layer].to(self.exit.device)

    def moved(self, direction: Stream, size: float, positions: Positions, start: Stream | None = None) -> Stream:
        """The clean stream, or where it starts, and `size` of its own norm in a direction, per token."""
        start = self.exit if start is None else start
        return start + rescaled(direction, start, size, positions)

    def edited(self, part: str, edit: Edit) -> Stream:
        """The layer's output on the clean input, with what a part of it gives replaced by `edit` of that.

        Raises:
            UserError: the layer has no such part.
        """
        with edited(self.call.layer, part, edit):
            return self.call(self.entry)

    def pruned(self, treatment: Treatment, sparsity: float, linear: str | None = None) -> Stream:
        """The layer's output with its linears pruned (and repaired), all or those named, on the clean input.

        Args:
            linear: the name of one, or `attention` or `mlp` for those of that part.

        Raises:
            UserError: the layer cannot be pruned (mixture of experts), or has no linear or part of that name.
        """
        return self.call(self.entry, self._weights(treatment, sparsity, linear))

    def replaced(self, source: str, inside: str = "") -> Stream:
        """The output of the layer on the clean input with the tensors of another checkpoint whose names begin so."""
        other = self.moments.others[source][self.layer]
        with weights_on_device(other):
            where = next(self.call.layer.parameters()).device
            taken = {name: each.to(where) for name, each in other.state_dict().items() if name.startswith(inside)}
            return self.call(self.entry, taken)

    def _weights(self, treatment: Treatment, sparsity: float, linear: str | None) -> Tensors:
        """Pruned weights, by parameter name."""
        statistics = {each: getattr(self.moments, each)[self.layer] for each in treatment.statistics}
        return {
            f"{each.name}.weight": prune_linear(
                each, self.layer, treatment, statistics, sparsity, warn=self.moments.warn
            )
            for each in selected_linears(self.call.layer, linear)
        }


def selected_linears(layer: nn.Module, name: str | None) -> list[anatomy.Linear]:
    """All linears of a layer, the one named, or those of its `attention` or its `mlp`.

    Raises:
        UserError: the layer cannot be pruned (mixture of experts), or has no linear or part of that name.
    """
    stack = anatomy.prunable_linears(layer)
    if name in (ATTENTION, MLP):
        return find_part(layer, name).linears_of(stack)
    selected = [linear for linear in stack if name in (None, linear.name)]
    if not selected:
        raise UserError(f"there is no linear {name!r}: the layers hold {', '.join(each.name for each in stack)}")
    return selected


def perturbed(measurement: Measurement, index: int, call: Call, sequences: Sequence[int], moments: Moments) -> Stream:
    """The perturbed output of layer `index` on its clean input."""
    return measurement.perturbation.apply(Injection(measurement.seed, index, call, sequences, moments))


def rescaled(direction: Tensor, stream: Tensor, size: float, positions: Positions) -> Tensor:
    """`size * ||h|| * z / ||z||` per token, in the stream's dtype; nothing where the direction is zero.

    Args:
        direction, stream: (sequences, tokens, width).
    """
    direction = direction.float()
    length = direction.norm(dim=-1, keepdim=True)
    scale = size * stream.float().norm(dim=-1, keepdim=True) / length
    step = direction * scale.where(length > 0, 0.0)
    if positions == "after_first":
        step[:, 0] = 0
    return step.to(stream.dtype)


def normal(kind: str, seed: int, layer: int, sequences: Sequence[int], tokens: int, width: int) -> Tensor:
    """Standard normal noise, (sequences, tokens, width), float32: the same whatever engine, batch, part or machine.

    Each sequence has its own generator on the CPU, seeded by a hash of (kind, seed, layer, sequence). The size is not
    part of it: different sizes push in the same directions, which makes them comparable.
    """
    generators = (seeded_generator(kind, seed, layer, sequence) for sequence in sequences)
    return torch.stack([torch.randn(tokens, width, generator=each) for each in generators])


def seeded_generator(*what: object) -> torch.Generator:
    """A generator on the CPU, seeded by a hash of what is drawn."""
    digest = hashlib.sha256(" ".join(map(str, what)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
