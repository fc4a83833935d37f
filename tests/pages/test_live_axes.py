"""Axes of pictures that are drawn in the browser."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.show.figures import axes


@given(st.floats(1e-6, 1e3), st.floats(1.2, 1e9))
def test_a_log_axis_has_ticks_enough_to_read_it_and_none_too_near_another(low, spread):
    values = np.array([low, low * spread])
    for axis in (axes.log_axis("", values), axes.ratio_axis("", values)):
        ticks = [value for value, _ in axis.ticks]
        assert len(ticks) >= 3 and axis.low <= ticks[0] and ticks[-1] <= axis.high
        assert (np.diff(np.log(ticks)) >= 0.0999 * np.log(axis.high / axis.low)).all()
        assert all(float(said.rstrip("×").replace(",", "")) == value for value, said in axis.ticks)
    assert 1.0 in ticks, "a ratio is read against one"
