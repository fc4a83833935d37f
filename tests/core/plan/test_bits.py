"""Budgets of bits: met by whole levels, with the least harm, and their controls."""

import json
import math
from contextlib import suppress
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.base import UserError
from core.cli import allocations
from core.methods import BITS, GGUF, INTEGERS, LAYERS, UNITS, default_pruner, dropped_layers, treatment
from core.plan import (
    TOLERANCE,
    Choices,
    allocate,
    at_levels,
    round_to_levels,
    share_spent,
    solve_levels,
    taken,
    with_target,
)
from core.requests import AllocationRequest, Counts, grammar, read_bytes, read_recipe
from tests.core.allocating import STACK, harming, of_linears, quick

SHARES = BITS.shares


def quantised(layers, seed, alike=False, units=(BITS, INTEGERS)):
    """A profile of random numbers, whose linears and layers were measured at every level of the integers."""
    plain, rng = of_linears(layers, seed), np.random.default_rng(seed)
    measured = dict(plain.perturbed)
    places = ("residual:{}", *(f"residual_linear:{{}}:{name}" for name in STACK))
    for counted, where in product(units, places):
        pruner = default_pruner(counted)
        harm, slope, before = np.zeros((layers, 3)), np.zeros((layers, 3)), 0.0
        for level, share, _ in counted.levels:
            slope = slope + rng.random((layers, 3)) ** 4
            harm, before = harm + slope * (share - before), share
            measured |= harming(where.format(f"{pruner}:{level}"), harm)
    sizes = np.tile([[3e4, 1e4, 9e4]], (layers, 1)) if alike else plain.weights.parameters
    return replace(plain, perturbed=measured, weights=replace(plain.weights, parameters=sizes))


def spent(words, here):
    """The plan of an allocation, and its mean bits."""
    found = allocate(grammar.read_allocation(words), here)
    return found.exact, 16 * (1 - found.budget)


@quick
@given(
    layers=st.integers(2, 9),
    seed=st.integers(0, 10**6),
    bits=st.floats(2, 8),
    base=st.sampled_from(("uniform", "uniform ends=1", "response", "response granularity=linear", "depth_ramp")),
    counted=st.sampled_from((BITS, INTEGERS)),
)
def test_a_budget_of_bits_is_met_by_whole_levels_and_never_passed(layers, seed, bits, base, counted):
    here, bits = quantised(layers, seed), max(bits, 16 * (1 - counted.shares[-1]))
    exact, mean = spent(f"{base} currency={counted.name}:{bits!r}", here)
    assert np.isin(exact, counted.shares).all()
    assert mean <= bits + 16 * TOLERANCE
    largest = here.weights.parameters.sum(1).max() / here.weights.parameters.sum()
    assert mean >= bits - 8 * largest


@quick
@given(seed=st.integers(0, 10**6), bits=st.sampled_from((2.3, 3.0, 3.5, 5.0)))
def test_the_plan_is_within_one_step_of_the_best_of_all_plans(seed, bits):
    here = quantised(4, seed, alike=True)
    _, harm = at_levels(here, "quantised", "kl", False)
    plans = np.array(list(product(range(4), repeat=4)))
    affordable = plans[np.array(SHARES)[plans].mean(1) >= 1 - bits / 16 - 1e-9]
    totals = harm[np.arange(4), affordable].sum(1)
    exact, _ = spent(f"response currency=bits:{bits}", here)
    mine = harm[np.arange(4), [SHARES.index(each) for each in exact]].sum()
    assert totals.min() - 1e-9 <= mine <= totals.min() + np.diff(harm).max() + 1e-9


@pytest.mark.parametrize("control", ["reversed", "shuffled", "shuffled seed=3"])
def test_controls_hold_the_same_levels_on_units_of_one_size(control):
    here = quantised(8, 1, alike=True)
    plain, mean = spent("response granularity=linear currency=bits:3.2", here)
    turned, again = spent(f"response granularity=linear control={control} currency=bits:3.2", here)
    assert again == pytest.approx(mean) and (turned != plain).any()
    assert (np.sort(turned, axis=0) == np.sort(plain, axis=0)).all()
    if control == "reversed":
        for before, after in zip(plain.T, turned.T, strict=True):
            spared = before == before.min()
            assert after[spared].min() >= np.sort(after)[-spared.sum()]


