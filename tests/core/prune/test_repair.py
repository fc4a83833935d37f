"""The repair: against a direct solve, on any mask, and what it may never do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base import Broken
from core.methods import Pattern, alps, errors, magnitude, refit, sparsegpt, wanda
from core.methods import refit as repair

PATTERNS = [None, Pattern(2, 4)]


def drawn(rows, columns, tokens, seed=0):
    """A weight, and the second moment of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator)
    mixed = torch.randn(columns, columns, generator=generator)
    inputs = torch.randn(tokens, columns, generator=generator) @ mixed
    return weight, inputs.T @ inputs


def pruned_by(name, weight, moment, pattern=None):
    if name == "sparsegpt":
        return sparsegpt.sparsegpt(weight, moment, 0.6, pattern)
    return (
        wanda.wanda(weight, moment.diagonal().sqrt(), 0.6, pattern)
        if name == "wanda"
        else magnitude.magnitude(weight, None, 0.6)
    )


@pytest.mark.parametrize("pulled", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_the_direct_solve_of_every_row(pattern, pulled, monkeypatch):
    monkeypatch.setattr(repair, "ENOUGH", 1e-7)
    weight, moment = drawn(6, 16, 200)
    pruned = pruned_by("wanda", weight, moment, pattern)
    pull = torch.randn(6, 16) * moment.diagonal() * pulled
    found = refit.refit(weight, pruned, moment, pull=pull if pulled else None).double()
    damped = moment.double() + repair.DAMPING[0] * float(moment.diagonal().mean()) * torch.eye(16)
    for row in range(6):
        kept = torch.nonzero(pruned[row])[:, 0]
        right = (damped @ weight[row].double() + pull[row].double())[kept]
        exact = torch.linalg.solve(damped[kept][:, kept], right)
        torch.testing.assert_close(found[row, kept], exact, rtol=1e-3, atol=1e-3 if pulled else 1e-4)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(2, 24),
    tokens=st.integers(1, 60),
    seed=st.integers(0, 99),
    name=st.sampled_from(["magnitude", "wanda", "sparsegpt"]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_no_row_gets_worse_and_the_mask_stays(rows, columns, tokens, seed, name, dtype):
    weight, moment = drawn(rows, columns, tokens, seed)
    weight = weight.to(dtype)
    pruned = pruned_by(name, weight, moment)
    found = refit.refit(weight, pruned, moment)
    assert found.dtype == dtype
    assert torch.equal(found != 0, pruned != 0)
    before, after = (errors(weight.float(), each.float(), moment) for each in (pruned, found))
    assert (after <= before).all()


# --- what diverges -------------------------------------------------------------------------------------------------


def spoilt(share):
    """Rounding may leave a second moment with a negative eigenvalue: this one has `-share` of its mean diagonal."""
    return torch.eye(4) + (1 + share) * torch.eye(4).flip(0)


DENSE, PRUNED = torch.tensor([[1.0, 2.0, -3.0, 4.0]]), torch.tensor([[0.0, 1.5, -1.0, 0.0]])


@pytest.mark.parametrize(
    ("solve", "name"),
    [
        (lambda moment, warn: refit.refit(DENSE, PRUNED, moment, warn), "repair"),
        (lambda moment, warn: alps.alps(torch.cat([DENSE, DENSE.abs().roll(1)]), moment, 0.5, None, warn), "splitting"),
    ],
)
def test_damping_is_raised_with_a_warning_and_given_up_in_a_sentence(solve, name, refused):
    warnings = []
    assert solve(spoilt(0.05), warnings.append).isfinite().all()
    assert warnings == [f"the {name} diverged: damping raised from 0.01 to 0.1"]
    with refused(name, "damping 1", "calibrate", error=Broken):
        solve(spoilt(3.0), lambda _: None)


# --- ALPS, against a plain implementation of the paper's algorithm ----------------------------------------------------


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
            kept[row, first + np.argsort(-group)[: pattern.remaining]] = True
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
    found = alps.alps(weight, moment, 0.6, pattern)
    expected = splitting(weight.double().numpy(), moment.double().numpy(), 0.6, pattern)
    assert np.array_equal(found != 0, expected != 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("pattern", [None, Pattern(remaining=2, of=4)])
def test_a_linear_of_zeros_stays_one(pattern):
    _, moment = drawn(8, 16, 32)
    assert not alps.alps(torch.zeros(8, 16), moment, 0.5, pattern).any()
