"""ALPS against a straightforward implementation in numpy, written from the paper's algorithm."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.methods import Pattern
from core.methods.alps import alps
from core.methods.magnitude import magnitude
from core.methods.refit import errors, refit
from core.methods.sparsegpt import sparsegpt
from tests.core.prune.test_repair import drawn

Matrix = NDArray[np.float64]


def greatest(scores, sparsity, pattern):
    """Where what stays is: of the whole matrix, or of every group of a row."""
    kept = np.zeros(scores.shape, bool)
    if pattern is None:
        count = scores.size - int(scores.size * sparsity)
        kept.flat[np.argsort(-scores, axis=None)[:count]] = True
        return kept
    for row in range(scores.shape[0]):
        for first in range(0, scores.shape[1], pattern.of):
            group = scores[row, first : first + pattern.of]
            kept[row, first + np.argsort(-group)[: pattern.kept]] = True
    return kept


def splitting(weight, moment, sparsity, pattern):
    """Plain ADMM with an inverse in every round, then an exact solve of every row on the mask."""
    size = len(moment)
    damped = moment + 0.01 * np.trace(moment) / size * np.eye(size)
    scale = np.sqrt(np.diag(damped))
    unit, goal = damped / np.outer(scale, scale), weight * scale
    start = np.where(greatest(np.abs(goal), sparsity, pattern), goal, 0)
    sparse, price, rho, mask, moved = start, np.zeros_like(goal), 0.1, start != 0, False
    for done in range(1, 301):
        near = (goal @ unit - price + rho * sparse) @ np.linalg.inv(unit + rho * np.eye(size))
        wanted = near + price / rho
        sparse = np.where(greatest(np.abs(wanted), sparsity, pattern), wanted, 0)
        price = price + rho * (near - sparse)
        if done % 3:
            continue
        change = np.sum(mask != (sparse != 0)) / np.sum(mask)
        mask = sparse != 0
        if change == 0 and moved:
            break
        if change == 0:
            sparse, price, rho = start, np.zeros_like(goal), rho / 5
            continue
        moved = True
        rho *= 1.3 if change > 0.1 else 1.2 if change > 0.005 else 1.1
        if done > 30 and change < 0.0003:
            break
    found = np.zeros_like(weight)
    for row, kept in enumerate(mask):
        found[row, kept] = np.linalg.solve(damped[np.ix_(kept, kept)], (damped @ weight[row])[kept])
    return found


@pytest.mark.parametrize("pattern", [None, Pattern(2, 4)])
@pytest.mark.parametrize(("shape", "seed"), [((8, 16), 0), ((20, 12), 1), ((12, 24), 2)])
def test_it_agrees_with_the_plain_algorithm(shape, seed, pattern):
    weight, moment = drawn(*shape, 300, seed)
    found = alps(weight, moment, 0.6, pattern)
    expected = splitting(weight.double().numpy(), moment.double().numpy(), 0.6, pattern)
    assert np.array_equal(found != 0, expected != 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(3))
def test_its_error_is_below_that_of_the_others_repaired(seed):
    weight, moment = drawn(24, 32, 200, seed)

    def error(found):
        return float(errors(weight, found, moment).sum())

    others = (refit(weight, each, moment) for each in (magnitude(weight, None, 0.6), sparsegpt(weight, moment, 0.6)))
    assert error(alps(weight, moment, 0.6)) < min(map(error, others))


@pytest.mark.parametrize("pattern", [None, Pattern(kept=2, of=4)])
def test_a_linear_of_zeros_stays_one(pattern):
    _, moment = drawn(8, 16, 32)
    assert not alps(torch.zeros(8, 16), moment, 0.5, pattern).any()
