"""The chart of a polish: where it stood after every move."""

from __future__ import annotations

import numpy as np
import pytest

from core.figures.polish import polished

ROUNDS = [
    {"change": -0.1, "accepted": True, "tokens": 1000},
    {"change": 0.05, "accepted": False, "tokens": 1500},
    {"change": -0.02, "accepted": True, "tokens": 2500},
]


def test_a_move_is_drawn_from_where_it_stood_and_kept_ones_lower_the_line() -> None:
    chart = polished(ROUNDS)
    line, kept, undone = chart.figure.data
    assert tuple(line.x) == (0, 1000, 1500, 2500)
    assert tuple(line.y) == pytest.approx(100 * np.expm1([0, -0.1, -0.1, -0.12]))
    assert tuple(kept.y) == pytest.approx(100 * np.expm1([-0.1, -0.12])) and tuple(kept.x) == (1000, 2500)
    assert tuple(undone.y) == pytest.approx(100 * np.expm1([-0.05]))
    assert len(chart.table) == 3 and "2 moves of 3" in chart.finding
    assert "start stays" in polished(ROUNDS[1:2]).finding