def test_uniform_between_levels_is_even_and_a_rule_of_thumb_gives_first_and_last_a_bit_more():
    exact, mean = spent("uniform currency=bits:3.5", quantised(8, 2, alike=True))
    assert mean == pytest.approx(3.5) and exact[:4].mean() == pytest.approx(exact[4:].mean())
    exact, mean = spent("uniform ends=1 currency=bits:3", quantised(9, 2, alike=True))
    assert list(exact[[0, -1]]) == [0.75, 0.75] and mean == pytest.approx(3)
    assert sorted(exact[1:-1]) == [0.8125] * 5 + [0.875] * 2


def test_what_a_step_would_overspend_is_passed_over():
    wish, weights = np.array([0.78, 0.8]), np.array([10.0, 1.0])
    found = round_to_levels(wish, Choices(weights, np.array([0.75, 0.8125]), np.array([[0.0, 9.0], [0.0, 0.1]])))
    assert list(found) == [0.8125, 0.75] and share_spent(found, weights) >= share_spent(wish, weights)


# --- layers left out ------------------------------------------------------------------------------------------------


def skipped(layers, seed):
    """A profile of layers of one size that were left out one by one, and the harm of each."""
    plain, kl = of_linears(layers, seed), np.random.default_rng(seed).random((layers, 3))
    alike = replace(plain.weights, parameters=np.full((layers, 3), 7.0))
    return replace(plain, perturbed=plain.perturbed | harming("skip", kl), weights=alike), kl


