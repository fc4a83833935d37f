"""Readings of a gradient sketch: harm of units alone, its errors, and which damages add or cancel. Pure numpy."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from core.base import Array, Estimate, unique
from core.methods import KQUANTS, SPARSITIES, TREATMENTS, ZEROS, Damage
from core.plan.gains import CONFIDENCE
from core.store import Profile


@lru_cache
def sketched(profile: Profile, pruner: str, per_linear: bool, joined: bool = False) -> tuple[Array, Array] | None:
    """Shares (levels,), ascending, and KL in nats (units, levels), by the profile's sketch; None if it has too few.

    A level whose groups do not fit some linear is left out; of K-quants one that fits none, and elsewhere it is NaN.
    """
    treatment, damages = TREATMENTS[pruner], profile.spec.sketch.damages if profile.sketch else ()
    shares = SPARSITIES if treatment.budget_unit is ZEROS else treatment.budget_unit.shares
    named = {share: Damage(treatment, share).name for share in shares}
    named = {share: name for share, name in named.items() if name in damages}
    if not named:
        return None
    harm = np.stack([harm_of(profile, name, per_linear, joined) for name in named.values()], axis=-1)
    fits = (np.any if treatment.budget_unit is KQUANTS else np.all)(np.isfinite(harm), axis=0)
    return (np.array([*named])[fits], harm[:, fits]) if fits.sum() > 1 else None


# By names, for profiles of before it was read off the model what reads one tensor
_JOINED = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}


def joined_units(profile: Profile) -> NDArray[np.intp]:
    """Unit of each linear, layer after layer, (layers * linears,): linears that engines run as one matrix share one."""
    names, first = profile.provenance["linears"], {}
    for name in names:
        inside, dot, last = name.rpartition(".")
        first[name] = f"{inside}{dot}{_JOINED.get(last, last)}"
    first |= {name: group[0] for group in profile.provenance.get("joined", ()) for name in group}
    groups = unique(first[name] for name in names)
    place = np.array([groups.index(first[name]) for name in names])
    return (np.arange(profile.layers)[:, None] * len(groups) + place).ravel()


def changes(profile: Profile, damage: str, per_linear: bool, joined: bool = False) -> Array:
    """Signed change of every draw, nats, (units, draws, windows); those of a layer's, or of joined, linears add."""
    change = profile.sketch.change[:, :, profile.spec.sketch.damages.index(damage)]
    if joined:
        units, rows = joined_units(profile), change.reshape(-1, *change.shape[2:])
        total = np.zeros((units.max() + 1, *rows.shape[1:]))
        np.add.at(total, units, rows)
        return total
    if per_linear:
        return change.reshape(-1, *change.shape[2:])
    complete = np.isfinite(change) | np.isnan(profile.weights.parameters)[..., None, None]
    return np.where(complete.all(1), np.nansum(change, axis=1), np.nan)


def harm_of(profile: Profile, damage: str, per_linear: bool, joined: bool = False) -> Array:
    """KL(dense || damaged) in nats to second order, (units,)."""
    return (changes(profile, damage, per_linear, joined) ** 2).mean((1, 2)) / (2 * (profile.spec.text.length - 1))


# --- beside what was measured ---------------------------------------------------------------------------------------


class Agreement(NamedTuple):
    """A sketch beside units that were measured alone with the same damage."""

    damage: str
    linears: bool  # else whole layers, whose damage is less small
    units: int
    ratio: float  # sketched harm over measured, median
    spread: float  # standard deviation of its logarithm
    rank: float  # Spearman's correlation


def agreements(profile: Profile) -> list[Agreement]:
    """Errors of the sketch on every damage that the profile measured too, of linears as many as it has."""
    alone = {}  # damage, name of a linear or None -> KL of each layer
    for measurement, each in profile.perturbed.items():
        kind = measurement.perturbation
        if kind.prunes in ("layer", "linear"):
            alone[Damage(kind.treatment, kind.sparsity).name, getattr(kind, "linear", None)] = each.kl.mean(1)
    rows, linears = [], profile.provenance.get("linears", [])
    for damage in profile.spec.sketch.damages if profile.sketch else ():
        for names in (linears, [None]):
            ours = harm_of(profile, damage, names is linears).reshape(profile.layers, -1)
            some = [n for n, name in enumerate(names) if (damage, name) in alone and np.isfinite(ours[:, n]).all()]
            if some:
                measured = np.stack([alone[damage, names[each]] for each in some], axis=1)
                rows.append(_beside(damage, names is linears, ours[:, some].ravel(), measured.ravel()))
    return rows


def _beside(damage: str, linears: bool, ours: Array, measured: Array) -> Agreement:
    """Agreement of two harms, (units,) nats each."""
    logs, places = np.log(ours / measured), np.stack([ours, measured]).argsort().argsort()
    ratio, rank = np.exp(np.median(logs)), np.asarray(np.corrcoef(places))[0, 1]
    return Agreement(damage, linears, len(logs), float(ratio), float(logs.std()), float(rank))


# --- pairs ----------------------------------------------------------------------------------------------------------


PAIRED = "wanda:0.7"  # the damage whose pairs are looked at: every sketch holds it


def correlation(changed: Array, of: Callable[[Array], Array] = lambda matrix: matrix) -> Estimate:
    """Correlation at the output of the damages of every two units, (units, units): above 0 they add, below they cancel.

    Both together harm as much as each alone and `2 r` times the geometric mean of these. The interval is the
    jackknife's over windows, 95 %.

    Args:
        changed: (units, draws, windows) signed changes.
        of: what is estimated of the matrix of correlations, in its place.
    """
    products = np.einsum("idw,jdw->wij", changed, changed)
    count, total = len(products), products.sum(0)
    without = np.stack([of(_normal(total - each)) for each in products])
    value = of(_normal(total))
    half = stdtrit(count - 1, 0.5 + CONFIDENCE / 2) * np.sqrt((count - 1) * without.var(0)) if count > 1 else np.inf
    return Estimate(value, value - half, value + half, count)


def part_changes(profile: Profile, damage: str) -> Array:
    """Signed changes of the attention and of the MLP of each layer in turn, (2 layers, draws, windows)."""
    change = profile.sketch.change[:, :, profile.spec.sketch.damages.index(damage)]
    names = [name.partition(".")[0] for name in profile.provenance["linears"]]
    first = np.array([name == names[0] for name in names])
    parts = np.stack([np.nansum(change[:, mask], axis=1) for mask in (first, ~first)], axis=1)
    return parts.reshape(-1, *parts.shape[2:])


def inside_layers(matrix: Array) -> Array:
    """Mean of the entries of attention and MLP of one layer, by `part_changes`."""
    return np.diagonal(matrix, 1)[::2].mean()


def neighbours(matrix: Array) -> Array:
    """Mean of the entries beside the diagonal."""
    return np.diagonal(matrix, 1).mean()


def _normal(products: Array) -> Array:
    size = np.sqrt(np.diag(products))
    return products / size / size[:, None]
