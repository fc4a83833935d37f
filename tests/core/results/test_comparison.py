"""Intervals: paired by window, spread over seeds; rank correlations."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from core.base import Estimate, UserError
from core.results import spearman, study_results
from core.results.comparison import over_seeds, paired, percent
from core.store import Store

ROOT = Path(__file__).parents[3]

losses = st.lists(st.floats(0.1, 12), min_size=8, max_size=40).map(np.array)
readings = st.lists(st.integers(-3, 3), min_size=3, max_size=20)


@given(losses, st.integers(0, 1 << 30))
def test_swapping_the_two_mirrors_the_interval(a, seed):
    b = a + np.random.default_rng(seed).normal(0.1, 0.3, len(a))
    one, other = paired(a, b), paired(b, a)
    np.testing.assert_allclose([one.value, one.low, one.high], [-other.value, -other.high, -other.low], atol=1e-12)
    assert one.low < one.value < one.high
    assert one.value == pytest.approx(float(np.mean(a) - np.mean(b)), abs=1e-12)


def covered(draw, truth, n, trials, of):
    """Share of intervals that hold the mean of what was drawn."""
    found = [of(each) for each in draw((trials, n))]
    return float(np.mean([each.low <= truth <= each.high for each in found]))


def of_windows(difference):
    hard = np.linspace(1, 9, len(difference))  # what makes a window hard for both
    return paired(hard + difference, hard)


@pytest.fixture(scope="module")
def differences():
    """Differences in loss to uniform of every committed setting, window by window."""
    store = Store(ROOT / "cache" / "demo")
    settings = [each for entry in store.entries("study") for each in study_results.load(store, entry).settings]
    both = [(each, each.uniform, seed) for each in settings if each.uniform for seed in each.results]
    losses = [
        (a.results[seed].evaluated.nll, b.results[seed].evaluated.nll) for a, b, seed in both if seed in b.results
    ]
    return [a - b for a, b in losses if np.isfinite(a - b).all() and np.ptp(a - b) > 0]


@pytest.mark.parametrize("n", [8, 24])
def test_intervals_over_windows_cover_the_mean_as_often_as_they_say(n, differences):
    real, draw = np.random.default_rng(n).spawn(2)  # so that another committed study changes no draw of the second kind
    assert len(differences) >= 30
    found = [covered(partial(real.choice, each), each.mean(), n, 30, of_windows) for each in differences]
    assert np.mean(found) > 0.935  # of 1,200 and more: 0.94 but for what so few draws can tell
    for one, truth in ((draw.normal, 0), (partial(draw.standard_t, 5), 0), (partial(draw.gamma, 4, 1), 4)):
        assert 0.94 <= covered(lambda shape, one=one: one(size=shape), truth, n, 3000, of_windows) <= 0.99


@pytest.mark.parametrize("n", [3, 5])
def test_intervals_over_seeds_cover_the_mean_as_often_as_they_say(n):
    draw = np.random.default_rng(n)
    assert 0.935 <= covered(lambda shape: draw.normal(0.2, 0.1, shape), 0.2, n, 3000, over_seeds) <= 0.965


def test_too_few_windows_have_a_value_but_no_interval():
    found = paired(np.arange(7.0), np.zeros(7))
    assert found.value == 3 and math.isnan(found.low) and math.isnan(found.high)
    assert not found.certain and found.n == 7
    assert paired(np.arange(8.0), np.zeros(8)).certain


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_leaves_nothing_to_say(odd):
    a = np.full(10, 3.0)
    a[4] = odd
    for found in (paired(a, np.full(10, 2.0)), paired(np.full(10, 2.0), a)):
        assert math.isnan(found.value) and not found.certain
    assert math.isnan(paired(np.array([]), np.array([])).value)


def test_unlike_windows_cannot_be_paired():
    with pytest.raises(UserError, match="12 windows cannot be paired with 10"):
        paired(np.zeros(12), np.zeros(10))


@given(st.floats(-5, 5), st.floats(0, 2), st.floats(0, 2))
def test_per_cent_of_perplexity(value, below, above):
    found = percent(Estimate(value, value - below, value + above, 9))
    assert found.value == pytest.approx(100 * (math.exp(value) - 1), abs=1e-9)
    assert found.low <= found.value <= found.high and found.n == 9
    assert np.sign(found.value) == np.sign(value)


def test_per_cent_of_a_collapse_is_infinite_and_no_error():
    with np.errstate(all="raise"):
        assert percent(Estimate(900, 800, 1000, 9)).value == math.inf


@given(readings, st.integers(0, 1 << 30))
def test_rank_correlation_is_spearmans(x, seed):
    y = np.random.default_rng(seed).integers(-3, 4, len(x)).tolist()
    rho = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
        assert spearman(np.exp(x), y) == pytest.approx(rho, abs=1e-12)
        assert spearman(np.negative(x), y) == pytest.approx(-rho, abs=1e-12)


def test_pairs_with_a_nan_are_left_out():
    assert spearman(np.array([1, np.nan, 2, 3, 9]), np.array([4, 0, 5, 6, np.nan])) == pytest.approx(1)
    assert math.isnan(spearman(np.array([1, np.nan]), np.array([4, 0])))
