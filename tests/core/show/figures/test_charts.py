"""Charts: what is in the figures, whatever the profile."""

from __future__ import annotations

import dataclasses

import numpy as np
import plotly.graph_objects as go
import pytest

from core.ask.measurements import Measurement
from core.ask.perturbations import perturbation
from core.plan.gains import gains_of
from core.results import propagation
from core.show import figures
from core.show.figures import matrix, responses, sizes, why
from core.store.results import Perturbed
from tests import synthetic

LAYERS, SEQUENCES = 12, 8


def seeds(name: str = "gaussian:0.3", layers: int = LAYERS) -> list[Perturbed]:
    """Invented results of one perturbation."""
    return [synthetic.perturbed(layers, SEQUENCES, Measurement(perturbation=perturbation(name)))]


def trace(figure: go.Figure, name: str) -> go.Scatter:
    """The trace with a name."""
    return next(each for each in figure.data if each.name == name)


def all_charts(layer: int, layers: int = LAYERS, look: figures.Palette = figures.LIGHT) -> list[figures.Chart]:
    """One of each."""
    found = seeds(layers=layers)
    lines = [figures.line(f"{size:g}", seeds(f"gaussian:{size}", layers)) for size in (0.01, 0.1, 1)]
    return [
        figures.curves(found, layer, look),
        figures.heatmap(found, synthetic.floor(layers).drift, layer, look),
        figures.gains(lines, 1, layer, "said", look=look),
        figures.size_map([0.01, 0.1, 1], lines, layer, look),
        figures.dilution(found, synthetic.activation(layers, SEQUENCES), layer, look),
        figures.direction(found, layer, look),
        figures.harm(found, layer, look),
        figures.compared(lines[0], lines[1], layer, "title", "one against the other", look),
    ]


@pytest.mark.parametrize("layers", [2, 4, 30, 80])
@pytest.mark.parametrize("look", [figures.LIGHT, figures.DARK])
def test_every_chart_is_whole(layers: int, look: figures.Palette) -> None:
    for layer in (0, layers - 1):
        for chart in all_charts(layer, layers, look):
            assert chart.title and len(chart.table) and chart.figure.data
            assert chart.finding.endswith(".") or chart.finding == "said"
            assert "nan" not in chart.finding and "inf" not in chart.finding
            assert all(axis.title.text or chart.name == "harm" for axis in chart.figure.select_xaxes())
            assert all(len(axis.tickvals) <= 8 for axis in chart.figure.select_xaxes()), "the numbers of layers part"
            chart.figure.to_json()


def test_curves_show_every_injection_layer_and_the_interval() -> None:
    found = seeds()
    figure = figures.curves(found, 3).figure
    value = propagation.curves(found).value
    np.testing.assert_allclose(trace(figure, "layer 3").y, value[3, 3:])
    bundles = {each.name.removeprefix("other layers, "): each for each in figure.data if "other layers" in each.name}
    assert sum(y is not None for each in bundles.values() for y in each.y) == LAYERS * (LAYERS + 1) / 2 - (LAYERS - 3)
    absorbing = {i for i, verdict in enumerate(gains_of(found).verdicts) if verdict == "absorbs"} - {3}
    assert set(bundles["absorbs"].customdata) == absorbing
    assert trace(figure, "95% interval").fill == "toself"


def test_a_divergence_that_rounding_makes_is_grey_and_said() -> None:
    found = seeds()
    kl = found[0].kl.copy()
    kl[:2] = [[3e-6], [-1e-7]]
    chart = figures.harm([dataclasses.replace(found[0], kl=kl)], 3)
    assert chart.table["KL below noise floor"].tolist() == [True, True] + [False] * (LAYERS - 2)
    assert chart.figure.data[1].marker.color[:2] == (figures.LIGHT.guide,) * 2 != chart.figure.data[0].marker.color[:2]
    assert "2 layers" in chart.finding
    assert "no layer" in figures.harm([dataclasses.replace(found[0], kl=kl * 0)], 3).finding


def test_curves_keep_the_first_token_apart() -> None:
    assert "not perturbed" in figures.curves(seeds("gaussian:0.3"), 3).finding
    chart = figures.curves(seeds("gaussian:0.3@all"), 3)
    assert "At the first token" in chart.finding
    assert trace(chart.figure, "first token").line.dash == "dot"


def test_the_matrix_is_log2_neutral_at_one_and_empty_below_the_diagonal() -> None:
    found = seeds()
    figure = figures.heatmap(found, None, 3).figure
    cells = figure.data[0]
    np.testing.assert_allclose(cells.z, np.log2(propagation.relative(found)))
    assert np.isnan(np.tril(cells.z, -1)[np.tril_indices(LAYERS, -1)]).all()
    assert np.diag(cells.z) == pytest.approx(0)
    assert (cells.zmid, cells.zmin) == (0, -cells.zmax)
    assert cells.hoverinfo == "skip"


def test_every_cell_can_be_clicked_and_says_which_it_is() -> None:
    targets = trace(figures.heatmap(seeds(), None, 3).figure, "cells")
    assert len(targets.customdata) == LAYERS * (LAYERS + 1) / 2
    np.testing.assert_array_equal(targets.customdata, np.stack([targets.y, targets.x], axis=1))


