"""Response curves of layers or linears pruned alone, read off a profile: budgets are spent and predicted by them."""

from contextlib import suppress
from functools import lru_cache

import numpy as np

from core.base import UserError
from core.methods import (
    LAYERS,
    SINGLE_LAYER_TREATMENTS,
    TREATMENTS,
    ZEROS,
    Allocator,
    BudgetUnit,
    default_pruner,
    table_position,
)
from core.plan.budget import TOLERANCE
from core.plan.sketches import joined_units, sketched
from core.plan.solvers import Curves, curves, rising
from core.store import Array, Profile

FIELDS = {"drift": "final_squared", "kl": "kl", "nll": "nll_increase"}
PREDICTING = ("drift", "kl")
NAMES = {"drift": "squared final drift", "kl": "KL divergence, nats", "nll": "loss, nats/token"}


def measured(profile: Profile, pruner: str, objective: str, per_linear: bool = False) -> tuple[Array, Array]:
    """Measured sparsities (measured,), ascending, and harm (units, measured), mean over sequences.

    Units are layers pruned alone, or linears pruned alone, layer after layer.

    Raises:
        UserError: fewer than two sparsities of this pruner were measured; or a linear lacks, or has others than the
            first one.
    """
    names = profile.provenance.get("linears", []) if per_linear else [None]
    rows = [_harm(profile, pruner, objective, name) for name in names]
    first = rows[0] if rows else {}
    lacking = next((name for name, row in zip(names, rows, strict=True) if row.keys() != first.keys()), None)
    if len(first) < 2 or lacking:
        levels = TREATMENTS[pruner].budget_unit.names[-2:] or ["0.5", "0.9"]  # two examples
        if per_linear:
            name = lacking or (names[0] if names else "mlp.down_proj")
            raise UserError(
                f"budgets per linear need each linear measured alone at the same two or more sparsities: this profile "
                f"lacks some; measure residual_linear:{pruner}:{levels[0]}:{name} and the like"
            )
        some = " and ".join(f"residual:{pruner}:{level}" for level in levels)
        raise UserError(
            f"this profile holds {('no', 'one')[len(first)]} sparsity of layers pruned alone by {pruner}, and a curve "
            f"needs two or more: measure, for example, {some}"
        )
    harm = np.array([[*row.values()] for row in rows])  # (linears, measured, layers)
    return np.array(list(first)), harm.transpose(2, 0, 1).reshape(-1, len(first))


def _harm(profile: Profile, pruner: str, objective: str, linear: str | None = None) -> dict[float, Array]:
    """Sparsity, ascending -> harm per layer, mean over sequences; of a layer pruned alone, or of a linear."""
    if TREATMENTS[pruner].budget_unit is LAYERS:
        for key, each in profile.perturbed.items():
            if key.perturbation.kind == "skip" and not linear:
                return {share: share * getattr(each, FIELDS[objective]).mean(1) for share in (0.0, 1.0)}
        raise UserError("this profile does not hold what leaving out each layer does: measure skip")
    harms = {
        each.perturbation.sparsity: getattr(perturbed, FIELDS[objective]).mean(1)
        for each, perturbed in profile.perturbed.items()
        if each.perturbation.prunes == ("linear" if linear else "layer")
        and each.perturbation.pruner == pruner
        and each.perturbation.sparsity > 0
        and getattr(each.perturbation, "linear", None) == linear
    }
    return dict(sorted(harms.items()))


def at_hand(profile: Profile, pruner: str, objective: str, per_linear: bool) -> tuple[Array, Array]:
    """Harm of units alone as `measured`, else the divergence by the sketch.

    Raises:
        UserError: as `measured`, where the sketch does not tell either.
    """
    try:
        return measured(profile, pruner, objective, per_linear)
    except UserError as error:
        if curves_of_sketch := sketched(profile, pruner, per_linear):
            if objective == "kl":
                return curves_of_sketch
            raise UserError(f"{error}; the sketch of this profile tells the divergence alone: objective=kl") from None
        raise


@lru_cache
def is_sketched(profile: Profile, pruner: str, per_linear: bool) -> bool:
    """True if the curves at hand are a sketch's; False too where there are none."""
    try:
        measured(profile, pruner, "kl", per_linear)
    except UserError:
        return sketched(profile, pruner, per_linear) is not None
    return False


def source(profile: Profile, base: Allocator) -> str:
    """Sentence: the origin of the curves of an allocator; empty where it reads none."""
    if not base.measured:
        return ""
    unit, text = ("linear" if base.per_linear else "layer"), profile.spec.text
    if is_sketched(profile, base.pruner, base.per_linear):
        passes = profile.spec.sketch.draws * text.sequences
        return f"The harm of each {unit} is sketched: estimated by gradients, from {passes} backward passes."
    return f"The harm of each {unit} was measured, each alone on {text.sequences} × {text.length} tokens."


def at_levels(profile: Profile, pruner: str, objective: str, per_linear: bool) -> tuple[Array, Array]:
    """Measured shares of a quantiser (levels,), rising, and harm of each unit (units, levels).

    Where fewer bits were measured to harm less, that is noise, and they count as the same. A sketch has one noise for
    all levels, so there it is none: weights that came from a format lie on its grid.

    Raises:
        UserError: too few levels were measured, or a harm is not finite.
    """
    shares, harm = at_hand(profile, pruner, objective, per_linear)
    return (shares, harm) if is_sketched(profile, pruner, per_linear) else (shares, rising(harm))


