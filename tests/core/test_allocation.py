"""Allocators, correction, budget and the response allocation: properties over random profiles, and golden values."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core import candidates, specs
from core.allocation import allocators, correction, recipes, requests, written
from core.allocation.allocate import allocate, estimate, estimates, exact_family, family, layer_means, spread
from core.allocation.budget import Bounds, met, project
from core.allocation.by_hand import pinned
from core.allocation.requests import AllocationRequest, Correction
from core.allocation.response import curves, hull, response
from core.errors import UserError
from core.profiles import Profile
from core.results import Scores, Weights
from tests import synthetic

NAMES = ("gaussian:0.3", "residual:wanda:0.4", "residual:wanda:0.7", "residual:wanda:0.9")
SEEING = (requests.Owl(), requests.AlphaPruning(), requests.Dlp(), requests.Response())
BASES = (*SEEING, requests.Uniform(), requests.DepthRamp(), requests.Owl(m=3, lam=0.3), requests.Dlp(alpha=0.5))
TARGETS = (0.0, 0.3, 0.5, 0.7, 0.88)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def profile(layers: int, seed: int = 0, alike: bool = False) -> Profile:
    """A profile of random numbers; with `alike` every layer has the same."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        rows = 0.05 + rng.random(shape)
        return np.broadcast_to(rows[:1], shape).copy() if alike else rows

    measured = {specs.Measurement(perturbation=specs.perturbation(name)): None for name in NAMES}
    harm = np.cumsum(np.stack([draw(layers, 3) for _ in NAMES]), axis=0)
    for level, each in enumerate(measured):
        plain = synthetic.perturbed(layers, 3, each)
        gain = draw(layers, 3) * (np.arange(layers) < layers - 1)[:, None]
        drift = plain.log_drift.copy()
        drift[:, -1] = np.einsum("iin->in", plain.log_drift) + gain * rng.choice([-1, 1])
        measured[each] = replace(
            plain, log_drift=drift, kl=harm[level], nll_increase=harm[level] ** 1.5, final_squared=harm[level] / 2
        )
    sizes = rng.integers(1_000, 5_000_000, (layers, 7)).astype(float)
    weights = Weights(sizes[:1].repeat(layers, 0) if alike else sizes, draw(layers, 7) + 2, draw(layers, 7) + 2)
    scores = Scores(draw(layers, len(specs.OUTLIER_THRESHOLDS)), draw(layers), draw(layers))
    entry = SimpleNamespace(key="invented", spec=None, provenance={"model": "m", "text": "t"})
    return Profile(entry, synthetic.activation(layers, 3), synthetic.floor(layers), weights, scores, measured)


# --- properties ----------------------------------------------------------------------------------------------------


@quick
@given(
    layers=st.integers(2, 12),
    seed=st.integers(0, 10**6),
    base=st.sampled_from(BASES),
    target=st.sampled_from(TARGETS),
    low=st.sampled_from((0.0, 0.2)),
    strength=st.sampled_from((0.0, 0.01, 0.1, 0.5)),
    control=st.sampled_from(("none", "reversed", "shuffled", "ramp")),
)
def test_the_budget_is_met_inside_the_bounds(
    layers: int, seed: int, base: specs.Spec, target: float, low: float, strength: float, control: str
) -> None:
    target = max(target, low)
    request = AllocationRequest(
        base=base, target=target, low=low, correction=Correction(strength=strength, control=control)
    )
    found = allocate(request, profile(layers, seed))
    assert found.budget == pytest.approx(target, abs=1e-9)
    assert met(found.base, found.parameters) == pytest.approx(target, abs=1e-9)
    for row in (found.base, found.sparsity):
        assert row.min() >= low - 1e-12
        assert row.max() <= 0.95 + 1e-12
    if strength == 0:
        assert np.array_equal(found.base, found.sparsity)


@quick
@given(
    wish=arrays(float, st.integers(1, 12), elements=st.floats(-10, 10)),
    target=st.floats(0.1, 0.9),
    seed=st.integers(0, 99),
)
def test_any_wish_can_be_brought_to_the_budget(wish: np.ndarray, target: float, seed: int) -> None:
    parameters = np.random.default_rng(seed).integers(1, 10**7, len(wish)).astype(float)
    found = project(wish, parameters, target, Bounds(0.1, 0.9))
    assert met(found, parameters) == pytest.approx(target, abs=1e-9)
    assert (np.diff(found[np.argsort(wish, kind="stable")]) >= -1e-12).all()  # the order of the wish is kept
    again = project(found, parameters, target, Bounds(0.1, 0.9))
    assert again == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("base", SEEING)
@pytest.mark.parametrize("layers", [2, 7, 30])
def test_equal_scores_give_uniform(base: specs.Spec, layers: int) -> None:
    found = allocate(AllocationRequest(base=base, target=0.63), profile(layers, alike=True))
    assert found.base == pytest.approx(np.full(layers, 0.63), abs=1e-9)