def test_cells_below_the_noise_floor_are_grey_and_counted() -> None:
    floor = np.full((LAYERS, LAYERS), 1e-9)
    floor[2, 5:7] = 1.0
    chart = figures.heatmap(seeds(), floor, None)
    assert np.isnan(chart.figure.data[0].z[2, 5:7]).all()
    assert np.isfinite(trace(chart.figure, "below the noise floor").z).sum() == 2
    assert "2 grey cells" in chart.finding


def test_a_half_measured_matrix_can_be_drawn() -> None:
    found = seeds()[0]
    half = {field.name: getattr(found, field.name).copy() for field in dataclasses.fields(found)}
    for values in half.values():
        values[6:] = np.nan
    chart = figures.heatmap([Perturbed(**half)], None, None)
    assert len(trace(chart.figure, "cells").customdata) == sum(LAYERS - i for i in range(6))


def test_markers_carry_the_verdicts_and_the_last_layer_none() -> None:
    found = figures.line("0.3", seeds())
    markers = trace(figures.gains([found], 0, 2, "said").figure, "0.3").marker.color
    wanted = {"amplifies": figures.LIGHT.amplify, "absorbs": figures.LIGHT.absorb}
    assert list(markers) == [wanted.get(verdict, figures.LIGHT.undecided) for verdict in found.verdicts]
    assert markers[-1] == figures.LIGHT.undecided


@pytest.mark.parametrize("statistic", figures.STATISTICS)
def test_every_statistic_has_its_interval(statistic: str) -> None:
    found = figures.line("0.3", seeds(), statistic)
    assert (found.low <= found.value).all() and (found.value <= found.high).all()


def test_the_size_map_marks_the_crossing() -> None:
    lines = [figures.line(f"{size:g}", seeds(f"gaussian:{size}")) for size in (0.01, 0.1, 1)]
    chart = figures.size_map([0.01, 0.1, 1], lines, 2)
    wanted = propagation.crossing(np.array([0.01, 0.1, 1]), np.log([each.value for each in lines]))
    np.testing.assert_allclose(trace(chart.figure, "crossing size").y, wanted)
    assert np.isfinite(wanted).any() and "switching" in chart.finding


@pytest.mark.parametrize(
    ("firm", "cross", "said"),
    [
        (
            [["absorbs", "undecided", "undecided"], ["absorbs", "absorbs", "undecided"]],
            [np.nan, 0.18, np.nan],
            "every measured size is absorbed at layer 0; at layer 1 the gain crosses 1, at size 0.18, "
            "but no crossing is statistically certain.",
        ),
        (
            [["amplifies", "amplifies", "undecided"], ["undecided", "absorbs", "undecided"]],
            [0.5, 0.3, np.nan],
            "small sizes are amplified and large ones absorbed at layer 1, switching at size "
            "0.30; at layer 0 the gain crosses 1, at size 0.50, but no crossing is statistically certain.",
        ),
        ([["absorbs", "undecided"], ["amplifies", "undecided"]], [np.nan, np.nan], "no layer certainly switches"),
    ],
)
def test_the_size_map_claims_no_turn_beyond_verdicts(firm: list[list[str]], cross: list[float], said: str) -> None:
    told = sizes._finding(firm, np.array(cross))
    assert told.startswith(f"Gaussian noise: {said}")


def test_what_lies_across_the_stream_is_a_share_of_length() -> None:
    found = seeds()
    chart = figures.direction(found, 2)
    share = np.mean([each.orthogonal[2, -1] for each in found])
    assert chart.finding.startswith(f"{100 * share:.0f} % of the damage") and "perpendicular" in chart.finding
    assert "length" in chart.figure.layout.yaxis.title.text


@pytest.mark.parametrize("look", [figures.LIGHT, figures.DARK])
def test_the_scale_of_a_direction_shows_its_lines_and_no_more(look: figures.Palette) -> None:
    chart = figures.direction(seeds(), 2, look)
    values = chart.table[["cosine", "share of length across"]].to_numpy()
    low, high = chart.figure.layout.yaxis.range
    assert low < values.min() and values.max() < high <= 1.1
    assert high - low <= max(2 * np.ptp(values), 0.06)


def test_size_borders_lie_between_the_sizes() -> None:
    borders = sizes.edges(np.array([0.01, 0.1, 1]))
    np.testing.assert_allclose(borders, 10.0 ** np.array([-2.5, -1.5, -0.5, 0.5]))


def test_no_line_through_a_layer_crosses_what_the_colours_say() -> None:
    figure = figures.gains([figures.line("0.3", seeds())], 0, 2, "said").figure
    (key,) = [each for each in figure.layout.annotations if "amplifies" in each.text]
    assert (key.y, key.yref, key.yanchor) == (1, "paper", "bottom") and figure.layout.margin.t >= 28
    assert all(word in key.text for word in ("undecided", "absorbs"))


