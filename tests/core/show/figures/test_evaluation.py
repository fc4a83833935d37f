"""Charts of what pruning was measured to cost: whole, labelled, and their findings computed from the data."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.results import verdicts
from core.results.comparison import Interval
from core.show.figures import DARK, LIGHT, Chart, Palette, evaluation
from core.show.figures.perplexity import Curve, perplexity
from tests.core.show.figures.test_charts import trace

NAN = float("nan")


def curve(name: str, points: dict[float, list[float]], **more: bool) -> Curve:
    return Curve(name, {target: np.array(values) for target, values in points.items()}, **more)


CURVES = [
    curve("Uniform", {0.5: [20.0], 0.7: [60.0, 64.0]}),
    curve("OWL", {0.5: [18.0], 0.7: [45.0, 50.0]}, shown=True),
    curve("LSA", {0.7: [44.0, 70.0, 90.0]}),
]
ROWS = {
    "OWL": Interval(-12.0, -15.0, -9.0, 24),
    "DLP": Interval(5.0, -1.0, 11.0, 24),
    "Response": Interval(40.0, 30.0, 50.0, 24),
}


def every(look: Palette = LIGHT) -> list[Chart]:
    """One of each."""
    return [
        perplexity(CURVES, 15.2, {}, look),
        evaluation.changes(ROWS, "OWL", "uniform", look),
        evaluation.accuracies({"dense": (0.5, 0.02), "OWL": (0.4, 0.02)}, "OWL", "boolq", look),
    ]


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_every_chart_is_whole(look: Palette) -> None:
    for chart in every(look):
        assert chart.title and len(chart.table) and chart.figure.data
        assert chart.finding.endswith(".") and "nan" not in chart.finding
        titles = [axis.title.text for axis in (*chart.figure.select_xaxes(), *chart.figure.select_yaxes())]
        assert any(titles)
        chart.figure.to_json()


def test_perplexity_draws_every_seed_and_a_line_through_their_mean() -> None:
    figure = perplexity(CURVES, 15.2).figure
    assert list(trace(figure, "OWL").y) == [18.0, 45.0, 50.0]
    assert trace(figure, "OWL, mean").y[-1] == pytest.approx(math.sqrt(45 * 50))
    labels = trace(figure, "labels").text
    assert set(labels) == {"Uniform", "<b>OWL</b>", "LSA", "dense 15.2"}


def test_too_few_windows_rank_nothing() -> None:
    finding = perplexity(CURVES, 15.2, few=True).finding
    assert re.findall(r"\d+\.\d|\d+ %", finding) == ["15.2", "70 %", "47.4", "65.2"] and "too few windows" in finding


def test_long_names_are_broken_for_a_phone_and_led_to_from_their_lines() -> None:
    long = curve("OWL, m 7, lam 0.2", {0.5: [19.0]}, shown=True)
    figure = perplexity([*CURVES, long], 15.2).figure
    labels, leaders = trace(figure, "labels"), trace(figure, "leaders")
    assert labels.text[-1].replace("\u00a0", " ") == "<b>OWL, m 7,<br>lam 0.2 (50 %)</b>"
    assert leaders.x[-3:] == (50.0, labels.x[-1], None)
    assert leaders.y[-3:-1] == pytest.approx((19.0, labels.y[-1]))


def test_a_phone_has_room_for_the_ticks_and_names_of_changes() -> None:
    figure = evaluation.changes(
        ROWS | {"Response, objective drift": Interval(-60.0, -64.0, -55.0, 24)}, None, "x"
    ).figure
    assert len(figure.layout.xaxis.tickvals) <= 5 and figure.layout.xaxis.tickangle == 0
    assert figure.layout.yaxis.ticktext[0].replace("\u00a0", " ") == "Response,<br>objective drift"


def test_perplexity_says_what_is_not_a_number_and_from_which_layer() -> None:
    broken = [*CURVES, curve("DLP", {0.7: [NAN]})]
    chart = perplexity(broken, 15.2, {"DLP at 70%": 4})
    assert re.search(r"DLP at 70%: .* layer 4\b", chart.finding)
    assert "DLP" not in {each.name for each in chart.figure.data}
    assert re.match(r"Dense: 15\.2\. At 70 % zeros OWL .*, 47\.4", chart.finding)


def test_changes_are_counted_by_their_intervals() -> None:
    chart = evaluation.changes(ROWS, "OWL", "uniform")
    assert chart.finding == verdicts.counted(ROWS, "uniform")
    assert list(trace(chart.figure, "change").y) == ["OWL", "DLP", "Response"]
    assert trace(chart.figure, "change").x[0] == pytest.approx(math.log(0.88))
    assert trace(chart.figure, "labels").text[0].strip() == verdicts.said(ROWS["OWL"])


@given(st.lists(st.floats(-90, 1e5, allow_nan=False), min_size=1, max_size=8))
def test_the_axis_of_changes_holds_every_value_with_few_ticks(percents: list[float]) -> None:
    values = np.log1p(np.array(percents) / 100)
    axis = evaluation._change_axis(values, "change, %")
    low, high = axis["range"]
    assert low < values.min() and values.max() < high and low < 0 < high
    assert 1 <= len(axis["tickvals"]) <= 12 and "0" in axis["ticktext"]


def test_a_setting_that_broke_has_no_dot_and_is_named() -> None:
    rows = {"Uniform": (NAN, NAN), "OWL": (0.4, 0.02), "DLP": (0.3, NAN)}
    chart = evaluation.accuracies(rows, None, "boolq")
    assert list(trace(chart.figure, "accuracy").y) == ["OWL", "DLP"] and len(chart.table) == 3
    best, broke = chart.finding.split("error. ")
    assert "OWL" in best and "40.0 ± 2.0 %" in best and "DLP least (30.0 %)" in best
    assert broke == "Uniform has no accuracy: its outputs are not finite."
    nothing = evaluation.accuracies({"Uniform": (NAN, NAN)}, None, "boolq")
    assert "No setting" in nothing.finding and "nan" not in nothing.finding
    nothing.figure.to_json()


def test_the_mean_of_tasks_weighs_them_alike() -> None:
    asked = SimpleNamespace(accuracy={"arc": (0.5, 0.3, 2), "rte": (0.75, 0.4, 4)}.get)
    mean, error = evaluation.accuracy(asked, ["arc", "rte"])
    assert mean == pytest.approx((0.5 + 0.75) / 2)
    assert error == pytest.approx(0.25)
