"""The live pictures above the charts: what they are given is what was measured."""

import numpy as np
import pytest

from core.methods import ZEROS
from core.show import figures
from pages.ui.absorption import overview


def line(*verdicts):
    value = np.linspace(0.5, 2.0, len(verdicts))
    return figures.Line("noise", value, value / 1.1, value * 1.1, verdicts, verdicts)


def test_bars_of_gains_carry_values_and_verdicts():
    bars = line("absorbs", "undecided", "amplifies", None)
    shown = overview.gain_bars(bars, "median", 2, "Layer 2 amplifies.", None)
    assert shown.finding == "Layer 2 amplifies."
    assert shown.bars.values[0].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert shown.bars.tones == [["absorb", "undecided", "amplify", "undecided"]]
    assert shown.slots["gain"].table[0] == "0.50×"
    assert shown.slots["interval"].table[0] == "[0.45, 0.55]"
    assert [text.split()[-2:] for text in shown.slots["verdict"].table[:1]] == [["absorbs", "it"]]
    assert "by definition" in shown.slots["verdict"].table[-1]
    assert "median" in shown.y.title and shown.pick.index == 2


@pytest.mark.parametrize("sparsity", [np.full(4, 0.7), np.array([0.6, 0.8, 0.7, 0.7]), np.array([0.0, 0.95])])
def test_bars_of_sparsities_lie_inside_their_axis(sparsity):
    target = float(sparsity.mean())
    shown = overview.sparsity_bars(sparsity, target, ZEROS)
    assert shown.y.low <= min(sparsity.min(), target) and max(sparsity.max(), target) <= shown.y.high
    assert shown.foot == target  # bars show the distance from the target, for an axis that does not begin at 0
    assert ("alike" in shown.says) == (np.ptp(sparsity) == 0)
