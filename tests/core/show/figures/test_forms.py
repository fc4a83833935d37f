"""Forms are drawn where something is known of two of them."""

from core.plan import DENSE
from core.show.figures.frontier import forms

SIZES = {DENSE: 269e6, "3.5 bits": 80e6, "Q8_0": 143e6, "Q4_0": 76e6}


def test_bytes_loss_and_speed_stand_in_one_picture_as_far_as_they_are_known():
    loss, speed = {DENSE: 26.1, "3.5 bits": 31.0}, {"Q8_0": 44.3, "Q4_0": 61.3, "Q5_1": 50.0}
    chart = forms(SIZES, loss, speed)
    upper, lower = chart.figure.data
    assert (upper.yaxis, lower.yaxis) == ("y", "y2") and chart.figure.layout.yaxis2.domain[1] < 0.6
    assert list(lower.text) == ["Q8_0", "Q4_0"] and list(lower.x) == [143, 76]
    assert list(chart.table.columns) == ["MB", "perplexity", "tokens a second"]
    assert chart.table["MB"].tolist() == [269, 80, 143, 76] and chart.table["tokens a second"].count() == 2
    assert "in 3.5 bits take 105 %" in chart.finding

    [only] = forms(SIZES, loss, {DENSE: 30.0}).figure.data
    assert only.name == "perplexity" and list(only.y) == [26.1, 31.0]
    assert forms(SIZES, {DENSE: 26.1}, {}) is None
