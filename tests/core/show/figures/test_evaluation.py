"""Charts of what pruning was measured to cost: whole, labelled, and their findings computed from the data."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from core.base import Estimate
from core.methods import INTEGERS
from core.requests import AllocationRequest, Recipe
from core.results import Result
from core.results.comparison import percent_text
from core.results.setting_result import SeedResult
from core.show.figures import allocation, evaluation, perplexity
from core.show.words import perplexity_sentences
from core.store import Losses
from tests.core.show.figures.test_charts import trace

NAN = float("nan")
ROWS = {
    "OWL": Estimate(-12.0, -15.0, -9.0, 24),
    "DLP": Estimate(5.0, -1.0, 11.0, 24),
    "Response": Estimate(40.0, 30.0, 50.0, 24),
}


def one(name, target, *perplexities):
    """A setting with a calibration seed for every perplexity; without a target the dense model."""
    asked = Recipe(allocation=AllocationRequest(target=target)) if target else None
    results = {}
    for seed, value in enumerate(perplexities):
        nll = np.full(9, np.log(value))
        evaluated = Losses(nll=nll, kl=nll, agreement=nll, zeros=np.zeros((6, 1)))
        results[seed] = SeedResult(asked, None, evaluated, {}, {"broken": 4})
    return Result(asked, name, results, {})


SETTINGS = (
    one("Uniform", 0.5, 20.0), one("Uniform", 0.7, 60.0, 64.0), one("OWL", 0.7, 45.0, 50.0), one("OWL", 0.5, 18.0),
    one("LSA", 0.7, 44.0, 70.0, 90.0),
)  # fmt: skip


class Part(SimpleNamespace):
    """Stands for what is known by its identity."""

    __hash__ = object.__hash__


def drawn(*more, shown="OWL", windows=9):
    """Perplexity over targets."""
    spec = SimpleNamespace(text=SimpleNamespace(sequences=windows))
    found = Part(settings=(*SETTINGS, *more), dense=one("dense", None, 15.2), spec=spec)
    return perplexity.of_evaluations(found, Part(name=shown))


def test_perplexity_draws_every_seed_and_a_line_through_their_mean():
    figure = drawn().figure
    assert list(trace(figure, "OWL").y) == pytest.approx([18.0, 45.0, 50.0])
    assert trace(figure, "OWL, mean").y[-1] == pytest.approx((45 * 50) ** 0.5)
    assert set(trace(figure, "labels").text) == {"Uniform", "<b>OWL</b>", "LSA", "dense 15.2"}


def test_too_few_windows_rank_nothing():
    finding = drawn(windows=7).finding
    assert re.findall(r"\d+\.\d|\d+ %", finding) == ["15.2", "70 %", "47.4", "65.2"] and "too few windows" in finding


def test_perplexity_says_what_is_not_a_number_and_from_which_layer():
    chart = drawn(one("DLP", 0.7, NAN))
    assert re.search(r"DLP at 70 %: .* layer 4\b", chart.finding)
    assert "DLP" not in {each.name for each in chart.figure.data}
    assert re.match(r"Dense: 15\.2\. At 70 % zeros OWL .*, 47\.4", chart.finding)


def test_changes_are_counted_by_their_intervals_and_drawn_as_ratios():
    chart = evaluation.changes(ROWS | {"Response, objective drift": Estimate(-60.0, -64.0, -55.0, 24)}, None, "uniform")
    assert evaluation.changes(ROWS, "OWL", "uniform").finding == perplexity_sentences.tally(
        ROWS.values(), "setting", "uniform"
    )
    assert list(trace(chart.figure, "change").y) == ["Response, objective drift", "OWL", "DLP", "Response"]
    assert trace(chart.figure, "change").x[1] == pytest.approx(0.88)
    assert trace(chart.figure, "labels").text[1].strip() == percent_text(ROWS["OWL"])
    assert chart.figure.layout.yaxis.ticktext[0].replace("\u00a0", " ") == "Response,<br>objective drift"


def test_a_training_tells_where_its_kept_weights_are_from_and_has_room_for_what_is_to_come():
    tokens = np.array([0, 1024, 2048, 3072.0])
    chart = evaluation.training(tokens, np.array([1.4, 1.1, 1.2]))
    line = trace(chart.figure, "held back")
    assert [*line.x] == [0, 1024, 2048] and chart.figure.layout.xaxis.range[1] > 3072 and len(chart.table) == 3
    assert line.marker.color[1] != line.marker.color[0] == line.marker.color[2]
    assert "is 1.40 nats/token before training and 1.10 after 1,024 tokens" in chart.finding
    assert evaluation.training(tokens, np.array([1.4])).finding.endswith("1.40 nats/token before training.")


def test_integers_of_as_many_bits_are_alike():
    said = {each.name: shade for each, shade in zip(INTEGERS.levels, allocation.shades_of(INTEGERS), strict=True)}
    assert said["int3g32"] == said["int3g64"] != said["int2g64"] and said["int2g64"][1] == "2 bits"
    assert len({hue for hue, _ in said.values()}) == len(set(said.values())) < len(said)