def at_joined_levels(profile: Profile, pruner: str, objective: str) -> tuple[Array, Array]:
    """The same for linears that engines join: by a sketch of all of them together, else the sum of each alone."""
    shares, harm = at_levels(profile, pruner, objective, True)
    if is_sketched(profile, pruner, True):
        together = sketched(profile, pruner, True, joined=True)
        assert together is not None  # as it is sketched
        return together
    rows = np.zeros((joined_units(profile).max() + 1, len(shares)))
    np.add.at(rows, joined_units(profile), harm)
    return shares, rows


@lru_cache
def pruners(profile: Profile, per_linear: bool, unit: BudgetUnit) -> list[str]:
    """Pruners with curves in a profile, the default first; of every linear alone where `per_linear`."""
    names = []
    for pruner in sorted(SINGLE_LAYER_TREATMENTS, key=table_position):
        if TREATMENTS[pruner].budget_unit is unit:
            with suppress(UserError):
                at_hand(profile, pruner, "kl", per_linear)
                names.append(pruner)
    return names


@lru_cache
def of_profile(profile: Profile, pruner: str, objective: str | None = None, per_linear: bool = False) -> Curves:
    """Response curves of every layer, or of every linear, layer after layer; smoothed and convex, see `curves`.

    Of levels as a sketch tells them, with lines between.

    Args:
        objective: None: the geometric mean of squared final drift and KL divergence, which predicts: each alone does so
            best in one family of models, see `core.plan.prediction`. A sketch tells the divergence alone.
    """
    if objective and TREATMENTS[pruner].budget_unit.levels and is_sketched(profile, pruner, per_linear):
        shares, harm = at_levels(profile, pruner, objective, per_linear)
        harms = zip(harm, np.isfinite(harm), strict=True)  # levels that a unit cannot have lie on the line of others
        harm = np.stack([np.interp(shares, shares[fits], row[fits]) for row, fits in harms])
        return Curves(np.insert(shares, 0, 0.0), np.insert(harm, 0, 0.0, axis=1))
    if objective:
        return curves(*at_hand(profile, pruner, objective, per_linear))
    kl = of_profile(profile, pruner, "kl", per_linear)
    if is_sketched(profile, pruner, per_linear):
        return kl
    return Curves(kl.sparsity, np.sqrt(of_profile(profile, pruner, "drift", per_linear).harm * kl.harm))


def pruner_with_curves(profile: Profile, per_linear: bool = False, unit: BudgetUnit = ZEROS) -> str:
    """Default pruner of curves: the first that the profile holds any of."""
    return next(iter(pruners(profile, per_linear, unit)), default_pruner(unit))


def highest(profile: Profile, per_linear: bool = False, unit: BudgetUnit = ZEROS) -> float:
    """The largest sparsity that was measured alone, by that pruner.

    Raises:
        UserError: too few sparsities were measured.
    """
    per_linear |= is_per_linear_only(profile, unit)
    return of_profile(profile, pruner_with_curves(profile, per_linear, unit), "kl", per_linear).highest


def is_per_linear_only(profile: Profile, unit: BudgetUnit) -> bool:
    """True if quantisation of layers was not measured: a sketch tells of both, and of linears better."""
    return unit.bits and all(is_sketched(profile, each, False) for each in pruners(profile, False, unit))


def layer_harms(rows: Array, profile: Profile, unit: BudgetUnit = ZEROS) -> Array:
    """Harm of each layer of many allocations, pruned alone, as it predicts, see `of_profile`, (rows, layers).

    Curves of the default pruner are used, where the profile holds any of it. A layer whose linears have a sparsity each
    counts as pruned evenly to where its linears, each alone, do as much together: so both kinds of budget are on one
    scale.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Returns:
        NaN where one, or a linear of it, leaves 0 to the largest measured sparsity. Beside few bits a layer that is
        left out has the harm that was measured of that.

    Raises:
        UserError: too few sparsities were measured.
    """
    if is_per_linear_only(profile, unit):  # then all is counted by linears
        response = of_profile(profile, pruner_with_curves(profile, True, unit), per_linear=True)
        linears = len(response.harm) // rows.shape[1]
        units = rows if rows.ndim == 3 else np.repeat(rows[..., None], linears, axis=2)
        harms = _read(response, units.reshape(len(rows), -1)).reshape(units.shape).sum(2)
        with suppress(UserError):  # leaving layers out need not be measured
            skip = [_harm(profile, default_pruner(LAYERS), each)[1.0] for each in PREDICTING]
            harms = np.where((units == 1).all(2), np.sqrt(np.prod(skip, axis=0)), harms)
        return harms
    pruner = pruner_with_curves(profile, rows.ndim == 3, unit)
    even = rows if rows.ndim == 2 else _even(rows, of_profile(profile, pruner, per_linear=True))
    return _read(of_profile(profile, pruner), even)


def _even(rows: Array, response: Curves) -> Array:
    """Even sparsity of each layer that harms as much as its linears, (rows, layers)."""
    harms = _read(response, rows.reshape(len(rows), -1)).reshape(rows.shape).sum(2)
    together = response.harm.reshape(rows.shape[1], rows.shape[2], -1).sum(1)
    layers = zip(harms.T, together, strict=True)
    return np.stack([np.interp(harm, evenly, response.sparsity) for harm, evenly in layers], axis=1)


def _read(response: Curves, units: Array) -> Array:
    """Harm of every unit at its sparsity, (rows, units); NaN where that was not measured."""
    inside = np.where((units >= -TOLERANCE) & (units <= response.highest + TOLERANCE), units, np.nan)
    return np.stack(
        [np.interp(of_unit, response.sparsity, harm) for of_unit, harm in zip(inside.T, response.harm, strict=True)],
        axis=1,
    )
