"""The move inside the trust region keeps budget and bounds, is as good as the slopes allow, and needs a gain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.allocation.budget import Bounds, met
from core.allocation.exchange import apart, exchange, expected, moved, promising, rooms, slopes, steps, traded


@given(layers=st.integers(1, 12), seed=st.integers(0, 10**6), region=st.floats(0.001, 0.3), linears=st.integers(0, 3))
def test_a_move_keeps_budget_and_bounds_and_cannot_be_bettered(
    layers: int, seed: int, region: float, linears: int
) -> None:
    draw = np.random.default_rng(seed)
    bounds = Bounds(0.1, 0.9)
    sparsity = draw.uniform(0.1, 0.9, (layers, linears) if linears else layers)
    parameters = draw.integers(10, 10**7, layers).astype(float)
    below, above = rooms(sparsity.reshape(layers, -1), bounds, region)
    down, up = slopes(draw.normal(size=layers), 0.0, draw.normal(size=layers), below, above)
    change = exchange(down, up, parameters, below, above)
    after = moved(sparsity, change)

    of_layers = after.mean(1) if linears else after
    before = sparsity.mean(1) if linears else sparsity
    assert abs(met(of_layers, parameters) - met(before, parameters)) < 1e-9
    assert after.min() >= bounds.low - 1e-9 and after.max() <= bounds.high + 1e-9
    assert np.abs(change).max() <= region + 1e-9
    assert expected(change, down, up) <= 1e-9
    # optimal: no weight is saved anywhere for more than one costs elsewhere
    saves = (np.where(change > 1e-9, up, down) / parameters)[change > -below + 1e-9]
    costs = (np.where(change < -1e-9, down, up) / parameters)[change < above - 1e-9]
    assert max(saves, default=-np.inf) <= min(costs, default=np.inf) + 1e-12


def test_a_move_by_hand() -> None:
    """The dearest layer gives all it may; the cheapest takes it; the third, between them, stays."""
    down, up = np.array([4.0, 1.0, 2.0]), np.array([5.0, 1.5, 3.0])
    room = np.full(3, 0.1)
    change = exchange(down, up, np.ones(3), room, room)
    assert change == pytest.approx([-0.1, 0.1, 0.0])
    assert expected(change, down, up) == pytest.approx(-0.25)
    alike = exchange(np.ones(3), np.full(3, 2.0), np.ones(3), room, room)
    assert alike == pytest.approx(np.zeros(3))


def test_slopes_by_hand() -> None:
    less, more = np.array([0.9, 0.9, np.nan, 0.9]), np.array([1.2, 1.05, 1.3, np.inf])
    down, up = slopes(less, 1.0, more, np.full(4, 0.1), np.array([0.1, 0.1, 0.1, 0.1]))
    assert down == pytest.approx([1.0, 0.75, -np.inf, 1.0])  # the second falls on the way up: one slope for both
    assert up == pytest.approx([2.0, 0.75, 3.0, np.inf])


def test_rooms_by_hand() -> None:
    """The linear nearest to a bound decides; a layer outside a bound may only come back."""
    below, above = rooms(np.array([[0.5, 0.88], [0.05, 0.4], [0.97, 0.5]]), Bounds(0.1, 0.9), 0.2)
    assert below == pytest.approx([0.2, 0.0, 0.2]) and above == pytest.approx([0.02, 0.2, 0.0])


@given(layers=st.integers(1, 9), seed=st.integers(0, 10**6), size=st.floats(0.001, 0.3), linears=st.integers(0, 3))
def test_pairs_that_trade_keep_budget_and_bounds_and_share_no_layer(
    layers: int, seed: int, size: float, linears: int
) -> None:
    draw = np.random.default_rng(seed)
    bounds = Bounds(0.1, 0.9)
    sparsity = draw.uniform(0.1, 0.9, (layers, linears) if linears else layers)
    parameters = draw.integers(10, 1000, layers).astype(float)
    by = steps(sparsity.reshape(layers, -1), parameters, bounds, size)
    down, up = draw.normal(size=(2, layers))
    down[0] = -np.inf
    asked = promising(down, up, parameters, by, 2 * layers)
    price = [up[high] / parameters[high] - down[low] / parameters[low] for low, high in asked]
    assert price == sorted(price) and len(set(asked)) == len(asked) <= 2 * layers
    assert all(low not in (0, high) and by.below[low] and by.above[high] for low, high in asked)

    changes = draw.normal(size=len(asked))
    chosen = apart(asked, changes)
    assert (changes[chosen] < 0).all() and list(changes[chosen]) == sorted(changes[chosen])
    touched = [layer for number in chosen for layer in asked[number]]
    assert len(touched) == len(set(touched))
    left = [each for each, change in zip(asked, changes, strict=True) if change < 0 and not {*each} & {*touched}]
    assert not left, "none that helps is left out but for a better one"

    change = traded([asked[number] for number in chosen], by)
    after = moved(sparsity, change)
    assert abs(met(change, parameters)) < 1e-12
    assert after.min() >= bounds.low - 1e-9 and after.max() <= bounds.high + 1e-9


def test_a_step_moves_as_many_weights_in_every_layer() -> None:
    by = steps(np.array([[0.5], [0.5], [0.12]]), np.array([10.0, 20.0, 40.0]), Bounds(0.1, 0.9), 0.2)
    assert by.below == pytest.approx([0.2, 0.1, 0.0]) and by.above == pytest.approx([0.2, 0.1, 0.05])


def test_a_change_moves_a_layer_s_linears_alike_or_each_by_its_own() -> None:
    rows = np.array([[0.5, 0.6], [0.7, 0.8]])
    assert moved(rows, np.array([0.1, -0.1])) == pytest.approx(np.array([[0.6, 0.7], [0.6, 0.7]]))
    assert moved(rows, np.array([0.1, 0.0, 0.0, -0.1])) == pytest.approx(np.array([[0.6, 0.6], [0.7, 0.7]]))
    assert moved(rows[0], np.array([0.1, -0.1])) == pytest.approx([0.6, 0.5])


def test_what_stands_on_a_bound_moves_by_nothing_at_all() -> None:
    """Rounding alone would multiply a slope that says there is no room."""
    sparsity, parameters = np.array([0.95, 0.7, 0.6, 0.55]), np.full(4, 12.0 * 1024**2)
    below, above = rooms(sparsity[:, None], Bounds(0.0, 0.95), 0.05)
    down, up = np.array([0.3, 0.1, 0.4, 0.02]), np.array([np.inf, 0.4, 0.6, 0.03])
    change = exchange(down, up, parameters, below, above)
    assert np.isfinite(expected(change, down, up)) and np.count_nonzero(change) == 2
