"""Which weights go: pure kernels on (weight, input norm, sparsity), one row each."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from core.pruning.magnitude import magnitude
from core.pruning.wanda import wanda

Kernel = Callable[[Tensor, Tensor, float], Tensor]

PRUNERS: dict[str, Kernel] = {"magnitude": magnitude, "wanda": wanda}
