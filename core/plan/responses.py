"""Responses to pruning one layer alone, read off a profile: the curves that budgets are spent and estimated by."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.kinds.treatments import OF_ONE_LAYER, USUAL, place
from core.plan.budget import TOLERANCE
from core.plan.curves import Curves, curves
from core.store.profiles import Profile
from core.store.results import Array

FIELDS = {"drift": "final_squared", "kl": "kl", "nll": "nll_increase"}
NAMES = {"drift": "squared final drift", "kl": "KL divergence, nats", "nll": "loss, nats/token"}


def measured(profile: Profile, pruner: str, objective: str) -> tuple[Array, Array]:
    """Measured sparsities (measured,), ascending, and harm (layers, measured), mean over sequences.

    Raises:
        UserError: fewer than two sparsities of this pruner were measured.
    """
    harm = _harm(profile, "layer", pruner, objective)
    if len(harm) < 2:
        raise UserError(
            f"this profile holds {('no sparsity', 'one sparsity')[len(harm)]} of {pruner} residuals, "
            "a response needs two or more: "
            f"measure residual:{pruner}:0.5 and residual:{pruner}:0.9, say"
        )
    return np.array(list(harm)), np.stack(list(harm.values()), axis=1)


def measured_linears(profile: Profile, pruner: str, objective: str) -> tuple[Array, Array]:
    """The same for each linear pruned alone: sparsities (measured,) and harm (layers, linears, measured).

    Raises:
        UserError: a linear lacks, or has other sparsities than the first one, or fewer than two.
    """
    names = profile.provenance.get("linears", [])
    rows = [_harm(profile, "linear", pruner, objective, name) for name in names]
    first = rows[0] if rows else {}
    lacking = next((name for name, row in zip(names, rows, strict=True) if row.keys() != first.keys()), None)
    if len(first) < 2 or lacking:
        name = lacking or (names[0] if names else "mlp.down_proj")
        raise UserError(
            f"budgets per linear need each linear measured alone at the same two or more sparsities: this profile "
            f"lacks some; measure residual_linear:{pruner}:0.5:{name} and the like"
        )
    return np.array(list(first)), np.stack([np.stack(list(row.values()), axis=1) for row in rows], axis=1)


def _harm(profile: Profile, prunes: str, pruner: str, objective: str, linear: str | None = None) -> dict[float, Array]:
    """Sparsity, ascending -> harm per layer, mean over sequences."""
    found = {
        each.perturbation.sparsity: getattr(perturbed, FIELDS[objective]).mean(1)
        for each, perturbed in profile.perturbed.items()
        if each.perturbation.prunes == prunes
        and each.perturbation.pruner == pruner
        and each.perturbation.sparsity > 0
        and getattr(each.perturbation, "linear", None) == linear
    }
    return dict(sorted(found.items()))


def pruners(profile: Profile, per_linear: bool = False) -> list[str]:
    """Those that a profile holds curves of, the usual pruner first; of every linear alone where `per_linear`."""
    found = []
    for pruner in sorted(OF_ONE_LAYER, key=place):
        try:
            (measured_linears if per_linear else measured)(profile, pruner, "kl")
        except UserError:
            continue
        found.append(pruner)
    return found


@lru_cache(maxsize=64)
def of_profile(profile: Profile, pruner: str = USUAL, objective: str = "drift", per_linear: bool = False) -> Curves:
    """Response curves of every layer, or of every linear, layer after layer; smoothed and convex, see `curves`."""
    sparsities, harm = (measured_linears if per_linear else measured)(profile, pruner, objective)
    return curves(sparsities, harm.reshape(-1, len(sparsities)))


def judge_of(request: AllocationRequest, profile: Profile) -> str:
    """The pruner whose responses an allocation is judged by, unless another is asked for.

    That of the curves it was made from; else the first one that the profile holds curves of.
    """
    known = pruners(profile, request.base.per_linear)
    return getattr(request.base, "pruner", None) or next(iter(known), USUAL)


def estimate(sparsity: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> float:
    """The additive estimate: the sum of one-layer responses, or of one-linear ones, in the objective's unit.

    Layers damage each other's inputs, so the true harm is another number; within one target and pruner the order of
    allocations is what it can tell. Estimates from layers and from linears are not comparable with each other.

    Args:
        sparsity: (layers,) or (layers, linears).

    Raises:
        UserError: too few sparsities were measured, or a layer's sparsity exceeds the largest of them or is negative.
    """
    found = of_profile(profile, pruner, objective, per_linear=sparsity.ndim == 2)
    rows = sparsity.reshape(len(sparsity), -1)
    for layer, unit in np.argwhere((rows < -TOLERANCE) | (rows > found.highest + TOLERANCE)):
        raise UserError(
            f"layer {layer} has sparsity {rows[layer, unit]:.3f}; 0 is the least, and the largest measured one is "
            f"{found.highest:g}: measure a larger one, or change the bounds"
        )
    return float(estimates(sparsity[None], profile, objective, pruner)[0])


def estimates(rows: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> Array:
    """The additive estimate of many allocations; NaN where one leaves 0 to the largest measured sparsity.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Returns:
        (rows,) in the objective's unit; see `estimate` for what it can tell.

    Raises:
        UserError: too few sparsities were measured.
    """
    found = of_profile(profile, pruner, objective, per_linear=rows.ndim == 3)
    units = rows.reshape(len(rows), -1)
    known = np.where((units >= -TOLERANCE) & (units <= found.highest + TOLERANCE), units, np.nan)
    harms = [np.interp(of_unit, found.sparsity, harm) for of_unit, harm in zip(known.T, found.harm, strict=True)]
    return np.stack(harms, axis=1).sum(1)