def test_damage_over_stream_is_the_gain() -> None:
    chart = figures.dilution(seeds(), synthetic.activation(LAYERS, SEQUENCES), 2)
    np.testing.assert_allclose(chart.table["damage grows"] / chart.table["stream grows"], chart.table["gain"])
    np.testing.assert_allclose(chart.table["gain"], gains_of(seeds()).value)


def test_the_gain_beside_its_dilution_has_the_colour_of_its_verdict() -> None:
    found, look = seeds(), figures.LIGHT
    figure = figures.dilution(found, synthetic.activation(LAYERS, SEQUENCES), 2).figure
    colours = {"amplifies": look.amplify, "absorbs": look.absorb, "undecided": look.undecided}
    drawn = {int(x): each.marker.color for each in figure.data if each.name.startswith("gain: ") for x in each.x}
    verdicts = gains_of(found).verdicts[:-1]
    assert drawn == {layer: colours[verdict] for layer, verdict in enumerate(verdicts)}


def test_a_gain_above_one_that_is_undecided_is_grey() -> None:
    found = [synthetic.perturbed(LAYERS, 3, Measurement(perturbation=perturbation("gaussian:0.3")))]
    figure = figures.dilution(found, synthetic.activation(LAYERS, 3), 2).figure
    gains = [each for each in figure.data if each.name.startswith("gain: ")]
    assert [(each.name, each.marker.color) for each in gains] == [("gain: undecided", figures.LIGHT.undecided)]


@pytest.mark.parametrize(("title", "alt"), [("Which way?", "Which way? So."), ("Drift left", "Drift left. So.")])
def test_a_text_alternative_is_two_sentences(title: str, alt: str) -> None:
    found = all_charts(2)[0]
    assert dataclasses.replace(found, title=title, finding="So.").alt == alt


@pytest.mark.parametrize(
    ("damage", "said"), [(2.0, "in none does the damage itself shrink. "), (0.5, "in 2 the damage itself shrinks. ")]
)
def test_what_became_of_the_damage_is_said_in_whole_sentences(damage: float, said: str) -> None:
    assert said in why._dilution_finding(np.array([damage, damage, 1]), np.array([3.0, 2.0, 1]), 0)


@pytest.mark.parametrize(("stream", "said"), [(2.0, "would fall to 0.50×"), (0.5, "would rise to 2.0×")])
def test_what_a_constant_damage_would_do_is_said_the_right_way(stream: float, said: str) -> None:
    damage, streams = np.array([0.5, 0.6, 1.0]), np.array([stream, 0.9, 1.0])
    assert said in why._dilution_finding(damage, streams, 0)
    assert why._dilution_finding(damage, streams, 2).endswith("Nothing follows layer 2.")


def test_the_only_layer_is_said_to_be_the_only_one() -> None:
    found = [synthetic.perturbed(1, 3, Measurement(perturbation=perturbation("gaussian:0.3")))]
    drawn = figures.dilution(found, synthetic.activation(1, 3), 0), figures.heatmap(found, synthetic.floor(1).drift, 0)
    assert all(each.finding.startswith("The model has one layer: nothing follows it") for each in drawn)


def test_a_layer_that_does_no_harm_is_not_passed_over() -> None:
    harm = np.array([[0.2, 0.4], [0.02, 0.03], [-0.002, -0.004]])
    said = responses.responses(np.array([0.5, 0.9]), harm, "nats", "Wanda").finding
    assert "layer 0 alone does most" in said and "of those that do measurable harm layer 1 least" in said


@pytest.mark.parametrize("whole", [True, False])
def test_a_layer_without_drift_is_said_to_have_none(whole: bool) -> None:
    """At every token, as where two checkpoints agree, or at some, of which only the mean logarithm is lost."""
    [found] = seeds()
    for name, value in {"log_drift": -np.inf, **({"drift": 0.0, "orthogonal": np.nan} if whole else {})}.items():
        getattr(found, name)[1, 1:] = value
    activation = synthetic.activation(LAYERS, SEQUENCES)
    charts = [figures.curves([found], 1), figures.dilution([found], activation, 1), figures.direction([found], 1)]
    said = "Layer 1 is left as it is: there is no drift to follow." if whole else "no drift from layer 1, so"
    assert [said in each.finding for each in charts] == [True, True, whole]
    assert not any(word in each.finding for each in charts for word in ("nan ", "shrinks to not"))


def test_colour_reaches_do_not_follow_one_outlier() -> None:
    logs = np.zeros((30, 30))
    logs[0, 0] = 9
    assert matrix.bound(logs) == 1


@pytest.mark.parametrize("layers", [LAYERS, 80])
def test_the_map_of_a_deep_model_has_no_lines_between_its_cells(layers: int) -> None:
    figure = figures.heatmap(seeds(layers=layers), np.ones((layers, layers)), None).figure
    maps = [each for each in figure.data if each.type == "heatmap"]
    assert len(maps) == 2
    assert {(each.xgap > 0, each.ygap > 0) for each in maps} == {(layers == LAYERS,) * 2}
    assert len(figure.layout.yaxis.tickvals) <= 8
