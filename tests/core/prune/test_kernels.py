"""Magnitude, Wanda and patterns: exact counts, and what goes against naive loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.methods import PRUNERS, SPARSIFIERS, Pattern, least, magnitude, pattern, wanda

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
sparsities = st.floats(0, 1, exclude_max=True)
patterns = st.integers(2, 9).flatmap(lambda of: st.builds(Pattern, st.integers(1, of - 1), st.just(of)))
every_pruner = pytest.mark.parametrize("pruner", [PRUNERS[name] for name in SPARSIFIERS], ids=SPARSIFIERS)


def drawn(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator), torch.rand(shape[1], generator=generator) + 0.1


def statistic(pruner, norm):
    """What a pruner looks at where inputs are independent."""
    return {"none": None, "norm": norm, "second_moment": torch.diag(norm**2)}[pruner.statistic]


def drop(weight, score, rows, columns, count):
    """Zero so many of some rows and columns, those that score least."""
    for _, row, column in sorted((float(score[row, j]), row, j) for row in rows for j in columns)[:count]:
        weight[row, column] = 0


@given(shapes, sparsities, st.integers(0, 99))
def test_the_least_go_as_in_a_naive_loop(shape, sparsity, seed):
    """Of every row by Wanda, of the whole linear by magnitude; exactly so many, and what stays is unchanged."""
    weight, norm = drawn(shape, seed)
    before, by_row, at_once = weight.clone(), weight.clone(), weight.clone()
    rows, columns, count = range(shape[0]), range(shape[1]), int(weight.numel() * sparsity)
    each, left = divmod(count, shape[0])
    for row in rows:
        more = left * (row + 1) // shape[0] - left * row // shape[0]
        drop(by_row, weight.abs() * norm, [row], columns, each + more)
    drop(at_once, weight.abs(), rows, columns, count)
    assert torch.equal(wanda.wanda(weight, norm, sparsity), by_row)
    assert torch.equal(magnitude.magnitude(weight, None, sparsity), at_once)
    assert torch.equal(weight, before)  # the weight itself was changed


@given(shapes, sparsities, st.integers(0, 99))
def test_of_ties_the_first_go(shape, sparsity, seed):
    """As in a stable sort: quantised weights are full of ties, and no number may hang on how they are broken."""
    score = torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(seed)).float()
    count = int(shape[1] * sparsity)
    expected = torch.zeros(shape, dtype=torch.bool).scatter(1, score.argsort(dim=1, stable=True)[:, :count], True)
    assert torch.equal(least(score, count), expected)


@every_pruner
def test_half_precision_is_judged_in_float32_and_stays_half_precision(pruner):
    weight, norm = drawn((4, 8))
    half = weight.bfloat16()
    pruned = pruner.prune(half, statistic(pruner, norm), 0.5)
    assert pruned.dtype == torch.bfloat16
    assert torch.equal(pruned, pruner.prune(half.float(), statistic(pruner, norm), 0.5).bfloat16())


# --- patterns ------------------------------------------------------------------------------------------------------


@every_pruner
@settings(max_examples=40)
@given(asked=patterns, rows=st.integers(1, 5), groups=st.integers(1, 5), seed=st.integers(0, 99))
def test_every_group_keeps_exactly_n_of_m(pruner, asked, rows, groups, seed):
    weight, norm = drawn((rows, groups * asked.of), seed)
    pruned = pruner.prune(weight, statistic(pruner, norm), asked.sparsity, asked)
    stays = (pruned != 0).view(rows, groups, asked.of).sum(-1)
    assert (stays == asked.remaining).all()


@settings(max_examples=40)
@given(patterns, st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_groups_keep_what_counts_most(asked, rows, groups, seed):
    weight, norm = drawn((rows, groups * asked.of), seed)
    expected = weight.clone()
    for row in range(rows):
        for start in range(0, weight.shape[1], asked.of):
            drop(expected, weight.abs() * norm, [row], range(start, start + asked.of), asked.of - asked.remaining)
    assert torch.equal(wanda.wanda(weight, norm, asked.sparsity, asked), expected)
    plain = wanda.wanda(weight, torch.ones_like(norm), asked.sparsity, asked)
    assert torch.equal(magnitude.magnitude(weight, None, asked.sparsity, asked), plain)


@given(patterns)
def test_a_pattern_reads_as_it_is_written(asked):
    """5:8 keeps five; the reference codes of OWL and others would prune five."""
    assert pattern(asked.name) == asked
    assert pattern("5:8") == Pattern(remaining=5, of=8) and pattern("5:8").sparsity == 3 / 8


@pytest.mark.parametrize("text", ["", "0:4", "4:4", "2:4:8", "2.5:4"])
def test_what_is_no_pattern_is_refused_in_a_sentence(text, refused):
    with refused(repr(text), "kept"):
        pattern(text)


@every_pruner
def test_inputs_that_make_no_whole_groups_are_refused(pruner, refused):
    weight, norm = drawn((3, 10))
    with refused("2:4", "10"):
        pruner.prune(weight, statistic(pruner, norm), 0.5, Pattern(2, 4))