@quick
@given(layers=st.integers(2, 12), seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_a_budget_of_layers_leaves_out_as_many_as_it_needs_those_that_harm_least(layers, seed, share):
    here, harm = skipped(layers, seed)
    turned = here.activation.block_influence.mean(1)
    count = math.ceil(layers * (share - TOLERANCE))
    assume(count < layers)
    for base, harms in (("response", harm.mean(1)), ("block_influence", turned), ("uniform", None)):
        exact, _ = spent(f"{base} currency=layers:{share!r}", here)
        assert np.isin(exact, (0, 1)).all() and exact.sum() == count
        if harms is not None:
            assert count == 0 or harms[exact == 1].max() <= harms[exact == 0].min() + 1e-9


def both(layers, seed, alike=False):
    """A profile of linears at the levels of integers, and of layers left out, which harms about as much."""
    here, rng = quantised(layers, seed, alike, [INTEGERS]), np.random.default_rng(seed)
    kl = np.tile(rng.random((layers, 1)) * rng.choice([0.3, 1, 2]), 3)
    return replace(here, perturbed=here.perturbed | harming("skip", kl)), kl[:, 0]


def harm_of(plan, here, skip):
    """The sum of what each linear, or each layer left out, did alone."""
    shares, harm = at_levels(here, "integers", "kl", True)
    gone = dropped_layers(plan)
    stay = np.delete(plan, gone, 0).ravel()
    rows = np.delete(harm.reshape(*plan.shape, -1), gone, 0).reshape(stay.size, -1)
    return skip[gone].sum() + rows[np.arange(stay.size), np.searchsorted(shares, stay - TOLERANCE)].sum()


@quick
@given(layers=st.integers(2, 8), seed=st.integers(0, 10**6), bits=st.floats(2.3, 6))
def test_layers_are_left_out_beside_bits_only_where_the_total_harm_falls(layers, seed, bits):
    here, skip = both(layers, seed)
    plain, _ = spent(f"response granularity=linear currency=integers:{bits!r}", here)
    plan, mean = spent(f"response granularity=both currency=integers:{bits!r}", here)
    assert mean <= bits + 16 * TOLERANCE
    assert ((plan == 1).all(1) | np.isin(plan, INTEGERS.shares).all(1)).all() and len(dropped_layers(plan)) < layers
    assert harm_of(plan, here, skip) <= harm_of(plain, here, skip) + 1e-9
    if not dropped_layers(plan):
        assert (plan == plain).all()


@quick
@given(seed=st.integers(0, 10**6), bits=st.floats(2.3, 5))
def test_which_layers_are_left_out_is_within_one_step_of_the_best_of_all_choices(seed, bits):
    here, skip = both(4, seed, alike=True)
    levels, harm = at_levels(here, "integers", "kl", True)
    plan, _ = spent(f"response granularity=both currency=integers:{bits!r}", here)
    totals = []
    for stay in product((True, False), repeat=4):
        kept = np.repeat(stay, 3)
        saved = 1 - bits / 16 - (1 - np.mean(stay))
        if any(stay):
            target = max(saved / np.mean(stay), levels[0])
            sizes = here.weights.parameters.ravel()[kept]
            rest = solve_levels(Choices(sizes, levels, harm[kept]), target, np.zeros(1))
            each = np.ones(12)
            each[kept] = rest
            totals.append(harm_of(each.reshape(4, 3), here, skip))
    assert min(totals) - 1e-9 <= harm_of(plan, here, skip) <= min(totals) + np.diff(harm).max() + 1e-9


@quick
@given(seed=st.integers(0, 10**6), budget=st.floats(0, 0.55))
def test_a_unit_never_gets_a_level_that_its_rows_cannot_have(seed, budget):
    rng, shares = np.random.default_rng(seed), np.array([0.0, 0.2, 0.3, 0.5, 0.8])
    harm = np.cumsum(rng.random((6, 5)), axis=1)
    harm[rng.random((6, 5)) < 0.4] = np.nan
    harm[:, 0], harm[:3, 4], harm[3:, 4] = 0, 5, np.nan
    most = np.where(np.isfinite(harm), shares, 0).max(1)
    plan = None
    with suppress(UserError):
        plan = solve_levels(Choices(np.ones(6), shares, harm), budget, np.zeros(1))
    if plan is None:
        assert budget > most.mean() - 1e-9
        return
    assert np.isfinite(harm[np.arange(6), np.searchsorted(shares, plan)]).all() and plan.mean() >= budget - 1e-9


@pytest.mark.parametrize("control", ["reversed", "shuffled", "shuffled seed=3"])
def test_controls_of_a_plan_that_leaves_layers_out_change_whole_layers(control):
    here, _ = both(8, 1, alike=True)
    plain, mean = spent("response granularity=both currency=integers:2.4", here)
    turned, again = spent(f"response granularity=both control={control} currency=integers:2.4", here)
    gone, moved = dropped_layers(plain), dropped_layers(turned)
    assert 0 < len(gone) == len(moved) and gone != moved
    assert again == pytest.approx(mean) and sorted(map(tuple, plain)) == sorted(map(tuple, turned))
    if control == "reversed":
        assert plain[moved].mean() == pytest.approx(np.sort(plain.mean(1))[: len(gone)].mean())


@pytest.mark.parametrize(("share", "gone"), [(0.1, [4, 14, 24]), (0.2, [2, 7, 12, 17, 22, 27])])
def test_uniform_leaves_out_layers_evenly_spaced(share, gone):
    assert dropped_layers(spent(f"uniform currency=layers:{share}", skipped(30, 1)[0])[0]) == gone


@given(currency=st.sampled_from((BITS, INTEGERS, GGUF, LAYERS)), share=st.floats(0, 1))
def test_an_amount_reads_back(currency, share):
    low, high = currency.shares[0], currency.shares[-1]
    inside = low + share * (high - low)
    assume(inside < 1 - 1e-9)  # all layers
    written = currency.write(inside)
    assert currency.read(written) == pytest.approx(inside, abs=1e-9)
    assert currency.write(currency.read(written)) == written
    asked = AllocationRequest(target=currency.read(written), currency=currency.name)
    assert grammar.read_allocation(grammar.write(asked)) == asked


@given(
    counts=st.builds(Counts, st.integers(10**4, 10**9), st.integers(0, 10**8), st.just(100), st.integers(0, 100)),
    said=st.sampled_from(
        (
            ("uniform", "zeros"), ("owl m=5 lam=0.1", "zeros"), ("uniform ends=1 currency=bits:3", "bits"),
            ("response currency=gguf", "gguf"), ("uniform currency=integers", "integers"),
            ("owl currency=layers", "layers"),
        )
    ),
    place=st.floats(0, 1),
)  # fmt: skip
def test_a_budget_in_bytes_is_met_by_the_least_that_has_to_be_saved(counts, said, place):
    words, unit = said[0], UNITS[said[1]]
    treated, shares = treatment(default_pruner(unit)), unit.shares or [1 / 16, 0.95]
    ends = [taken(counts, treated, min(each, 0.99)) for each in (shares[-1], shares[0])]
    before = grammar.read_allocation(words, f"{math.floor(np.interp(place, [0, 1], ends))}B")
    asked = with_target(before, counts, treated)
    assert asked == before.replace(target=asked.target, at_most=None) and asked.budget_unit is unit
    assert taken(counts, treated, asked.target) <= before.at_most
    assert taken(counts, treated, asked.target - 2e-5) >= before.at_most - 1


@pytest.mark.parametrize(
    ("words", "size", "wrong"),
    [
        ("uniform currency=bits", "60MB", "60.0 MB cannot be met: even at 2 bits this model takes 9"),
        ("uniform currency=gguf", "60MB", "even at Q4_0 this model takes"),
        ("uniform", "300MB", "300.0 MB is more than this model takes at 0 % zeros: ask for 269.0 MB or less"),
        ("uniform", "20MB", "20.0 MB cannot be met: even at 95 % zeros this model takes "),
        ("uniform:0.7", "60", "'60' is no size of a file: write a number with its unit, as in 60MB or 1.2GB"),
        ("uniform:0.7", "nanMB", "is no size of a file"),
        ("uniform currency=bytes", "60MB", "there is no currency 'bytes'"),
        ("response pruner=wanda currency=bits", "100MB", "curves of wanda count zeros"),
        ("plan.json", "100MB", "there is no allocator 'plan.json'"),
    ],
)
def test_bytes_that_cannot_be_met_are_refused_with_those_that_can(words, size, wrong):
    with pytest.raises(UserError, match=wrong):
        asked = grammar.read_allocation(words, size)
        treated = treatment(default_pruner(asked.budget_unit))
        with_target(asked, Counts(106_168_320, 28_311_552, 35_136), treated)


@pytest.mark.parametrize(("written", "size"), [("60MB", 6e7), ("1.5 GB", 1.5e9), ("7B", 7), ("1kB", 1000)])
def test_a_size_is_read_with_its_unit(written, size):
    assert read_bytes(written) == size


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("uniform currency=layers:0.99", "leaves out all 6 layers"),
        ("uniform currency=layers:2", "200 % of layers cannot be met"),
        ("response currency=layers granularity=linear:0.3", "left out whole: write granularity=layer"),
        ("response currency=layers:0.3", "measure skip"),
        ("response granularity=both currency=integers:3", "measure skip"),
        ("response granularity=both:0.5", "beside few bits, not beside zeros: write granularity=linear"),
        ("uniform currency=bits:1.5", "1.5 bits cannot be met: the levels are 8, 4, 3 and 2"),
        ("uniform currency=bytes:3", "there is no currency 'bytes'"),
        ("uniform currency=bits high=0.7:3", "leave low, high, strength"),
        ("response pruner=wanda currency=bits:3", "curves of wanda count zeros"),
        ("response currency=bits strength=0.1:3", "leave low, high, strength, ramp and unclipped out"),
        ("uniform currency=bits:many", "'many' is no amount of bits"),
        ("uniform by=wanda currency=bits:3", "wanda counts zeros, and this budget counts bits"),
        ("uniform by=gptq:0.7", "gptq counts bits, and this budget counts zeros"),
        ("uniform by=gptq repair=refit currency=bits:3", "leave refit out"),
        ("uniform currency=mixed:3", "there is no currency 'mixed': known are zeros, bits"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(words, wrong):
    with pytest.raises(UserError, match=wrong):
        allocate(read_recipe(words).allocation, of_linears(6, 1))


def test_a_target_beyond_what_was_measured_names_that():
    here = quantised(4, 0)
    few = {each: found for each, found in here.perturbed.items() if each.name != "quantised:8"}
    with pytest.raises(
        UserError, match="5 bits a weight lie outside what was measured alone, 4 bits, 3 bits and 2 bits"
    ):
        spent("response currency=bits:5", replace(here, perturbed=few))
    with pytest.raises(UserError, match="measure, for example, residual:gguf:Q4_1 and residual:gguf:Q4_0"):
        spent("response currency=gguf:5", here)


def test_a_plan_that_was_written_down_reads_back(tmp_path):
    here, file = quantised(4, 3), tmp_path / "plan.json"
    planned = allocate(grammar.read_allocation("response granularity=linear currency=bits:3"), here)
    told = allocations.allocated_json(planned, here, "quantised")
    file.write_text(json.dumps(told, default=lambda array: array.tolist()))
    again = allocate(grammar.read_allocation(str(file)), here)
    assert np.array_equal(again.exact, planned.exact) and again.request.currency == "bits"
    assert told["bytes"] * 8 == pytest.approx(((told["bits"] * 33 / 32 + 0.5) * here.weights.parameters).sum(), abs=8)
    assert told["mean_bits"] == pytest.approx(share_spent(told["bits"].ravel(), here.weights.parameters.ravel()))
