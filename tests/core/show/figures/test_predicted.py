"""Curves of predicted perplexities: only values that mean something, with intervals that fit the picture."""

import numpy as np
import pytest

from core.base import Estimate
from core.show.figures.evaluation import BEYOND, sensible, with_band


def test_a_model_that_guesses_is_not_drawn_and_intervals_end_near_the_values():
    assert sensible(np.array([20.0, 1e6])) == pytest.approx([20.0, np.nan], nan_ok=True)
    costs = Estimate(np.array([20.0, 40.0, 1e6]), np.array([1.0, 30.0, 1e5]), np.array([900.0, 50.0, 1e7]))
    middle, (low, high) = with_band(costs, [60.0])
    assert middle == pytest.approx([20.0, 40.0, np.nan], nan_ok=True)
    assert low[:2] == pytest.approx([20 / BEYOND, 30.0]) and high[:2] == pytest.approx([60 * BEYOND, 50.0])
    assert with_band(Estimate(*[np.array([1e6])] * 3), []) is None
