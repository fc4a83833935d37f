"""Gains, verdicts and their reasons on synthetic data with known answers."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.base import ranges
from core.plan import (
    BAND,
    FEWEST_SEQUENCES,
    at_drift,
    averaged,
    crossing,
    drift_curves,
    drift_left,
    gains_of,
    log_gain,
    split_log_gain,
)
from core.show.words import gain_sentences
from core.store import Floor
from tests import synthetic
from tests.builders import profiles as builders

LAYERS = 5


def constant(*means, n=12, spread=0.01, seed=0):
    """`ln r` per layer with a little noise over sequences; a last layer is added."""
    noise = np.random.default_rng(seed).standard_normal((len(means) + 1, n))
    noise = (noise - noise.mean(1, keepdims=True)) / noise.std(1, ddof=1, keepdims=True)
    return builders.with_gains(np.array([*means, 0.0])[:, None] + spread * noise)


@pytest.fixture
def some():
    return builders.seeds("gaussian:0.3", LAYERS, 10) + builders.seeds("gaussian:0.1", LAYERS, 10)


# --- gains ---------------------------------------------------------------------------------------------------------


def test_gain_and_curves_say_the_same(some):
    found, curves = gains_of(some), drift_curves(some)
    np.testing.assert_allclose(curves.value[:, -1] / np.diag(curves.value), found.value)
    np.testing.assert_allclose(drift_left(some)[:, -1], found.value)
    np.testing.assert_allclose(np.diag(drift_left(some)), 1)
    np.testing.assert_allclose(found.drift, np.diag(curves.value))
    assert found.value[-1] == found.low[-1] == found.high[-1] == 1


@pytest.mark.filterwarnings("error")
def test_no_drift_gives_no_gain_and_no_crash():
    nothing = constant(0.0, 0.0)
    unknown = dict.fromkeys(("ratio", "ratio_q25", "ratio_q50", "ratio_q75"), nothing.ratio * np.nan)
    seeds = [replace(nothing, log_drift=np.where(np.isnan(nothing.log_drift), np.nan, -np.inf), **unknown)]
    found = gains_of(seeds)
    assert np.isnan(found.value).all() and np.isnan(found.low).all() and np.isnan(found.drift).all()
    assert found.verdicts == ("undecided", "undecided", None)
    assert np.isnan(drift_left(seeds)).all()


# --- verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "spread", "verdict"),
    [
        *((mean, 1e-4, "undecided") for mean in (0.0, 0.04, -0.04)),  # inside the band nothing is said however sure
        (0.06, 1e-4, "amplifies"),
        (-0.06, 1e-4, "absorbs"),
        (0.5, 2.0, "undecided"),  # a wide interval
    ],
)
def test_a_verdict_needs_the_whole_interval_beyond_the_band(mean, spread, verdict):
    found = gains_of([constant(mean, spread=spread)])
    assert found.verdicts[0] == found.uncorrected[0] == verdict
    assert math.log(1.05) == BAND


@pytest.mark.parametrize("n", [1, FEWEST_SEQUENCES - 1])
def test_few_sequences_decide_nothing(n):
    found = gains_of([builders.with_gains(np.full((3, n), 2.0))])
    assert found.verdicts == (f"undecided (n = {n})", f"undecided (n = {n})", None)
    assert found.uncorrected == found.verdicts
    if n == 1:
        assert np.isinf(found.high[0]) and found.low[0] == 0


@pytest.mark.parametrize("seed", [3, 4, 5, 6, 7, 8])
def test_holm_against_its_definition(seed):
    """Twenty layers with gains near the band: the step-down by hand, and stricter than layer by layer."""
    rng = np.random.default_rng(seed)
    seeds = [builders.with_gains(rng.normal(0.12, 0.1, (21, 1)) + rng.normal(0, 0.08, (21, 10)))]
    logs, found = log_gain(seeds)[:-1], gains_of(seeds)
    t = (np.abs(logs.mean(1)) - BAND) / (logs.std(1, ddof=1) / math.sqrt(10))
    p = 2 * stats.t.sf(t, 9)
    order = np.argsort(p)
    beyond = p[order] > 0.05 / np.arange(len(p), 0, -1)
    rejected = {*order[: beyond.argmax()].tolist()}
    firm, alone = (
        {i for i, word in enumerate(words) if word in ("amplifies", "absorbs")}
        for words in (found.verdicts, found.uncorrected)
    )
    assert firm == rejected < alone  # the example should show a difference
    assert all(found.uncorrected[i] == found.verdicts[i] for i in rejected)


@settings(max_examples=50)
@given(st.sets(st.integers(0, 40), min_size=1))
def test_ranges_say_exactly_the_numbers(numbers):
    said = set()
    for part in ranges(sorted(numbers)).replace(" and ", ", ").split(", "):
        ends = [int(end) for end in part.split(" to ")]
        said |= set(range(ends[0], ends[-1] + 1))
    assert said == numbers
    assert ranges([0, 1, 2, 4, 5, 7]) == "0 to 2, 4, 5 and 7"


# --- why -----------------------------------------------------------------------------------------------------------


def test_dilution_adds_up_and_frozen_noise_gains_nothing(some):
    activation = synthetic.activation(LAYERS, 10)
    found = split_log_gain(some, activation)
    np.testing.assert_allclose(found.absolute - found.growth, log_gain(some), atol=1e-12)
    assert (found.growth[-1] == 0).all()
    growth = activation.log_norm[-1] - activation.log_norm
    frozen = split_log_gain([builders.with_gains(-growth)], activation)
    np.testing.assert_allclose(frozen.absolute[:-1], 0, atol=1e-12)


def crossings(sizes, *layers):
    return crossing(np.array(sizes), np.array([*layers, [0.0] * len(sizes)]).T)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=6))
def test_a_crossing_lies_within_the_sizes(gains):
    sizes = [10.0**k for k in range(len(gains))]
    found = crossings(sizes, gains)[0]
    falls = any(a > 0 >= b for a, b in itertools.pairwise(gains))
    assert np.isnan(found) != falls
    assert not falls or sizes[0] <= found <= sizes[-1] * (1 + 1e-9)
    halfway = crossings([0.01, 0.1, 1.0], [1.0, 0.5, -0.5], [1.0, 0.0, -1.0])
    assert halfway[:2] == pytest.approx([math.sqrt(0.1), 0.1])


@given(st.floats(0, 1e2) | st.just(math.nan))
def test_matched_drift_is_interpolated_in_its_log_and_never_extrapolated(wanted):
    drifts, gains = np.array([[0.1], [0.01], [0.7]]), np.array([[0.5], [1.0], [-1.0]])
    found = at_drift(np.array([wanted]), drifts, gains)[0]
    if 0.01 <= wanted <= 0.7:
        assert found == pytest.approx(np.interp(math.log(wanted), np.log([0.01, 0.1, 0.7]), [1.0, 0.5, -1.0]))
    else:
        assert np.isnan(found)


# --- rounding ------------------------------------------------------------------------------------------------------


def test_layers_below_ten_times_the_floor_are_named(empty):
    profile, share = builders.stored(empty), np.array([0.05, 0.2, 0.3, 0.05, 0.05, 0.05])
    drift = averaged(profile.seeds("gaussian:0.3"), "drift")
    for each in (share, np.ones(6)):
        floor = Floor(drift=drift * each[:, None], half_precision=np.full(6, 0.25))
        assert (gain_sentences.drowned(replace(profile, floor=floor), "gaussian:0.3") == (each > 0.1)).all()
