"""Predictions: through what was measured, intervals that cover the rest, curves that only rise and seldom bend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.plan import prediction, responses
from tests.core.allocating import of_linears, quick

SEEDS = st.integers(0, 10**6)


def world(rng, count, layers=8):
    """Harms (count, layers) of allocations at several targets, and increases as some model might show them.

    Which layers bear the harm matters too, smoothly, by 5 % or so.
    """
    share = rng.lognormal(0, 0.7, layers)
    harms = share * rng.choice([0.02, 0.05, 0.1, 0.2], (count, 1)) * rng.lognormal(0, 0.3, (count, layers))
    power, slope, bend, noise = (
        rng.uniform(0.6, 1.3),
        rng.uniform(0.6, 1.3),
        rng.normal(0, 0.05),
        rng.uniform(0.01, 0.1),
    )
    x = np.log((harms**power).sum(1)) / power
    z = x - x.mean()
    borne = np.sqrt(harms / harms.sum(1, keepdims=True)) @ rng.normal(0, 0.3, layers)
    return harms, np.exp(0.3 + slope * z + bend * z**2 + borne + noise * rng.standard_normal(count))


@pytest.mark.parametrize("anchors", [3, 4, 6, 12, 40])
def test_nine_in_ten_intervals_hold_what_was_not_shown(anchors):
    rng, covered = np.random.default_rng(anchors), []
    for _ in range(200):
        harms, true = world(rng, anchors + 5)
        found = prediction.fit(harms[:anchors], true[:anchors])(harms[anchors:])
        covered.append((found.low <= true[anchors:]) & (true[anchors:] <= found.high))
    assert np.mean(covered) >= 0.88


@quick
@given(seed=SEEDS, anchors=st.integers(2, 12))
def test_more_harm_in_the_same_shares_never_predicts_less_loss(seed, anchors):
    rng = np.random.default_rng(seed)
    harms, true = world(rng, anchors)
    true = rng.permutation(true) if seed % 3 == 0 else true  # anchors that contradict each other too
    found = prediction.fit(harms, true)
    increase = found(rng.lognormal(-3, 1, 8) * np.logspace(-3, 3, 50)[:, None]).value
    assert (np.diff(increase) >= -1e-12 * increase[1:]).all()
    assert found(np.zeros((1, 8))).value == 0


@quick
@given(seed=SEEDS, anchors=st.integers(6, 12))
def test_a_measured_setting_is_predicted_as_measured_and_what_is_alike_to_it_better_than_without_it(seed, anchors):
    harms, true = world(np.random.default_rng(seed), anchors)
    harms[0] = harms[1]
    harms[0, 0] *= 100  # as much harm as another does, mostly in one layer, costs half as much again
    harms[0], true[0] = harms[0] * harms[1].sum() / harms[0].sum(), 1.5 * true[1]
    found, without = (prediction.fit(harms[rest:], true[rest:]) for rest in (0, 1))
    near = harms[:1] * np.linspace(0.97, 1.03, 8)
    assert found(harms).value[0] == pytest.approx(true[0], rel=0.1)
    for each in (harms[:1], near):
        before, after = (np.log(fit(each).high / fit(each).value)[0] / fit.half for fit in (without, found))
        assert after < 0.8 * before


@quick
@given(seed=SEEDS, anchors=st.integers(2, 12))
def test_an_interval_holds_its_prediction_and_widens_away_from_the_anchors(seed, anchors):
    harms, true = world(np.random.default_rng(seed), anchors)
    found = prediction.fit(harms, true)
    near, far = (found(harms.mean(0, keepdims=True) * scale) for scale in (1, 1000))
    for each in (near, far):
        assert 0 < each.low[0] < each.value[0] < each.high[0]
    assert far.high[0] / far.value[0] > near.high[0] / near.value[0]


@quick
@given(seed=SEEDS, slope=st.floats(0.6, 1.4))
def test_two_anchors_give_a_line_and_four_on_it_stay_there(seed, slope):
    """The curve neither bends where nothing bends nor leaves the anchors."""
    share = np.random.default_rng(seed).lognormal(0, 0.7, 8)
    for sizes in ([0.05, 0.2], [0.03, 0.05, 0.1, 0.2]):
        harms = share * np.array(sizes)[:, None]
        found = prediction.fit(harms, 2 * np.array(sizes) ** slope)
        assert found(share[None] * 0.1).value == pytest.approx(2 * 0.1**slope, rel=0.02)


@quick
@given(seed=SEEDS, far=st.floats(0.01, 100))
def test_beside_another_only_what_tells_two_apart_is_uncertain(seed, far):
    harms, true = world(np.random.default_rng(seed), 6)
    found, beyond = prediction.fit(harms[1:], true[1:]), far * harms
    alone, beside = found(beyond), found(beyond, beyond[:1])
    assert np.array_equal(beside.value, alone.value)
    widths, apart = (np.log(each.high / each.value) / found.half for each in (alone, beside))
    least = 2**0.5 * prediction.OF_NOISE
    assert apart[0] == pytest.approx(least), "of the other itself, the noise of two settings is left"
    assert (apart >= least * (1 - 1e-9)).all() and (apart <= (widths + widths[0]) * (1 + 1e-9)).all()
    assert found(beyond[:1], beyond[1:2]).low == pytest.approx(alone.value[0] * (beside.low / beside.value)[1])


def test_what_is_not_known_is_not_predicted_and_one_anchor_is_none():
    harms, true = world(np.random.default_rng(0), 5)
    harms[0, 2] = np.nan
    assert np.isnan(prediction.fit(harms[1:], true[1:])(harms[:1]).value[0])
    with pytest.raises(UserError, match="2 or more evaluated settings, and there are 1"):
        prediction.fit(harms[1:2], true[1:2])


@quick
@given(layers=st.integers(2, 6), seed=SEEDS)
def test_linears_pruned_evenly_count_as_their_layer(layers, seed):
    here, even = of_linears(layers, seed), np.random.default_rng(seed).uniform(0.05, 0.85, (3, layers))
    of_linear = np.repeat(even[:, :, None], 3, axis=2)
    assert responses.layer_harms(of_linear, here) == pytest.approx(responses.layer_harms(even, here), rel=1e-6)
    worse = of_linear.copy()
    worse[:, 0, 0] += 0.04
    assert (responses.layer_harms(worse, here) >= responses.layer_harms(of_linear, here) - 1e-12).all()
    worse[1, 0, 1] = 0.97
    assert np.isnan(responses.layer_harms(worse, here)[1, 0])


def test_a_linear_may_go_as_far_as_it_was_measured_and_no_further():
    here, rows = of_linears(4, 0), np.full((4, 4, 3), 0.6)
    rows[:, 1, 2] = 0.89, 0.9, 0.901, -0.1
    within, last, *beyond = responses.layer_harms(rows, here)[:, 1]
    assert 0 < within < last and np.isnan(beyond).all()
