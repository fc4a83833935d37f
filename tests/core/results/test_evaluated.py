"""One evaluated setting over its seeds: what is pooled, and its change against another."""

import math
from dataclasses import replace
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from core.base import Estimate, UserError
from core.requests import Recipe, TaskSpec, grammar
from core.results import (
    FEWEST_SEEDS,
    Accuracy,
    SeedResult,
    Study,
    mean,
    paired,
    percent,
    shared_tasks,
    spearman,
    study_results,
)
from core.store import HOME, Losses, Store, ZeroShot

RTE, BOOLQ = (TaskSpec(name=name, content=name, examples=4, seed=0) for name in ("rte", "boolq"))
BASE = 3 + 0.4 * np.random.default_rng(0).standard_normal(12)
rises = st.dictionaries(st.integers(0, 5), st.floats(-2, 2), min_size=1, max_size=5)


def result(words, nll, seed=0, pruner="wanda", **more):
    """One setting measured once; the dense model has no words."""
    made = words and Recipe(allocation=grammar.read_allocation(f"{words}:0.5"), calibration_seed=seed, pruner=pruner)
    pruned = words and SimpleNamespace(calibration=None if pruner == "magnitude" else f"text {seed}")
    found = Losses(nll=nll, kl=0.1 * nll, agreement=0 * nll + 0.5, zeros=np.full((2, 1), 0.5))
    return SeedResult(made, pruned, found, more.pop("tasks", {}), more)


def several(words, rises, noise=0.1, pruner="wanda"):
    """A setting with some seeds, each with its rise of the loss over what makes the windows hard."""
    draw = np.random.default_rng(len(words))
    return [result(words, BASE + rise + noise * draw.standard_normal(12), seed, pruner) for seed, rise in rises.items()]


def of(*results):
    """The one setting that these are results of."""
    [found] = Study(None, {}, results).settings
    return found


@settings(max_examples=25)
@given(rises, rises)
def test_one_against_the_other_is_the_inverse_of_the_other_against_the_one(one, other):
    a, b = of(*several("owl", one)), of(*several("uniform", other))
    there, back = a.against(b), b.against(a)
    assert there.windows.n == back.windows.n == (12 if one.keys() & other.keys() else 0)
    assert there.seeds.n == back.seeds.n == len(one.keys() & other.keys())
    for found, mirrored in ((there.windows, back.windows), (there.seeds, back.seeds)):
        for mine, theirs in (("value", "value"), ("low", "high"), ("high", "low")):
            ratios = 1 + getattr(found, mine) / 100, 1 + getattr(mirrored, theirs) / 100
            assert (math.isnan(ratios[0]) and math.isnan(ratios[1])) or math.isclose(ratios[0] * ratios[1], 1)


def test_windows_are_paired_after_seeds_are_averaged_and_seeds_are_spread_in_logarithms():
    a, b = several("owl", {2: -0.3, 0: -0.1, 1: -0.2}), several("uniform", {0: 0.0, 1: 0.1, 2: 0.2})
    found = of(*a).against(of(*b))
    losses = [np.array([each.evaluated.nll for each in sorted(side, key=lambda each: each.seed)]) for side in (a, b)]
    assert found.windows == percent(paired(losses[0].mean(0), losses[1].mean(0)))
    assert found.seeds == percent(mean((losses[0] - losses[1]).mean(1), FEWEST_SEEDS))
    assert found.quoted == found.seeds
    few = of(*a[:2]).against(of(*b))
    assert few.seeds.n == 2 and not few.seeds.certain and few.quoted == few.windows


def test_what_draws_no_windows_stands_beside_every_seed_and_has_no_spread():
    dense, owl = Study(None, {}, (result(None, BASE),)).dense, of(*several("owl", {0: 0.1, 7: 0.3}, noise=0))
    found = owl.against(dense)
    assert found.value == pytest.approx(100 * math.expm1(0.2)) and found.seeds.n == 2
    magnitude = of(*several("owl", {0: 0.1, 1: 0.1}, pruner="magnitude"))
    assert len(magnitude.results) == 1 and magnitude.seeds == ()
    assert magnitude.against(dense).seeds.n == 0 and owl.against(owl).value == 0


def test_trouble_is_said_with_the_first_layer_over_the_seeds_and_a_warning_once():
    nan, warned = np.full(12, np.nan), ["damping raised"]
    found = of(
        result("owl", BASE, 0, warnings=warned), result("owl", nan, 1, broken=1, warnings=warned),
        result("owl", nan, 2, broken=0),
    )  # fmt: skip
    assert not found.finite and (found.broken, found.trouble) == (0, "not a number, from layer 0 on")
    assert found.warnings == warned
    after = of(result("owl", nan, 0, broken=2))
    assert after.broken is None and after.trouble.endswith("after the last layer")
    assert of(result("owl", BASE + 900)).trouble == "beyond what can be written"
    assert of(result("owl", BASE)).trouble == ""


def test_accuracies_are_paired_over_examples():
    def answers(right):
        return ZeroShot(document=np.arange(4.0), acc=np.array(right), acc_norm=np.array(right))

    one = of(*(result("owl", BASE, seed, tasks={RTE: answers([1, 1, 0, seed])}) for seed in (0, 1)))
    other = of(result("uniform", BASE, tasks={RTE: answers([1, 0, 0, 0])}))
    assert one.accuracy(RTE).value == 0.625
    assert one.accuracy_against(other, [RTE]) == pytest.approx((0.375, np.std([0, 1, 0, 0.5], ddof=1) / 2))
    assert one.accuracy_against(other, [RTE, BOOLQ]) is None and one.accuracy_against(other, []) is None


