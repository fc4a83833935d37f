"""What pruning one layer alone does, read off a profile: the curves that the response allocation spends by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from core.base.errors import UserError
from core.kinds.treatments import OF_ONE_LAYER, USUAL, place
from core.store.profiles import Profile
from core.store.results import Array

FIELDS = {"drift": "final_squared", "kl": "kl", "nll": "nll_increase"}
NAMES = {"drift": "squared final drift", "kl": "KL divergence, nats", "nll": "loss, nats/token"}


@dataclass(frozen=True)
class Judge:
    """By which measured harm allocations are estimated, and by whose pruning."""

    harm: str = "drift"  # one of NAMES
    pruner: str = USUAL


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


STEP = 0.005
POWERS = (2.0, 4.0)  # between which the fitted one lies: single losses hardly rise at small sparsities, or not at all


@dataclass(frozen=True, eq=False)
class Curves:
    """Responses of every layer on a fine grid of sparsities, as lower convex hulls."""

    sparsity: Array  # (points,) from 0 up, fractions
    harm: Array  # (layers, points), convex and rising along the points

    def at(self, sparsity: Array) -> Array:
        """Harm of each layer at its own sparsity, (layers,)."""
        return np.array([np.interp(s, self.sparsity, row) for s, row in zip(sparsity, self.harm, strict=True)])

    @property
    def highest(self) -> float:
        return float(self.sparsity[-1])


def curves(sparsities: Array, harm: Array) -> Curves:
    """Smooth the measured points, then take the hull.

    Between the points the square root of the harm is a line. Below the least of them harm is a power of the sparsity,
    which the two least give: about the third on the bundled model, where a square is 1.5 times too much at 0.2.
    Nothing is extrapolated beyond the largest measured sparsity.

    Args:
        sparsities: (measured,) ascending, without 0.
        harm: (layers, measured); a negative harm counts as none, and harm never falls with sparsity.

    Raises:
        UserError: fewer than two sparsities, or a harm that is not finite.
    """
    if len(sparsities) < 2:
        raise UserError("a response needs two or more measured sparsities: measure residual:wanda:0.5 and 0.7, say")
    check_finite(harm)
    known = np.concatenate([[0.0], sparsities])
    rising = np.maximum.accumulate(np.maximum(harm, 0), axis=1)
    grid = _grid(known)
    smooth = np.stack([np.interp(grid, known, [0, *row]) ** 2 for row in np.sqrt(rising)])
    least = grid < sparsities[0]
    smooth[:, least] = rising[:, :1] * (grid[least] / sparsities[0]) ** _power(sparsities, rising)[:, None]
    return Curves(grid, np.stack([hull(grid, row) for row in smooth]))


def check_finite(harm: Array) -> None:
    """Refuse what a layer that was pruned alone did where that is not a number.

    Raises:
        UserError: it is not.
    """
    if not np.isfinite(harm).all():
        raise UserError("a response is NaN: the pruned layer broke the model; measure again in float32")


def _power(sparsities: Array, harm: Array) -> Array:
    """Of the sparsity that the harm grows with between the two least, per layer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(harm[:, 1] / harm[:, 0]) / np.log(sparsities[1] / sparsities[0])
    return np.clip(np.nan_to_num(found, nan=POWERS[0]), *POWERS)


def _grid(known: Array) -> Array:
    """Even steps from each known point to the next: two points a rounding apart would make a slope of nonsense."""
    pieces = [
        np.linspace(start, end, math.ceil((end - start) / STEP), endpoint=False) for start, end in pairwise(known)
    ]
    return np.concatenate([*pieces, known[-1:]])


def hull(x: Array, y: Array) -> Array:
    """The lower convex hull of points (x, y), read at every x."""
    kept: list[int] = []
    for i in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(i)
    return np.interp(x, x[kept], y[kept])
