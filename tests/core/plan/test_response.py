"""The response allocation and its estimates: never worse than uniform, and against a fine grid."""

from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.base import UserError
from core.methods import Response
from core.plan import Bounds, Choices, Evidence, allocate, curves, family, hull, project, responses, share_spent, solve
from core.requests import AllocationRequest, Correction
from core.results import CONTROLS
from tests.core.allocating import PER_LINEAR, estimates, of_linears, profile, quick


@pytest.mark.parametrize("make", [profile, of_linears])
@quick
@given(
    layers=st.integers(2, 10),
    seed=st.integers(0, 10**6),
    target=st.floats(0.05, 0.88),
    objective=st.sampled_from(("drift", "kl", "nll")),
)
@example(layers=2, seed=5, target=0.75, objective="drift")  # a measured sparsity a rounding away from a grid point
def test_response_is_never_estimated_worse_than_uniform_or_one_number_per_layer(make, layers, seed, target, objective):
    here, base = make(layers, seed), Response(objective=objective)
    fine = base.replace(granularity="linear" if make is of_linears else "layer")
    found, coarse = (allocate(AllocationRequest(base=each, target=target), here) for each in (fine, base))
    per_layer = np.repeat(coarse.sparsity[:, None], 3, axis=1) if make is of_linears else coarse.sparsity
    for other in (np.full(found.exact.shape, target), per_layer):
        least, other = estimates(np.stack([found.exact, other]), here, objective)
        assert least <= other * (1 + 1e-9)


@pytest.mark.parametrize(("make", "base"), [(profile, Response()), (of_linears, PER_LINEAR)])
@quick
@given(layers=st.integers(2, 9), seed=st.integers(0, 10**6), targets=st.lists(st.floats(0.0, 0.9), min_size=2))
def test_response_never_lowers_a_layer_or_linear_when_the_target_rises(make, base, layers, seed, targets):
    here = make(layers, seed)
    rows = [allocate(AllocationRequest(base=base, target=target), here).exact for target in sorted(targets)]
    assert (np.diff(rows, axis=0) >= -1e-9).all()


@quick
@given(seed=st.integers(0, 10**6), layers=st.integers(2, 6), target=st.sampled_from((0.2, 0.5, 0.7)))
def test_no_allocation_of_the_same_budget_harms_less_than_the_response_allocation(seed, layers, target):
    rng, bounds = np.random.default_rng(seed), Bounds(0.1, 0.85)
    found = curves(np.array([0.3, 0.6, 0.9]), np.cumsum(rng.random((layers, 3)), axis=1))
    parameters = rng.integers(1, 10, layers).astype(float)
    with patch.object(responses, "of_profile", lambda *_: found):
        best = Evidence(parameters, target, bounds, None).least_harm("wanda", "kl", False)
    assert share_spent(best, parameters) == pytest.approx(target, abs=1e-9)

    def cost(row):
        return sum(np.interp(each, found.sparsity, harm) for each, harm in zip(row, found.harm, strict=True))

    around = (best + rng.normal(0, rng.choice([0.01, 0.1, 1]), layers) for _ in range(100))
    others = [cost(project(wish, parameters, target, bounds)) for wish in around]
    assert cost(best) <= min(others) + 1e-12


@pytest.mark.parametrize(("power", "fitted"), [(2, 2), (3.2, 3.2), (1, 2), (6, 4), (0, 2)])
def test_below_the_least_measured_sparsity_harm_goes_on_as_the_two_least_rise(power, fitted):
    """Within what is taken for a power at all; harm that does not rise there goes as the square."""
    measured = np.array([0.3, 0.5, 0.7])
    found = curves(measured, 2 * (measured / 0.3)[None] ** power)
    low = found.sparsity < 0.29  # the hull may cut the corner at the least measured one
    expected = hull(found.sparsity, np.where(found.sparsity < 0.3, 2 * (found.sparsity / 0.3) ** fitted, found.harm[0]))
    np.testing.assert_allclose(found.harm[0][low], expected[low], atol=1e-12)
    if power == 3.2:
        assert found.harm[0][found.sparsity.searchsorted(0.15)] == pytest.approx(2 * 0.5**3.2, rel=1e-6)


def test_the_hull_is_convex_below_and_touches():
    x = np.linspace(0, 1, 50)
    y = x**2 + 0.1 * np.sin(30 * x)
    low = hull(x, y)
    assert (low <= y + 1e-12).all()
    assert (np.diff(low, 2) >= -1e-12).all()
    assert (low[0], low[-1]) == (y[0], y[-1])


def test_least_harm_sits_on_the_largest_sparsity_measured():
    here = profile(8, 2)
    plain = AllocationRequest(base=Response(), target=0.8)
    found = allocate(plain, here)
    reached = found.sparsity >= 0.9 - 1e-9
    assert reached.any() and np.array_equal(found.bound, reached) and found.bounds == Bounds(0, 0.9)
    loose = allocate(plain.replace(unclipped=True), here)
    assert np.array_equal(loose.bound, reached)  # it keeps its bounds in either case


@quick
@given(seed=st.integers(0, 10**6), strength=st.floats(0, 0.1), control=st.sampled_from(("none", *CONTROLS)))
def test_no_correction_of_least_harm_goes_further_than_was_measured(seed, strength, control):
    correction = Correction(strength=strength, control=control)
    for base, here in ((Response(), profile(6, seed)), (PER_LINEAR, of_linears(6, seed))):
        request = AllocationRequest(base=base, target=0.8, correction=correction)
        found = allocate(request, here)
        assert found.bounds == Bounds(0, 0.9) and found.exact.max() <= 0.9 + 1e-12
        assert found.budget == pytest.approx(0.8)
        assert found.bound[(found.exact.reshape(6, -1) >= 0.9).any(1)].all()
        assert np.array_equal(family(request, here, np.array([strength]))[0], found.exact)
        assert np.isfinite(responses.layer_harms(found.exact[None], here)).all()


@quick
@given(seed=st.integers(0, 10**6), units=st.integers(1, 5), budget=st.floats(0.05, 1.95))
def test_a_budget_is_met_with_the_least_harm(seed, units, budget):
    """Units that may be kept in 16, 8 or 4 bits, or dropped, and whatever lies between two of these."""
    rng, saved = np.random.default_rng(seed), np.array([0, 1, 1.5, 2])
    harm = np.stack([hull(saved, row) for row in np.cumsum(rng.random((units, 4)) * [0, 1, 1, 1], axis=1)])
    here = Choices(rng.integers(1, 5, units).astype(float), saved, harm)

    def cost(chosen):
        return sum(np.interp(each, saved, row) for each, row in zip(chosen, harm, strict=True))

    found = solve(here, budget)
    assert found @ here.weights == pytest.approx(budget * here.weights.sum())
    for whole in product(saved, repeat=units):
        if np.array(whole) @ here.weights >= budget * here.weights.sum():
            assert cost(found) <= cost(np.array(whole)) + 1e-9


def test_a_budget_beyond_the_last_level_is_refused():
    with pytest.raises(UserError, match=r"a budget of 2\.1 is more than can be saved, 2"):
        solve(Choices(np.ones(1), np.array([0, 2]), np.zeros((1, 2))), 2.1)
