"""The leaderboard of the methods: who stands in it, with which numbers, and what is said of the lowest."""

import math

import numpy as np
import pytest

from core.methods import METHODS, AlphaPruning, Owl, Response, Treatment, Uniform
from core.plan import allocate
from core.requests import AllocationRequest, Correction, Recipe
from core.results import Leaderboard, best_forecast, place_at, tied
from core.show.figures import perplexity_by_method
from tests.builders import profiles as builders

LAYERS, TARGET = 6, 0.7
FIX, TUNED = Correction(strength=0.04), Owl(m=7.0, lam=0.1)


def at_target(base, **more):
    return AllocationRequest(base=base, target=TARGET, **more)


@pytest.fixture
def groups(empty, profile, study):
    """All studies of the model in the cache, with one more."""

    def save(*asked, **how):
        study(*asked, **how)
        return list(builders.groups(empty, profile.spec.model).values())

    return save


@pytest.fixture
def measured(groups):
    """Four methods, OWL with parameters of its own, and a correction."""
    fixes = (FIX, FIX.replace(control="reversed"))
    return groups(
        *map(at_target, (TUNED, AlphaPruning(), Response())), *(at_target(Uniform(), correction=fix) for fix in fixes)
    )


def ranking(profile, groups, target=TARGET):
    return Leaderboard(profile, *(place_at(groups, target) or ())).ranking(AllocationRequest(target=target))


def test_every_method_stands_in_it_and_the_measured_ones_lead_with_what_was_measured(profile, measured):
    ranked = ranking(profile, measured)
    lead = [each for each in ranked if each.measured]
    assert {each.kind for each in ranked} == {*METHODS} and lead == ranked[: len(lead)]
    assert {each.kind for each in lead} == {"uniform", "owl", "alphapruning", "response"}
    assert [each.perplexity for each in lead] == sorted(each.measured.perplexity for each in lead)
    by_kind = {each.kind: each for each in ranked}
    assert (by_kind["owl"].name, by_kind["owl"].spoken) == ("OWL, m 7, lam 0.1", "OWL (m 7, lam 0.1)")
    np.testing.assert_array_equal(by_kind["owl"].sparsity, by_kind["owl"].measured.planned)
    default = allocate(AllocationRequest(base=METHODS["dlp"](), target=TARGET), profile).sparsity
    np.testing.assert_allclose(by_kind["dlp"].sparsity, default)


def test_one_that_is_lowest_by_luckier_seeds_alone_is_not_called_lower_than_uniform(profile, groups):
    def rise(setting):
        cost = {"uniform": 2.0, "owl": 2.05}.get(setting.allocation.base.kind, 2.4)
        return cost + 0.3 * (setting.calibration_seed > 0)

    asked = [(Owl(), 0), *((AlphaPruning(), seed) for seed in range(3))]
    settings = [Recipe(allocation=at_target(base), calibration_seed=seed) for base, seed in asked]
    ranked = ranking(profile, groups(*settings, cost=rise))
    assert ranked[0].kind == "owl" and ranked[0].measured.against_uniform.quoted.low > 0
    assert "but is worse than Uniform" in perplexity_by_method(ranked, 12.0).finding


def test_the_allocation_on_screen_is_known_where_it_was_measured(profile, measured):
    planned = next(each.sparsity for each in ranking(profile, measured) if each.kind == "owl")
    here = Leaderboard(profile, *place_at(measured, TARGET))
    assert here.in_view("mine", planned).measured.setting.allocation.base == TUNED
    assert here.in_view("mine", planned[::-1].copy()).measured is None
    assert Leaderboard(profile).in_view("mine", planned).measured is None


def test_a_budget_per_linear_that_was_measured_by_another_profile_stands_beside_that_per_layer(profile, groups):
    groups(at_target(Response()))
    both = groups(at_target(Response(granularity="linear")), saw="b" * 16)
    per_response = [each for each in ranking(profile, both) if each.kind == "response" and each.measured]
    layers, linears = sorted(per_response, key=lambda each: each.measured.planned.ndim)
    planned = linears.measured.planned
    assert (layers.measured.planned.ndim, planned.ndim, linears.name) == (1, 2, "Response per matrix")
    assert linears.sparsity.shape == (LAYERS,) and linears.measured.uniform is layers.measured.uniform


def test_a_method_that_goes_beyond_what_was_measured_is_predicted_up_to_there(profile, measured):
    forecast = best_forecast(measured, profile, Treatment("wanda"))
    every = Leaderboard(profile, forecast.study, None, forecast).ranking(AllocationRequest(target=0.85))
    kept = {each.name for each in every if each.name.endswith("high 0.9")}
    assert "DLP, high 0.9" in kept and "Uniform" not in kept
    assert all(each.predicted and each.sparsity.max() <= 0.9 + 1e-9 for each in every)
    alone = Leaderboard(profile).ranking(AllocationRequest(target=0.85))
    assert not any("high" in each.name for each in alone), "nothing predicts: no method has to be kept to it"


def test_what_was_not_measured_stands_with_what_is_predicted_of_it(profile, measured):
    forecast = best_forecast(measured, profile, Treatment("wanda"))
    for target in (TARGET, 0.55):
        place = place_at(measured, target) or (forecast.study, None)
        ranked = Leaderboard(profile, *place, forecast).ranking(AllocationRequest(target=target))
        costs = [each.perplexity for each in ranked]
        assert costs == sorted(costs) and all(map(math.isfinite, costs)) and len(costs) == len(METHODS)
        for each in ranked:
            assert (each.measured is None) == (each.predicted is not None)
            if each.predicted:
                exact = allocate(AllocationRequest(base=METHODS[each.kind](), target=target), profile).exact
                assert each.predicted == forecast.predict(exact) and each.interval == each.predicted[1:3]
    assert " is predicted to have the lowest perplexity, " in perplexity_by_method(ranked, 12.0).finding
    mine = Leaderboard(profile, forecast.study, None, forecast).in_view("mine", ranked[0].sparsity)
    assert mine.predicted == ranked[0].predicted and tied(mine, ranked[0])
