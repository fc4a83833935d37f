"""A model pruned as a spec says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from core.ask.settings import PrunedSpec
from core.kinds.patterns import pattern
from core.measure.pruning_plan import Plan
from core.measure.walk import walk
from core.models import anatomy
from core.models.loading import Loaded
from core.models.windows import Windows
from core.store.results import Array


def prune(
    loaded: Loaded,
    pruned: PrunedSpec,
    calibration: dict[str, Windows],
    step: Callable[[int], None],
    warn: Callable[[str], None],
) -> Array:
    """Prune in place as the spec says; achieved sparsity, (layers, linears).

    Raises:
        UserError: the model cannot be pruned so.
        Broken: it broke half way.
    """
    no_text = torch.zeros(1, 2, dtype=torch.long)  # the pruner looks at none: any token will do to walk with
    tokens = calibration[pruned.calibration.key].tokens if pruned.calibration else no_text
    return walk(loaded, tokens, plan(pruned), step, warn)


def plan(pruned: PrunedSpec) -> Plan:
    """What the walk is told to do."""
    found = pattern(pruned.pattern) if pruned.pattern else None
    return Plan(pruned.pruner, np.array(pruned.sparsity), found, pruned.true_sequential, pruned.repair)


def count_zeros(loaded: Loaded) -> Array:
    """Fraction of zeros in every linear, (layers, linears)."""
    return anatomy.of_each(loaded.layers, lambda weight: float((weight == 0).float().mean()), anatomy.linears)