def direction(gain: np.ndarray) -> np.ndarray:
    """What a correction by these gains adds at strength 1."""
    return correction.scaled(correction.shift(gain))


def test_equal_gains_correct_nothing() -> None:
    base = np.array([0.6, 0.7, 0.8])
    for gain in (1.0, 2.0, 0.1 + 0.2):
        assert np.array_equal(
            correction.corrected(base, direction(np.full(3, gain)), 0.1, np.ones(3), 0.7, Bounds()), base
        )


def permuted(found: Profile, order: np.ndarray) -> Profile:
    """The same layers in another order, as far as base allocators look."""
    weights = Weights(*(getattr(found.weights, name)[order] for name in ("parameters", "alpha_hill", "alpha_peak")))
    scores = Scores(*(getattr(found.scores, name)[order] for name in ("outlier_ratio", "mean", "median")))
    harms = ("kl", "nll_increase", "final_squared")
    measured = {
        key: replace(each, **{name: getattr(each, name)[order] for name in harms})
        for key, each in found.perturbed.items()
    }
    return replace(found, weights=weights, scores=scores, perturbed=measured)


@quick
@given(layers=st.integers(2, 10), seed=st.integers(0, 10**6), base=st.sampled_from(SEEING), alike=st.booleans())
def test_permuting_the_layers_permutes_the_allocation(layers: int, seed: int, base: specs.Spec, alike: bool) -> None:
    here = profile(layers, seed)
    if alike:  # some layers equal: ties must not be broken by their place
        here = permuted(here, np.arange(layers) // 2)
    order = np.random.default_rng(seed).permutation(layers)
    request = AllocationRequest(base=base, target=0.6)
    straight, mixed = (allocate(request, each).sparsity for each in (here, permuted(here, order)))
    assert mixed == pytest.approx(straight[order], abs=1e-9)


@quick
@given(gain=arrays(float, 6, elements=st.floats(0.01, 100)), seed=st.integers(0, 99), strength=st.floats(0.001, 0.3))
def test_permuting_the_layers_permutes_what_is_corrected(gain: np.ndarray, seed: int, strength: float) -> None:
    random = np.random.default_rng(seed)
    order, parameters = random.permutation(6), random.integers(1, 9, 6).astype(float)
    base = project(random.uniform(0.3, 0.9, 6), parameters, 0.6, Bounds())

    def corrected(at: np.ndarray) -> np.ndarray:
        return correction.corrected(base[at], direction(gain[at]), strength, parameters[at], 0.6, Bounds())

    assert corrected(order) == pytest.approx(corrected(np.arange(6))[order], abs=1e-9)


@quick
@given(gain=arrays(float, 6, elements=st.floats(0.01, 100)), seed=st.integers(0, 99), strength=st.floats(0.001, 0.3))
def test_the_correction_follows_its_layers(gain: np.ndarray, seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    order, parameters = rng.permutation(6), rng.integers(1, 1000, 6).astype(float)
    base = project(rng.random(6), parameters, 0.5, Bounds())
    plain, mixed = (
        correction.corrected(b, direction(g), strength, n, 0.5, Bounds())
        for b, g, n in ((base, gain, parameters), (base[order], gain[order], parameters[order]))
    )
    assert mixed == pytest.approx(plain[order], abs=1e-9)


def test_the_correction_protects_amplifiers_by_at_most_the_strength() -> None:
    base, parameters = np.full(4, 0.7), np.ones(4)
    gain = np.array([2.0, 1.5, 0.5, 1.0])
    assert correction.shift(gain).sum() == pytest.approx(0, abs=1e-12)
    found = correction.corrected(base, direction(gain), 0.05, parameters, 0.7, Bounds())
    assert found[0] < found[1] < found[3] < found[2]
    assert np.abs(found - base).max() == pytest.approx(0.05)
    assert correction.shift(np.array([1e9, 1.0])) == pytest.approx([-np.log(3) / 2, np.log(3) / 2])
    opposite = correction.corrected(base, correction.reversed_(direction(gain)), 0.05, parameters, 0.7, Bounds())
    assert found + opposite == pytest.approx(2 * base)


@quick
@given(gain=arrays(float, 8, elements=st.floats(0.05, 20)), seed=st.integers(0, 9))
def test_controls_move_over_the_same_width_as_the_correction(gain: np.ndarray, seed: int) -> None:
    plain = direction(gain)
    for control in (correction.reversed_(plain), correction.shuffled(plain, seed), correction.ramp(plain)):
        assert np.ptp(control) == pytest.approx(np.ptp(plain), abs=1e-12)
    here = profile(8, seed)
    widths = []
    for name in ("none", "reversed", "shuffled", "ramp"):
        asked = AllocationRequest(correction=Correction(strength=0.04, control=name))
        widths.append(np.ptp(allocate(asked, here).sparsity))
    assert widths == pytest.approx([widths[0]] * 4, abs=1e-9)


def test_a_driver_is_called_as_profiles_call_it() -> None:
    assert Correction(driver="gaussian:0.30").driver == "gaussian:0.3"
    with pytest.raises(ValueError, match="there is no perturbation 'nonsense'"):
        Correction(driver="nonsense")


def test_unclipped_numbers_take_no_correction() -> None:
    with pytest.raises(ValueError, match="not both"):
        AllocationRequest(base=requests.Owl(), unclipped=True, correction=Correction(strength=0.04))


def test_a_family_is_the_allocations_one_by_one() -> None:
    here = profile(9, 3)
    strengths = np.array([0, 0.02, 0.1])
    request = AllocationRequest(base=requests.Owl(), correction=Correction(control="reversed"))
    rows = family(request, here, strengths)
    for row, strength in zip(rows, strengths, strict=True):
        asked = request.correction.model_copy(update={"strength": float(strength)})
        assert np.array_equal(row, allocate(request.model_copy(update={"correction": asked}), here).sparsity)


# --- the response allocation ---------------------------------------------------------------------------------------


@quick
@given(
    layers=st.integers(2, 10),
    seed=st.integers(0, 10**6),
    target=st.floats(0.05, 0.88),
    objective=st.sampled_from(("drift", "kl", "nll")),
)
@example(layers=2, seed=5, target=0.75, objective="drift")  # a measured sparsity a rounding away from a grid point
def test_response_is_never_estimated_worse_than_uniform(layers: int, seed: int, target: float, objective: str) -> None:
    here = profile(layers, seed)
    base = requests.Response(objective=objective)
    found = allocate(AllocationRequest(base=base, target=target), here).sparsity
    uniform = estimate(np.full(layers, target), here, objective)
    assert estimate(found, here, objective) <= uniform * (1 + 1e-9)


@quick
@given(layers=st.integers(2, 10), seed=st.integers(0, 10**6), targets=st.lists(st.floats(0.0, 0.9), min_size=2))
def test_response_never_lowers_a_layer_when_the_target_rises(layers: int, seed: int, targets: list[float]) -> None:
    here = profile(layers, seed)
    rows = [
        allocate(AllocationRequest(base=requests.Response(), target=target), here).sparsity
        for target in sorted(targets)
    ]
    assert (np.diff(rows, axis=0) >= -1e-9).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), layers=st.integers(2, 3), target=st.sampled_from((0.2, 0.5, 0.7)))
