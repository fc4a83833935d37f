"""SparseGPT against a plain implementation that knows no Cholesky factor."""

import numpy as np
import pytest
import torch
from torch import Tensor

from core.base import Broken
from core.methods import BLOCK, Pattern, sparsegpt


def plain(weight, moment, sparsity, kept=None, damping=0.01):
    """Column by column, row by row, by the inverse of what is still free: optimal brain surgery as it is defined."""
    weights, matrix = weight.double().numpy().copy(), moment.double().numpy().copy()
    rows, columns = weights.shape
    dead = np.diag(matrix) == 0
    matrix[dead, dead] = 1
    matrix += damping * np.diag(matrix).mean() * np.eye(columns)
    inverse = [np.linalg.inv(matrix[j:, j:])[:, 0] for j in range(columns)]

    def price(row, j):
        return 0.0 if dead[j] else weights[row, j] ** 2 / inverse[j][0]

    gone = np.zeros(weights.shape, bool)
    for j in range(columns):
        if kept is None and j % BLOCK == 0:
            end = min(j + BLOCK, columns)
            count = int(end * rows * sparsity) - int(j * rows * sparsity)
            for _, row, k in sorted((price(r, k), r, k) for r in range(rows) for k in range(j, end))[:count]:
                gone[row, k] = True
        if kept is not None and j % kept.of == 0:
            for row in range(rows):
                ranked = sorted(range(j, j + kept.of), key=lambda k, row=row: price(row, k))
                gone[row, ranked[: kept.of - kept.remaining]] = True
        for row in range(rows):
            if gone[row, j]:
                weights[row, j:] -= weights[row, j] / inverse[j][0] * inverse[j]
                weights[row, j] = 0
    return weights


def drawn(rows, columns, tokens=400, seed=0):
    """A weight and correlated inputs, (tokens, columns)."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=generator) * torch.linspace(0.1, 2, columns)
    inputs = torch.randn(tokens, columns, generator=generator) @ mix / columns**0.5
    return torch.randn(rows, columns, generator=generator), inputs


def error(weight, pruned, inputs):
    """Relative change of the outputs."""
    change = (torch.as_tensor(pruned).double() - weight.double()) @ inputs.double().T
    return float(change.norm() / (weight.double() @ inputs.double().T).norm())


@pytest.mark.parametrize(
    ("columns", "sparsity", "kept", "change"),
    [
        (BLOCK + 30, 0.7, None, Tensor.clone),
        (2 * BLOCK, 0.3, None, Tensor.clone),
        (40, 0.5, Pattern(2, 4), Tensor.clone),
        (BLOCK + 32, 0.375, Pattern(5, 8), Tensor.clone),
        (130, 0.4, Pattern(3, 5), Tensor.clone),  # 128 is no multiple of 5
        (40, 0.5, None, lambda inputs: 64 * inputs),  # a common factor cancels
        (60, 0.5, None, lambda inputs: inputs[:7]),  # a rank-deficient second moment is what damping is for
        (20, 0.1, None, lambda inputs: inputs.index_fill(1, torch.tensor([3, 11]), 0)),  # as many as cost nothing
    ],
)
def test_it_does_what_the_plain_one_does(columns, sparsity, kept, change):
    weight, inputs = drawn(7, columns)
    weight[:, [3, 11]] *= 100
    inputs, told = change(inputs), []
    moment = inputs.T @ inputs
    found, expected = (
        sparsegpt.sparsegpt(weight, moment, sparsity, kept, told.append),
        plain(weight, moment, sparsity, kept),
    )
    assert error(weight, found, inputs) == pytest.approx(error(weight, expected, inputs), rel=0.01)
    differ = (found == 0).numpy() != (expected == 0)
    assert differ.mean() < 0.005  # masks differ by more than rounding near a tie
    if not differ.any():
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-2, atol=1e-3)
    assert not told


# --- a factorisation that fails ------------------------------------------------------------------------------------


def indefinite(off):
    """Two inputs with eigenvalues 1 + off and 1 - off; no text gives off above 1, rounding may."""
    return torch.tensor([[1.0, off], [off, 1.0]])


@pytest.mark.parametrize(("off", "raised"), [(1.0, []), (1.05, [0.1]), (1.5, [0.1, 1.0])])
def test_failing_raises_damping_and_says_so(off, raised):
    weight = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    told = []
    pruned = sparsegpt.sparsegpt(weight, indefinite(off), 0.5, warn=told.append)
    steps = [0.01, *raised]
    assert len(told) == len(raised)
    for text, before, after in zip(told, steps, raised, strict=False):
        assert f"from {before:g} to {after:g}" in text
    expected = plain(weight, indefinite(off), 0.5, damping=steps[-1])
    np.testing.assert_allclose(pruned.numpy(), expected, rtol=1e-3)


@pytest.mark.parametrize("moment", [indefinite(3.0), -torch.eye(2), torch.full((2, 2), float("nan"))])
def test_what_no_damping_helps_is_an_error_never_a_fallback(moment, refused):
    told = []
    with refused("damping 1", "tokens", error=Broken):
        sparsegpt.sparsegpt(torch.ones(1, 2), moment, 0.5, warn=told.append)
    assert len(told) == 2
