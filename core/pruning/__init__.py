"""Which weights go: pure kernels on (weight, statistic of the inputs, sparsity), one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from core.pruning.magnitude import magnitude
from core.pruning.sparsegpt import sparsegpt
from core.pruning.wanda import wanda

Statistic = Literal["none", "norm", "second_moment"]  # of a linear's inputs: nothing, (in,) or (in, in)
Kernel = Callable[..., Tensor]  # (weight, statistic, sparsity, pattern, warn) -> weight


@dataclass(frozen=True)
class Pruner:
    """A kernel and the statistic of the inputs it looks at."""

    statistic: Statistic
    prune: Kernel


PRUNERS: dict[str, Pruner] = {
    "magnitude": Pruner("none", magnitude),
    "wanda": Pruner("norm", wanda),
    "sparsegpt": Pruner("second_moment", sparsegpt),
}
