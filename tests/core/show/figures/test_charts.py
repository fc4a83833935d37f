"""Charts and their findings where committed results do not lead; how they are drawn is approved beside."""

from itertools import product

import numpy as np
import pytest

from core.base import Estimate
from core.show.figures import BEYOND, CHARTS, COMPARED, InView, drift, gain, sensible, with_band
from tests.builders.profiles import stored

OTHER = "checkpoint:0123456789abcdef"
MEASURED = (
    "gaussian:0.01", "gaussian:0.3", "gaussian:1", "residual:wanda:0.7", "residual:wanda+refit:0.7", "skip:attention",
    "skip:mlp", OTHER,
)  # fmt: skip


@pytest.mark.parametrize("layers", [2, 80])
def test_every_chart_is_whole_whatever_the_depth(layers, empty):
    profile = stored(empty, *MEASURED, layers=layers, prunable=True, sketch=True)
    for row, layer in product(CHARTS, (0, layers - 1)):
        chart = row.draw(InView(profile, OTHER if row.group == COMPARED else MEASURED[0], layer))
        assert len(chart.table) and chart.finding.endswith(".")
        assert "nan" not in chart.finding and "inf" not in chart.finding
        assert all(len(axis.tickvals) <= 8 for axis in chart.figure.select_xaxes()), "the numbers of layers part"
        chart.figure.to_json()


@pytest.mark.parametrize(
    ("firm", "cross", "said"),
    [
        ([["absorbs", "undecided", "undecided"], ["absorbs", "absorbs", "undecided"]], [np.nan, 0.18, np.nan],
         "every measured size is absorbed at layer 0."),
        ([["amplifies", "amplifies", "undecided"], ["undecided", "absorbs", "undecided"]], [0.5, 0.3, np.nan],
         "small sizes are amplified and large ones absorbed at layer 1, switching at size 0.30."),
        ([["amplifies", "amplifies", "undecided"], ["absorbs", "absorbs", "undecided"]], [0.5, 0.3, np.nan],
         "small sizes are amplified and large ones absorbed at layers 0 and 1, switching at sizes between 0.30 "
         "and 0.50."),
        ([["absorbs", "undecided"], ["amplifies", "undecided"]], [np.nan, np.nan], "no layer certainly switches"),
    ],
)  # fmt: skip
def test_the_size_of_noise_claims_no_turn_beyond_verdicts(firm, cross, said):
    assert gain.crossing_sentence(firm, np.array(cross)).startswith(f"Gaussian noise: {said}")


@pytest.mark.parametrize(("stream", "said"), [(2.0, "would fall to 0.50×"), (0.5, "would rise to 2.0×")])
def test_what_a_constant_damage_would_do_is_said_the_right_way(stream, said):
    damage, streams = np.array([0.5, 0.6, 1.0]), np.array([stream, 0.9, 1.0])
    assert said in drift.dilution_sentence(damage, streams, 0)
    assert drift.dilution_sentence(damage, streams, 2).endswith("Nothing follows layer 2.")


def test_a_model_that_guesses_is_not_drawn_and_intervals_end_near_the_values():
    assert sensible(np.array([20.0, 1e6])) == pytest.approx([20.0, np.nan], nan_ok=True)
    costs = Estimate(np.array([20.0, 40.0, 1e6]), np.array([1.0, 30.0, 1e5]), np.array([900.0, 50.0, 1e7]))
    middle, (low, high) = with_band(costs, [60.0])
    assert middle == pytest.approx([20.0, 40.0, np.nan], nan_ok=True)
    assert low[:2] == pytest.approx([20 / BEYOND, 30.0]) and high[:2] == pytest.approx([60 * BEYOND, 50.0])
    assert with_band(Estimate(*[np.array([1e6])] * 3), []) is None
