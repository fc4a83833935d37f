"""What pruning one layer alone does, read off a profile: the curves that the response allocation spends by."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.allocation.response import Curves, curves
from core.errors import UserError
from core.profiles import Profile
from core.results import Array
from core.specs import Residual

FIELDS = {"drift": "final_squared", "kl": "kl", "nll": "nll_increase"}
NAMES = {"drift": "squared final drift", "kl": "KL divergence, nats", "nll": "loss, nats/token"}


def measured(profile: Profile, pruner: str, objective: str) -> tuple[Array, Array]:
    """Measured sparsities (measured,), ascending, and harm (layers, measured), mean over sequences.

    Raises:
        UserError: fewer than two sparsities of this pruner were measured.
    """
    asked = [each for each in profile.perturbed if isinstance(each.perturbation, Residual)]
    asked = sorted(
        (each for each in asked if each.perturbation.pruner == pruner and each.perturbation.sparsity > 0),
        key=lambda each: each.perturbation.sparsity,
    )
    if len(asked) < 2:
        raise UserError(
            f"this profile holds {('no sparsity', 'one sparsity')[len(asked)]} of {pruner} residuals, "
            "a response needs two or more: "
            f"measure residual:{pruner}:0.5 and residual:{pruner}:0.9, say"
        )
    harm = [getattr(profile.perturbed[each], FIELDS[objective]).mean(1) for each in asked]
    return np.array([each.perturbation.sparsity for each in asked]), np.stack(harm, axis=1)


@lru_cache(maxsize=32)
def of_profile(profile: Profile, pruner: str = "wanda", objective: str = "drift") -> Curves:
    """Response curves of every layer, smoothed and convex; see `core.allocation.response.curves`."""
    return curves(*measured(profile, pruner, objective))
