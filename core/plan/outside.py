"""Types of the matrices outside the layers, embeddings and output matrix, as units of a budget in bytes."""

from itertools import product

import numpy as np

from core.base import Array, unique
from core.methods import HALF, Treatment, level_at, outside_types
from core.plan import responses
from core.plan.allocation import linear_parameters
from core.plan.solvers import Choices, hull_of_levels, least_harm
from core.requests import AllocationRequest, Counts
from core.store import Profile


def with_outside(
    request: AllocationRequest, counts: Counts, treatment: Treatment, profile: Profile | None
) -> AllocationRequest:
    """The request with the types of least harm at its bytes, where none are chosen by hand and the profile tells.

    Every choice of them leaves the linears a budget, and the least harm that these do for it; what each linear gets is
    planned afterwards.

    Args:
        request: of a budget in bytes, `at_most`.
        profile: None, or one without that sketch, leaves the request as it is.
    """
    unit = treatment.budget_unit
    if request.outside or not (unit.in_gguf and profile and profile.outside):
        return request
    weights = [counts.matrices - counts.head, counts.head][: len(profile.outside.change)]
    shares, harm = responses.at_levels(profile, responses.pruner_with_curves(profile, True, unit), "kl", True)
    names = [level_at(unit.levels, share).name for share in shares]
    harms = np.stack([outside_harms(profile, name) for name in names], axis=1)
    if not all(weights) or np.isnan(harms).all(axis=1).any():
        return request
    linears = hull_of_levels(Choices(linear_parameters(profile).ravel(), shares, harm))
    saved = HALF * (linears.weights.sum() + sum(weights)) - 8 * (request.at_most - 4 * counts.vectors)  # bits

    def total(levels):
        left = (saved - HALF * (weights @ shares[[*levels]])) / (HALF * linears.weights.sum())
        beyond = max(left - shares[-1], 0.0)  # no plan meets the budget: then the narrowest
        return beyond, sum(harms[range(len(levels)), levels]) + least_harm(linears, left)

    possible = product(*(np.flatnonzero(np.isfinite(each)) for each in harms))
    return request.replace(outside="/".join(unique(names[each] for each in min(possible, key=total))))


def outside_harms(profile: Profile, name: str) -> Array:
    """KL(dense || rounded) to a type of each matrix, nats to second order, (matrices,); NaN where it is not known."""
    names, change = profile.spec.outside.damages, profile.outside.change
    if name not in names:
        return np.full(len(change), np.nan)
    return (change[:, names.index(name)] ** 2).mean((1, 2)) / (2 * (profile.spec.text.length - 1))


def outside_harm(profile: Profile, types: str) -> float:
    """The same of types as in a request, in all; 0 where nothing is known of them."""
    if profile.outside is None:
        return 0.0
    rows = zip(range(len(profile.outside.change)), outside_types(types), strict=False)
    return float(np.nansum([outside_harms(profile, name)[row] for row, name in rows]))
