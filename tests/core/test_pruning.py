"""Pruning kernels: exact counts, and what they mean against naive loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.pruning import PRUNERS
from core.pruning.magnitude import magnitude
from core.pruning.wanda import wanda

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
sparsities = st.floats(0, 1, exclude_max=True)


def drawn(shape: tuple[int, int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator), torch.rand(shape[1], generator=generator) + 0.1


@settings(deadline=None)
@given(shapes, sparsities, st.integers(0, 99))
def test_counts_are_exact_and_what_stays_is_unchanged(shape: tuple[int, int], sparsity: float, seed: int) -> None:
    weight, norm = drawn(shape, seed)
    before = weight.clone()
    by_magnitude, by_wanda = magnitude(weight, norm, sparsity), wanda(weight, norm, sparsity)
    assert int((by_magnitude == 0).sum()) == int(weight.numel() * sparsity)
    assert ((by_wanda == 0).sum(1) == int(shape[1] * sparsity)).all()
    for pruned in (by_magnitude, by_wanda):
        assert ((pruned == 0) | (pruned == weight)).all()
    assert torch.equal(weight, before), "the weight itself was changed"


@pytest.mark.parametrize("kernel", PRUNERS.values())
def test_sparsity_0_changes_nothing(kernel: object) -> None:
    weight, norm = drawn((5, 7))
    assert torch.equal(kernel(weight, norm, 0.0), weight)


@pytest.mark.parametrize("kernel", PRUNERS.values())
def test_ties_do_not_change_the_count(kernel: object) -> None:
    weight = torch.ones(4, 10)
    assert int((kernel(weight, torch.ones(10), 0.7) == 0).sum()) == 28


@settings(deadline=None)
@given(shapes, sparsities, st.integers(0, 99))
def test_wanda_with_unit_norms_is_magnitude_row_by_row(shape: tuple[int, int], sparsity: float, seed: int) -> None:
    weight, norm = drawn(shape, seed)
    rows = [magnitude(row[None], norm, sparsity) for row in weight]
    assert torch.equal(wanda(weight, torch.ones(shape[1]), sparsity), torch.cat(rows))


@settings(deadline=None)
@given(shapes, sparsities, st.integers(0, 99))
def test_wanda_against_a_naive_loop(shape: tuple[int, int], sparsity: float, seed: int) -> None:
    weight, norm = drawn(shape, seed)
    expected = weight.clone()
    for row in range(shape[0]):
        scores = sorted((abs(float(weight[row, j])) * float(norm[j]), j) for j in range(shape[1]))
        for _, j in scores[: int(shape[1] * sparsity)]:
            expected[row, j] = 0
    assert torch.equal(wanda(weight, norm, sparsity), expected)


@settings(deadline=None)
@given(shapes, sparsities, st.integers(0, 99))
def test_magnitude_keeps_the_largest(shape: tuple[int, int], sparsity: float, seed: int) -> None:
    weight, norm = drawn(shape, seed)
    pruned = magnitude(weight, norm, sparsity)
    gone, kept = weight[pruned == 0].abs(), weight[pruned != 0].abs()
    if len(gone) and len(kept):
        assert gone.max() <= kept.min()


@given(st.floats(0.1, 10))
@settings(deadline=None, max_examples=20)
def test_wanda_does_not_see_a_common_factor(factor: float) -> None:
    weight, norm = drawn((6, 8))
    assert torch.equal(wanda(weight, norm, 0.5), wanda(weight, norm * factor, 0.5))


def test_half_precision_stays_half_precision() -> None:
    weight, norm = drawn((4, 8))
    for kernel in PRUNERS.values():
        assert kernel(weight.bfloat16(), norm, 0.5).dtype == torch.bfloat16


def test_a_transposed_view_prunes_as_its_copy() -> None:
    """GPT-2's Conv1D hands its weight over as a view."""
    weight, _ = drawn((8, 6))
    for kernel in PRUNERS.values():
        assert torch.equal(kernel(weight.T, torch.ones(8), 0.5), kernel(weight.T.contiguous(), torch.ones(8), 0.5))
