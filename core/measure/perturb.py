"""What each perturbation does to the residual stream at the output of its injection layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from core import specs
from core.measure.noise import normal
from core.models import anatomy
from core.models.replay import Call
from core.pruning.linear import pruned
from core.specs.errors import UserError
from core.specs.pruners import PRUNERS, Statistic


@dataclass(frozen=True, eq=False)
class Moments:
    """What pass 1 found and perturbations need; frozen before pass 2."""

    input_norm: tuple[dict[str, Tensor], ...] = ()  # per layer: linear -> (in,) L2 norm of its inputs over all tokens
    second_moment: tuple[dict[str, Tensor], ...] = ()  # per layer: linear -> (in, in) sum of x x^T, for SparseGPT
    root: tuple[Tensor, ...] = ()  # per layer: symmetric root of the residual stream's covariance, (width, width)
    warn: Callable[[str], object] = warnings.warn  # told in a sentence what pruning had to help along

    def of(self, layer: int, statistic: Statistic) -> dict[str, Tensor]:
        """What a pruner looks at in one layer, by linear."""
        found: dict[Statistic, tuple[dict[str, Tensor], ...]] = {
            "norm": self.input_norm,
            "second_moment": self.second_moment,
        }
        return found[statistic][layer] if statistic != "none" else {}


def perturbed(
    measurement: specs.Measurement, index: int, call: Call, sequences: Sequence[int], moments: Moments
) -> Tensor:
    """The perturbed output of layer `index` on its clean input, (sequences, tokens, width).

    Args:
        sequences: which sequences of the text the batch holds; they decide the noise.
    """
    asked = measurement.perturbation
    match asked:
        case specs.Skip():
            return call.entry
        case specs.Residual() | specs.ResidualLinear():
            return call(call.entry, pruned_weights(call, index, asked, moments))
        case specs.ResidualRescaled():
            direction = call(call.entry, pruned_weights(call, index, asked, moments)) - call.exit
        case specs.Gaussian():
            direction = _noise("gaussian", measurement.seed, index, sequences, call.exit)
        case specs.Covariance():
            root = moments.root[index].to(call.exit.device)
            direction = _noise("covariance", measurement.seed, index, sequences, call.exit) @ root
    return call.exit + rescaled(direction, call.exit, asked.size, asked.positions)


def rescaled(direction: Tensor, stream: Tensor, size: float, positions: specs.Positions) -> Tensor:
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


def pruned_weights(
    call: Call,
    index: int,
    asked: specs.Residual | specs.ResidualLinear | specs.ResidualRescaled,
    moments: Moments,
) -> dict[str, Tensor]:
    """The weights of layer `index` after pruning its linears, all or the one asked for, by parameter name.

    Raises:
        UserError: the layer cannot be pruned (mixture of experts), or has no linear of that name.
    """
    pruner = PRUNERS[asked.pruner]
    statistics = moments.of(index, pruner.statistic)
    return {
        f"{linear.name}.weight": pruned(linear, index, pruner, statistics, asked.sparsity, warn=moments.warn)
        for linear in _chosen(anatomy.prunable(call.layer), asked)
    }


def _chosen(stack: list[anatomy.Linear], asked: specs.Perturbation) -> list[anatomy.Linear]:
    if not isinstance(asked, specs.ResidualLinear):
        return stack
    chosen = [linear for linear in stack if linear.name == asked.linear]
    if not chosen:
        raise UserError(
            f"there is no linear {asked.linear!r}: the layers hold {', '.join(each.name for each in stack)}"
        )
    return chosen


def _noise(kind: str, seed: int, index: int, sequences: Sequence[int], stream: Tensor) -> Tensor:
    return normal(kind, seed, index, sequences, *stream.shape[1:]).to(stream.device)