def test_response_beats_every_allocation_of_a_fine_grid(seed: int, layers: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    found = curves(np.array([0.3, 0.6, 0.9]), np.cumsum(rng.random((layers, 3)), axis=1))
    parameters = rng.integers(1, 10, layers).astype(float)
    best = response(found, parameters, target, Bounds(0.1, 0.85))
    assert met(best, parameters) == pytest.approx(target, abs=1e-9)
    grid = np.meshgrid(*[np.linspace(0.1, 0.85, 76)] * (layers - 1), indexing="ij")
    first = np.stack([axis.ravel() for axis in grid])
    last = (target * parameters.sum() - parameters[:-1] @ first) / parameters[-1]
    usable = (last >= 0.1) & (last <= 0.85)
    rows = np.vstack([first, last])[:, usable]
    totals = sum(np.interp(row, found.sparsity, harm) for row, harm in zip(rows, found.harm, strict=True))
    assert found.at(best).sum() <= totals.min() + 1e-12


def test_the_hull_is_convex_below_and_touches() -> None:
    x = np.linspace(0, 1, 50)
    y = x**2 + 0.1 * np.sin(30 * x)
    low = hull(x, y)
    assert (low <= y + 1e-12).all()
    assert (np.diff(low, 2) >= -1e-12).all()
    assert (low[0], low[-1]) == (y[0], y[-1])


def test_least_harm_sits_on_the_largest_sparsity_measured() -> None:
    here = profile(8, 2)
    plain = AllocationRequest(base=requests.Response(), target=0.8)
    found = allocate(plain, here)
    reached = found.sparsity >= 0.9 - 1e-9
    assert reached.any() and np.array_equal(found.bound, reached) and found.bounds == Bounds(0, 0.9)
    loose = allocate(plain.model_copy(update={"unclipped": True}), here)
    assert np.array_equal(loose.bound, reached), "it keeps its bounds in either case"
    on = allocate(plain.model_copy(update={"correction": Correction(strength=0.04)}), here)
    assert on.bounds == Bounds(0, 0.95)


def test_estimates_of_many_agree_with_one_and_stop_at_what_was_measured() -> None:
    here = profile(5, 1)
    rows = np.array([np.full(5, 0.5), np.linspace(0.3, 0.9, 5), np.linspace(0.5, 0.92, 5)])
    found = estimates(rows, here, "kl")
    assert found[:2] == pytest.approx([estimate(row, here, "kl") for row in rows[:2]])
    assert np.isnan(found[2])
    with pytest.raises(
        UserError, match=r"layer 4 has sparsity 0.920, the largest measured one is 0.9: measure a larger"
    ):
        estimate(rows[2], here, "kl")


# --- a budget per linear -------------------------------------------------------------------------------------------

STACK = ("attn.qkv", "attn.out", "mlp.up")
LEVELS = (0.4, 0.7, 0.9)
PER_LINEAR = requests.Response(granularity="linear")


def of_linears(layers: int, seed: int = 0, linears: int = 3, lacking: str | None = None) -> Profile:
    """A profile of random numbers in which each linear was pruned alone too; one may lack a sparsity."""
    plain, rng = profile(layers, seed), np.random.default_rng(seed + 1)
    measured = dict(plain.perturbed)
    for name in STACK[:linears]:
        harm = np.zeros((layers, 3))
        for level in LEVELS:
            harm = harm + 0.05 + rng.random((layers, 3))
            key = specs.Measurement(perturbation=specs.ResidualLinear(pruner="wanda", sparsity=level, linear=name))
            if lacking is None or key.name != lacking:
                measured[key] = replace(
                    synthetic.perturbed(layers, 3, specs.Measurement(perturbation=specs.Skip())),
                    kl=harm, nll_increase=harm**1.5, final_squared=harm / 2,
                )  # fmt: skip
    sizes = rng.integers(1_000, 5_000_000, (layers, linears)).astype(float)
    told = SimpleNamespace(key="invented", spec=None, provenance=plain.provenance | {"linears": list(STACK[:linears])})
    weights = Weights(sizes, plain.weights.alpha_hill[:, :linears], plain.weights.alpha_peak[:, :linears])
    return replace(plain, entry=told, weights=weights, perturbed=measured)


@quick
@given(
    layers=st.integers(2, 9),
    seed=st.integers(0, 10**6),
    target=st.sampled_from((0.2, 0.5, 0.7, 0.88)),
    low=st.sampled_from((0.0, 0.2)),
    strength=st.sampled_from((0.0, 0.01, 0.2)),
    control=st.sampled_from(("none", "reversed", "shuffled", "ramp")),
)
def test_a_budget_per_linear_is_met_over_weights_inside_the_bounds(
    layers: int, seed: int, target: float, low: float, strength: float, control: str
) -> None:
    here = of_linears(layers, seed)
    request = AllocationRequest(
        base=PER_LINEAR, target=target, low=low, correction=Correction(strength=strength, control=control)
    )
    found = allocate(request, here)
    for linears, means in ((found.linears, found.sparsity), (found.base_linears, found.base)):
        assert linears.shape == (layers, 3)
        assert np.average(linears, weights=here.weights.parameters) == pytest.approx(target, abs=1e-9)
        assert met(means, found.parameters) == pytest.approx(target, abs=1e-9)
        assert low - 1e-12 <= linears.min() and linears.max() <= 0.95 + 1e-12
    if strength == 0:
        assert np.array_equal(found.base_linears, found.linears)


@pytest.mark.parametrize("effort", list(candidates.GRIDS))
def test_the_best_setting_is_sought_per_linear_too_where_linears_were_measured(effort: str) -> None:
    layers = 6
    asked = candidates.candidates(candidates.GRIDS[effort], "wanda", 0.6, layers, 0)
    for here, there in ((of_linears(layers), True), (profile(layers), False)):
        kept, notes = candidates.possible(asked, np.ones((layers, 3)), here)
        fine = [each for each in kept if getattr(each.allocation.base, "granularity", "layer") == "linear"]
        assert bool(fine) is there
        assert any("granularity=linear" in note and "left out" in note for note in notes) is not there


@quick
@given(
    layers=st.integers(2, 9),
    seed=st.integers(0, 10**6),
    target=st.floats(0.05, 0.88),
    objective=st.sampled_from(("drift", "kl", "nll")),
)
def test_response_per_linear_is_never_estimated_worse_than_uniform_or_one_number_per_layer(
    layers: int, seed: int, target: float, objective: str
) -> None:
    here = of_linears(layers, seed)
    base = requests.Response(objective=objective)
    linear = base.model_copy(update={"granularity": "linear"})
    found, coarse = (allocate(AllocationRequest(base=each, target=target), here) for each in (linear, base))
    mine = estimate(found.linears, here, objective)
    assert mine <= estimate(np.full((layers, 3), target), here, objective) * (1 + 1e-9)
    assert mine <= estimate(np.repeat(coarse.sparsity[:, None], 3, axis=1), here, objective) * (1 + 1e-9)


@quick
@given(layers=st.integers(2, 9), seed=st.integers(0, 10**6), targets=st.lists(st.floats(0.0, 0.9), min_size=2))
def test_response_never_lowers_a_linear_when_the_target_rises(layers: int, seed: int, targets: list[float]) -> None:
    here = of_linears(layers, seed)
    rows = [allocate(AllocationRequest(base=PER_LINEAR, target=target), here).linears for target in sorted(targets)]
    assert (np.diff(rows, axis=0) >= -1e-9).all()


@quick
@given(layers=st.integers(2, 9), seed=st.integers(0, 10**6), alike=st.booleans())
def test_permuting_the_layers_permutes_budgets_per_linear(layers: int, seed: int, alike: bool) -> None:
    here = of_linears(layers, seed)
    if alike:
        here = permuted(here, np.arange(layers) // 2)
    order = np.random.default_rng(seed).permutation(layers)
    request = AllocationRequest(base=PER_LINEAR, target=0.6)
    straight, mixed = (allocate(request, each).linears for each in (here, permuted(here, order)))
    assert mixed == pytest.approx(straight[order], abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), target=st.sampled_from((0.3, 0.5, 0.7)))
def test_response_per_linear_beats_every_allocation_of_a_fine_grid(seed: int, target: float) -> None:
    """Two layers of two linears: three of the four are tried on a grid, the last one meets the budget."""
    here = of_linears(2, seed, linears=2)
    request = AllocationRequest(base=PER_LINEAR, target=target, low=0.1, high=0.85)
    found = allocate(request, here).linears
    axis = np.linspace(0.1, 0.85, 26)
    first = np.stack([each.ravel() for each in np.meshgrid(axis, axis, axis, indexing="ij")], axis=1)
    sizes = here.weights.parameters.ravel()
    last = (target * sizes.sum() - first @ sizes[:-1]) / sizes[-1]
    usable = (last >= 0.1) & (last <= 0.85)
    rows = np.column_stack([first, last])[usable].reshape(-1, 2, 2)
    assert len(rows)
    assert estimate(found, here) <= estimates(rows, here).min() + 1e-12


@quick
@given(layers=st.integers(2, 9), seed=st.integers(0, 10**6))
def test_estimates_per_linear_are_sums_over_linears(layers: int, seed: int) -> None:
    here, rng = of_linears(layers, seed), np.random.default_rng(seed)
    rows = rng.uniform(0, 0.9, (3, layers, 3))
    rows[2, 0, 1] = 0.93
    found = estimates(rows, here, "kl")
    assert found[:2] == pytest.approx([estimate(row, here, "kl") for row in rows[:2]])
    assert np.isnan(found[2])
    with pytest.raises(UserError, match=r"layer 0 has sparsity 0.930, the largest measured one is 0.9"):
        estimate(rows[2], here, "kl")
    one = np.zeros((layers, 3))
    one[1, 2] = 0.7
    [harm] = [
        each.kl[1].mean() for key, each in here.perturbed.items() if key.name == "residual_linear:wanda:0.7:mlp.up"
    ]
    assert estimate(one, here, "kl") <= harm * (1 + 1e-9), "the hull lies on or below what was measured"


def test_what_lies_below_nothing_has_no_estimate() -> None:
    here = profile(4)
    assert np.isnan(estimates(np.array([[-0.1, 0.5, 0.5, 0.5]]), here)[0])
    with pytest.raises(UserError, match=r"layer 0 has sparsity -0.100: nothing below 0"):
        estimate(np.array([-0.1, 0.5, 0.5, 0.5]), here)


def test_a_family_per_linear_is_the_allocations_one_by_one() -> None:
    here, strengths = of_linears(7, 3), np.array([0, 0.02, 0.1])
    request = AllocationRequest(base=PER_LINEAR, correction=Correction(control="ramp"))
    exact, means = exact_family(request, here, strengths), family(request, here, strengths)
    assert exact.shape == (3, 7, 3) and means.shape == (3, 7)
    for linears, row, strength in zip(exact, means, strengths, strict=True):
        asked = request.correction.model_copy(update={"strength": float(strength)})
        found = allocate(request.model_copy(update={"correction": asked}), here)
        assert np.array_equal(linears, found.linears)
        assert np.array_equal(row, found.sparsity)


@quick
@given(layers=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_the_mean_of_a_layer_is_weighted_by_its_linears(layers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    linears, sizes = rng.random((layers, 4)), rng.integers(1, 1000, (layers, 4)).astype(float)
    found = layer_means(linears, sizes)
    assert found == pytest.approx([np.average(row, weights=size) for row, size in zip(linears, sizes, strict=True)])
    assert met(found, sizes.sum(1)) == pytest.approx(np.average(linears, weights=sizes))


def test_a_linear_on_a_bound_is_told_of_its_layer() -> None:
    found = allocate(AllocationRequest(base=PER_LINEAR, target=0.7, high=0.8), of_linears(6, 2))
    touching = ((found.linears <= 1e-9) | (found.linears >= 0.8 - 1e-9)).any(1)
    assert touching.any()
    assert np.array_equal(found.bound, touching)


def test_numbers_per_linear_set_by_hand_are_kept_and_brought_to_the_budget() -> None:
    here = of_linears(3, 4)
    request = AllocationRequest(base=PER_LINEAR, target=0.6)
    solved = allocate(request, here)
    by_hand = requests.Manual(sparsity=tuple(map(tuple, solved.linears.tolist())))
    again = allocate(request.model_copy(update={"base": by_hand}), here)
    assert again.linears == pytest.approx(solved.linears, abs=1e-9)
    raised = allocate(AllocationRequest(base=by_hand, target=0.65), here)
    assert np.average(raised.linears, weights=here.weights.parameters) == pytest.approx(0.65, abs=1e-9)


LINEARS_REFUSED = {
    "layers with different numbers of linears": ((0.5, 0.5, 0.5), (0.5, 0.5)),
    "holds 3 x 2 numbers .layers x linears., the model needs 2 x 3": ((0.5, 0.5),) * 3,
    "holds 1 x 3 numbers .layers x linears., the model needs 2 x 3": ((0.5, 0.5, 0.5),),
}


@pytest.mark.parametrize("said, sparsity", LINEARS_REFUSED.items())
def test_numbers_per_linear_of_another_shape_get_one_sentence(said: str, sparsity: tuple) -> None:
    with pytest.raises(UserError, match=said):
        allocate(AllocationRequest(base=requests.Manual(sparsity=sparsity)), of_linears(2))


def test_a_profile_that_lacks_linears_is_refused_in_a_sentence_that_names_what_would_do(sentence) -> None:
    request = AllocationRequest(base=PER_LINEAR)
    for here in (profile(4), of_linears(4, lacking="residual_linear:wanda:0.7:attn.out")):
        with pytest.raises(UserError) as caught:
            allocate(request, here)
        sentence(caught.value, "residual_linear:wanda:0.5:", "lacks")
    assert "attn.out" in str(caught.value)


def test_layers_that_differ_in_their_linears_get_one_budget_per_layer(sentence) -> None:
    sizes = of_linears(3).weights.parameters.copy()
    sizes[1, 2] = np.nan
    with pytest.raises(UserError) as caught:
        spread(AllocationRequest(base=PER_LINEAR), sizes, of_linears(3))
    sentence(caught.value, "spread the budget over layers")


# --- golden values -------------------------------------------------------------------------------------------------

ALPHA = """
2.6222 2.8899 2.9690 2.9645 3.0900 3.0638 2.9606 2.7456 2.7752 2.6086 2.7167 2.7297 2.7843 2.8517 2.8966 3.1767
3.1230 3.4461 3.8715 3.6060 3.8945 4.0660 3.7551 3.7146 3.9941 4.2204 4.1024 4.1604 3.8508 4.0934 4.1601 3.5374
"""
SPARSITY = """
.5704 .6176 .6315 .6307 .6529 .6482 .6301 .5922 .5974 .5680 .5871 .5894 .5990 .6109 .6188 .6681
.6587 .7156 .7906 .7438 .7946 .8248 .7701 .7629 .8122 .8521 .8313 .8415 .7869 .8297 .8414 .7317
"""


def test_alphapruning_gives_the_published_vector() -> None:
    """LLaMA-7B, 70 %, epsilon 0.2: from the metric that the reference repository ships."""
    alpha, expected = (np.array(text.split(), float) for text in (ALPHA, SPARSITY))
    assert allocators.alphapruning(alpha, np.ones(32), 0.7, 0.2) == pytest.approx(expected, abs=1e-4)


def test_the_ramp_has_the_ends_of_atp() -> None:
    found = allocators.depth_ramp(32, 0.7, 0.01)
    assert (found[0], found[-1]) == (pytest.approx(0.545), pytest.approx(0.855))


def test_owl_by_hand() -> None:
    """Kept more: 0, 0.04 and 0.16 with mean 1/15; so the band is 0.16 wide and not centred on the target."""
    found = allocators.owl(np.array([0.01, 0.02, 0.05]), 0.7, 0.08)
    assert found == pytest.approx([0.7 + 1 / 15, 0.7 + 1 / 15 - 0.04, 0.7 + 1 / 15 - 0.16])


def test_dlp_prunes_large_scores_more() -> None:
    assert allocators.dlp(np.array([1.0, 2.0, 3.0]), 0.5, 0.1) == pytest.approx([0.4, 0.5, 0.6])


def test_unclipped_numbers_may_leave_the_bounds_and_the_budget() -> None:
    base = requests.AlphaPruning(epsilon=0.9)
    found = allocate(AllocationRequest(base=base, target=0.9, unclipped=True), profile(12, 5))
    assert found.sparsity.max() > 1
    assert found.budget == pytest.approx(0.9)


# --- by hand -------------------------------------------------------------------------------------------------------


@quick
@given(seed=st.integers(0, 10**6), layer=st.integers(0, 5), value=st.floats(0.5, 0.8))
def test_a_layer_set_by_hand_stays_and_the_budget_is_restored(seed: int, layer: int, value: float) -> None:
    rng = np.random.default_rng(seed)
    parameters = rng.integers(50, 100, 6).astype(float)
    start = project(rng.random(6), parameters, 0.65, Bounds())
    found = pinned(start, {layer: value}, parameters, 0.65, Bounds())
    assert found[layer] == value
    assert met(found, parameters) == pytest.approx(0.65, abs=1e-9)
    assert np.array_equal(pinned(start, {}, parameters, 0.65, Bounds()), start)


HAND = {
    "the others would need a mean sparsity of 1.05": {0: 0.0, 1: 0.0, 2: 0.0},
    "layer 1 cannot have sparsity 0.97: the bounds are 0 to 0.95": {1: 0.97},
    "every layer is set by hand": {i: 0.5 for i in range(9)},
}


@pytest.mark.parametrize("said, hand", HAND.items())
def test_an_impossible_layer_by_hand_gets_one_sentence(said: str, hand: dict[int, float]) -> None:
    with pytest.raises(UserError, match=said):
        pinned(np.full(9, 0.7), hand, np.ones(9), 0.7, Bounds())


# --- what cannot be ------------------------------------------------------------------------------------------------

REFUSED = {
    "target sparsity 0.96 lies outside the bounds 0 to 0.95": AllocationRequest(target=0.96),
    "target sparsity 0.3 lies outside the bounds 0.4 to 0.95": AllocationRequest(target=0.3, low=0.4),
    "bounds 0.8 to 0.5: they must rise": AllocationRequest(target=0.6, low=0.8, high=0.5),
    "skip was not measured in invented: there are gaussian:0.3": AllocationRequest(
        correction=Correction(strength=0.1, driver="skip")
    ),
    "exceeds the largest measured one, 0.9: measure a larger one": AllocationRequest(
        base=requests.Response(), target=0.92
    ),
    "no sparsity of magnitude residuals, .*: measure residual:magnitude:0.5": AllocationRequest(
        base=requests.Response(pruner="magnitude")
    ),
    "this allocation has 3 layers, the model has 8": AllocationRequest(base=requests.Manual(sparsity=(0.7,) * 3)),
}


@pytest.mark.parametrize("said, request_", REFUSED.items())
def test_what_cannot_be_gets_one_sentence(said: str, request_: AllocationRequest) -> None:
    with pytest.raises(UserError, match=said) as caught:
        allocate(request_, profile(8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base", SEEING)
def test_nan_in_a_profile_is_refused_and_never_spread(base: specs.Spec) -> None:
    here = profile(8)
    here.weights.alpha_peak[3] = here.scores.outlier_ratio[3] = here.scores.mean[3] = np.nan
    for each in here.perturbed.values():
        each.final_squared[3] = each.kl[3] = each.nll_increase[3] = np.nan
    for unclipped in (False, True):
        with pytest.raises(UserError, match="measure again in float32"):
            allocate(AllocationRequest(base=base, unclipped=unclipped), here)


@pytest.mark.parametrize("drift", [np.nan, -np.inf])
def test_a_gain_that_is_not_known_drives_nothing(drift: float) -> None:
    here = profile(8)
    for each in here.perturbed.values():
        each.log_drift[3] = drift
    request = AllocationRequest(correction=requests.Correction(strength=0.04))
    with pytest.raises(UserError, match=r"layer 3 has no gain under gaussian:0\.3"):
        allocate(request, here)


@pytest.mark.parametrize("score", [np.array([0.1 + 0.2, 0.3, 0.3]), np.zeros(3), np.full(3, 7.0)])
def test_scores_that_differ_by_rounding_are_equal(score: np.ndarray) -> None:
    assert allocators.owl(score, 0.7).tolist() == [0.7] * 3
    assert allocators.dlp(score, 0.7).tolist() == [0.7] * 3
    assert allocators.alphapruning(score, np.array([1.0, 2.0, 3.0]), 0.7).tolist() == [0.7] * 3


def test_unclipped_numbers_sit_on_no_bound() -> None:
    request = AllocationRequest(base=requests.AlphaPruning(epsilon=0.9), target=0.8, unclipped=True)
    found = allocate(request, profile(12))
    assert found.sparsity.max() > 0.95 and not found.bound.any()


def test_a_model_that_cannot_be_pruned_is_refused() -> None:
    with pytest.raises(UserError, match="not allocated for"):
        allocate(AllocationRequest(), replace(profile(4), weights=None, scores=None))


# --- to take along -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modifier", ["WandaPruningModifier", "SparseGPTModifier"])
def test_the_recipe_has_one_sparsity_per_layer(modifier: str) -> None:
    found = allocate(AllocationRequest(base=requests.Owl()), profile(13))
    recipe = yaml.safe_load(recipes.llm_compressor(found.sparsity, modifier, "a model:\nOWL"))
    asked = recipe["pruning_stage"]["pruning_modifiers"][modifier]
    assert asked["sparsity"] == pytest.approx(found.sparsity.tolist(), abs=1e-9)
    assert asked["mask_structure"] == "0:0"
    assert asked["ignore"] == ["re:.*lm_head"]


@pytest.mark.parametrize("modifier", ["WandaPruningModifier", "SparseGPTModifier"])
def test_the_recipe_has_one_sparsity_per_linear_in_the_order_of_the_modules(modifier: str) -> None:
    """A list is dealt out to the matched modules in the model's order: matched here as its code does, by name."""
    found = allocate(AllocationRequest(base=PER_LINEAR, target=0.6), of_linears(4, 1))
    recipe = yaml.safe_load(recipes.llm_compressor(found.linears, modifier, "a model", STACK))
    asked = recipe["pruning_stage"]["pruning_modifiers"][modifier]
    inside = ("attn", *STACK[:2], "mlp", STACK[2], "attn.qkv.extra", "norm")
    modules = [name for layer in range(4) for name in (f"m.layers.{layer}", *(f"m.layers.{layer}.{x}" for x in inside))]
    [target] = asked["targets"]
    matched = [name for name in ["m.embed", *modules, "lm_head"] if re.match(target.removeprefix("re:"), name)]
    assert matched == [f"m.layers.{layer}.{name}" for layer in range(4) for name in STACK]
    assert asked["sparsity"] == pytest.approx(found.linears.ravel().tolist(), abs=1e-9)
    with pytest.raises(ValueError, match="3 linears have 1 names"):
        recipes.llm_compressor(found.linears, modifier, "a model", STACK[:1])


def test_what_cannot_be_pruned_makes_no_recipe(sentence) -> None:
    for strange in (1.0, -0.01):
        with pytest.raises(UserError) as caught:
            recipes.llm_compressor(np.array([0.5, strange]), "WandaPruningModifier", "a model")
        sentence(caught.value, "from 0 to below 1")


def test_the_command_says_granularity_only_where_it_is_not_the_default() -> None:
    layer = recipes.arguments(AllocationRequest(base=requests.Response()), "k")
    linear = recipes.arguments(AllocationRequest(base=PER_LINEAR), "k")
    assert "--granularity" not in layer
    assert linear[linear.index("--granularity") + 1] == "linear"
    by_hand = AllocationRequest(base=requests.Manual(sparsity=((0.5, 0.6), (0.7, 0.8))))
    assert recipes.arguments(by_hand, "k") == ["prune", "--allocation", "allocation.json"]


def test_the_file_of_a_budget_per_linear_is_read_as_it_was_written(tmp_path) -> None:
    here = of_linears(5, 8)
    found = allocate(AllocationRequest(base=PER_LINEAR, target=0.55), here)
    path = tmp_path / recipes.FILE
    path.write_text(recipes.as_json(found, here, {}), encoding="utf-8")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["linears"] == list(STACK)
    assert np.average(told["sparsity"], weights=told["parameters"]) == pytest.approx(0.55, abs=1e-9)
    again = allocate(written.from_file(path), here)
    assert np.array_equal(again.linears, found.linears)
    assert again.request.target == pytest.approx(0.55)


def test_numbers_written_down_with_another_budget_than_they_spend_are_refused(tmp_path, sentence) -> None:
    here, path = of_linears(4, 1), tmp_path / "allocation.json"
    rows = [[0.9, 0.9, 0.1]] * 4
    spent = np.average(np.array(rows), weights=here.weights.parameters)
    for content in (rows, {"sparsity": rows, "budget": 0.2}):
        path.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(UserError) as caught:
            allocate(written.from_file(path), here)
        sentence(caught.value, f"{spent:.6f} of this model's", f'"budget": {spent:.9f}')
    path.write_text(json.dumps({"sparsity": rows, "budget": round(spent, 9)}), encoding="utf-8")
    assert allocate(written.from_file(path), here).budget == pytest.approx(spent)


def test_the_json_reads_back_as_the_request() -> None:
    here = profile(6)
    request = AllocationRequest(base=requests.Dlp(), correction=Correction(strength=0.03, control="shuffled", seed=2))
    told = json.loads(recipes.as_json(allocate(request, here), here, {"drift": 0.5}))
    assert AllocationRequest.model_validate(told["request"]) == request
    assert np.average(told["sparsity"], weights=told["parameters"]) == pytest.approx(0.7, abs=1e-9)
