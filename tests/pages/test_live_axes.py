"""Axes of pictures that are drawn in the browser."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.show.figures import axes


@given(st.floats(1e-6, 1e3), st.floats(1.2, 1e9))
def test_a_log_axis_has_ticks_enough_to_read_it_and_none_too_near_another(low: float, spread: float) -> None:
    values = np.array([low, low * spread])
    for axis in (axes.log_axis("", values), axes.ratio_axis("", values)):
        ticks = [value for value, _ in axis.ticks]
        assert len(ticks) >= 3 and axis.low <= ticks[0] and ticks[-1] <= axis.high
        assert (np.diff(np.log(ticks)) >= 0.0999 * np.log(axis.high / axis.low)).all()
        assert all(float(said.rstrip("×").replace(",", "")) == value for value, said in axis.ticks)
    assert 1.0 in ticks, "a ratio is read against one"


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        (axes.log_axis, [0.16, 0.33], ["0.15", "0.2", "0.3"]),
        (axes.log_axis, [0.01, 20], ["0.01", "0.1", "1", "10"]),
        (axes.ratio_axis, [0.55, 1.02], ["0.6×", "0.8×", "1×", "1.25×"]),
        (axes.ratio_axis, [0.3, 5], ["0.5×", "1×", "2×", "5×"]),
    ],
)
def test_ticks_are_round(axis: Callable[..., axes.Axis], values: list[float], said: list[str]) -> None:
    assert [text for _, text in axis("", np.array(values)).ticks] == said