def test_a_mean_weighs_tasks_alike_and_counts_none_twice():
    rows = [np.array([1.0, 0, 1, 1]), np.array([0.0, 1])]
    alone = [Accuracy.mean([each]) for each in rows]
    mean = Accuracy.mean(rows)
    assert mean.value == pytest.approx((0.75 + 0.5) / 2)
    assert mean.error == pytest.approx(math.hypot(*(each.error for each in alone)) / 2)
    few = RTE.replace(examples=2)
    known = SimpleNamespace(has={RTE, few}.__contains__)
    assert shared_tasks([few, BOOLQ, RTE], [known]) == [RTE]


# --- a set of them -------------------------------------------------------------------------------------------------


def test_a_set_finds_twins_bases_and_controls_over_seeds_and_seed_by_seed():
    words = ["uniform", "owl", "owl strength=0.04", "owl strength=0.04 control=reversed",
             "owl strength=0.04 control=shuffled seed=1", "owl strength=0.02"]  # fmt: skip
    points = [each for name in words for each in several(name, {0: 0.0, 1: 0.1})]
    found = Study(None, {}, (result(None, BASE), *points))
    uniform, owl, fixed, reversed_, shuffled, weak = found.settings
    assert uniform.uniform is None and {each.uniform for each in found.settings[1:]} == {uniform}
    assert owl.base is None and fixed.base is owl
    assert found.corrections(owl) == [fixed, reversed_, shuffled, weak] and found.corrections(fixed) == []
    assert found.controls(reversed_) == {"none": [fixed], "reversed": [reversed_], "shuffled": [shuffled]}
    assert found.controls(owl) == {}
    one = found.single(points[5].setting)
    assert one.seeds == (1,) and one.base.setting == points[3].setting
    assert one.uniform.setting == points[1].setting and len(found.controls(one)["shuffled"]) == 1
    assert found.dense.name == "dense" and found.dense.uniform is found.dense.base is None


def test_what_is_still_to_come_is_left_out():
    waiting = replace(result("owl", BASE), evaluated=None)
    found = Study(None, {}, (SeedResult(None, None, None, {}, {}), waiting))
    assert not found.complete and found.settings == () == found.singles and found.dense is None


# --- intervals and rank correlations ----------------------------------------------------------------------------------


def covered(draw, truth, n, trials, of):
    """Share of intervals that hold the mean of what was drawn."""
    found = [of(each) for each in draw((trials, n))]
    return float(np.mean([each.low <= truth <= each.high for each in found]))


def of_windows(difference):
    hard = np.linspace(1, 9, len(difference))  # what makes a window hard for both
    return paired(hard + difference, hard)


@cache
def committed_differences():
    """Differences in loss to uniform of every committed setting, window by window."""
    store = Store(HOME / "demo")
    settings = [each for entry in store.entries("study") for each in study_results.load(store, entry).settings]
    both = [(each, each.uniform, seed) for each in settings if each.uniform for seed in each.results]
    losses = [
        (a.results[seed].evaluated.nll, b.results[seed].evaluated.nll) for a, b, seed in both if seed in b.results
    ]
    return [a - b for a, b in losses if np.isfinite(a - b).all() and np.ptp(a - b) > 0]


@pytest.mark.parametrize("n", [8, 24])
def test_intervals_over_windows_cover_the_mean_as_often_as_they_say(n):
    real, draw = np.random.default_rng(n).spawn(2)  # so that another committed study changes no draw of the second kind
    differences = committed_differences()
    assert len(differences) >= 30
    found = [covered(partial(real.choice, each), each.mean(), n, 30, of_windows) for each in differences]
    assert np.mean(found) > 0.935  # of 1,200 and more: 0.94 but for what so few draws can tell
    for one, truth in ((draw.normal, 0), (partial(draw.standard_t, 5), 0), (partial(draw.gamma, 4, 1), 4)):
        assert 0.94 <= covered(lambda shape, one=one: one(size=shape), truth, n, 3000, of_windows) <= 0.99


def test_of_few_windows_there_is_no_interval_of_what_is_not_finite_no_value_and_unlike_ones_are_refused():
    found = paired(np.arange(7.0), np.zeros(7))
    assert found.value == 3 and math.isnan(found.low) and math.isnan(found.high) and found.n == 7
    assert not found.certain and paired(np.arange(8.0), np.zeros(8)).certain
    for odd in (np.nan, np.inf):
        a, b = np.append(np.zeros(9), odd), np.zeros(10)
        for found in (paired(a, b), paired(b, a), paired(b[:0], b[:0])):
            assert math.isnan(found.value) and not found.certain
    with pytest.raises(UserError, match="12 windows cannot be paired with 10"):
        paired(np.zeros(12), np.zeros(10))
    with np.errstate(all="raise"):  # of a collapse
        assert percent(Estimate(900, 800, 1000, 9)).value == math.inf


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=20), st.integers(0, 1 << 30))
def test_rank_correlation_is_spearmans_over_the_pairs_that_are_known(x, seed):
    y = np.random.default_rng(seed).integers(-3, 4, len(x)).tolist()
    rho = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
        assert spearman([*np.exp(x), np.nan, 9], [*y, 0, np.nan]) == pytest.approx(rho, abs=1e-12)
        assert spearman(np.negative(x), y) == pytest.approx(-rho, abs=1e-12)
    assert math.isnan(spearman([1, np.nan], [4, 0]))
