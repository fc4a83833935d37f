"""Charts: what is in the figures, whatever the profile."""

import dataclasses
import re

import numpy as np
import pytest

from core.plan.gains import gains_of
from core.requests.measurements import Measurement
from core.requests.perturbations import perturbation
from core.results import propagation
from core.show import figures
from core.show.figures import charts, drift, gain, maps
from core.show.figures.gain import HIGH, WIDE, thumbnail
from core.show.figures.style import ChartSubject
from core.store import profiles
from core.store.cache import Store
from core.store.results import Perturbed
from tests import synthetic

LAYERS, SEQUENCES = 12, 8


def seeds(name="gaussian:0.3", layers=LAYERS):
    """Invented results of one perturbation."""
    return [synthetic.perturbed(layers, SEQUENCES, Measurement(perturbation=perturbation(name)))]


def trace(figure, name):
    """The trace with a name."""
    return next(each for each in figure.data if each.name == name)


def all_charts(layer, layers=LAYERS):
    """One of each."""
    found = seeds(layers=layers)
    lines = [figures.line(f"{size:g}", seeds(f"gaussian:{size}", layers)) for size in (0.01, 0.1, 1)]
    return [
        drift.curves(found, layer),
        figures.heatmap(found, synthetic.floor(layers).drift, layer),
        gain.gains(lines, "said", 1, layer),
        maps.size_map([0.01, 0.1, 1], lines, layer),
        drift.dilution(found, synthetic.activation(layers, SEQUENCES), layer),
        drift.direction(found, layer),
        drift.harm(found, layer),
        gain.compared(lines[0], lines[1], layer, "title", "one against the other"),
    ]


@pytest.mark.parametrize("layers", [2, 4, 30, 80])
def test_every_chart_is_whole(layers):
    for layer in (0, layers - 1):
        for chart in all_charts(layer, layers):
            assert chart.title and len(chart.table) and chart.figure.data
            assert chart.finding.endswith(".") or chart.finding == "said"
            assert "nan" not in chart.finding and "inf" not in chart.finding
            assert all(axis.title.text or chart.name == "harm" for axis in chart.figure.select_xaxes())
            assert all(len(axis.tickvals) <= 8 for axis in chart.figure.select_xaxes()), "the numbers of layers part"
            chart.figure.to_json()


def test_layers_run_the_same_way_in_every_chart():
    """To the right and up, as in the lab's picture."""
    drawn = {chart.name: chart.figure.layout for chart in all_charts(3)}
    layered = [layout.xaxis for layout in drawn.values()] + [drawn["drift-matrix"].yaxis]
    assert all(low < high for low, high in (axis.range for axis in layered))


def test_curves_show_every_injection_layer_and_the_interval():
    found = seeds()
    figure = drift.curves(found, 3).figure
    value = propagation.curves(found).value
    np.testing.assert_allclose(trace(figure, "layer 3").y, value[3, 3:])
    bundles = {each.name.removeprefix("other layers, "): each for each in figure.data if "other layers" in each.name}
    assert sum(y is not None for each in bundles.values() for y in each.y) == LAYERS * (LAYERS + 1) / 2 - (LAYERS - 3)
    absorbing = {i for i, verdict in enumerate(gains_of(found).verdicts) if verdict == "absorbs"} - {3}
    assert set(bundles["absorbs"].customdata) == absorbing
    assert trace(figure, "95% interval").fill == "toself"


def test_a_divergence_that_rounding_makes_is_grey_and_said():
    found = seeds()
    kl = found[0].kl.copy()
    kl[:2] = [[3e-6], [-1e-7]]
    chart = drift.harm([dataclasses.replace(found[0], kl=kl)], 3)
    assert chart.table["KL below noise floor"].tolist() == [True, True] + [False] * (LAYERS - 2)
    assert chart.figure.data[1].marker.color[:2] == (figures.LIGHT.guide,) * 2 != chart.figure.data[0].marker.color[:2]
    assert "2 layers" in chart.finding
    assert "no layer" in drift.harm([dataclasses.replace(found[0], kl=kl * 0)], 3).finding


def test_the_matrix_is_log2_neutral_at_one_and_empty_below_the_diagonal():
    found = seeds()
    cells = figures.heatmap(found, None, 3).figure.data[0]
    np.testing.assert_allclose(cells.z, np.log2(propagation.relative(found)))
    assert np.isnan(cells.z[np.tril_indices(LAYERS, -1)]).all() and np.diag(cells.z) == pytest.approx(0)
    assert (cells.zmid, cells.zmin) == (0, -cells.zmax)


def test_every_cell_can_be_clicked_and_says_which_it_is():
    targets = trace(figures.heatmap(seeds(), None, 3).figure, "cells")
    assert len(targets.customdata) == LAYERS * (LAYERS + 1) / 2
    np.testing.assert_array_equal(targets.customdata, np.stack([targets.y, targets.x], axis=1))


def test_cells_below_the_noise_floor_are_grey_and_counted():
    floor = np.full((LAYERS, LAYERS), 1e-9)
    floor[2, 5:7] = 1.0
    chart = figures.heatmap(seeds(), floor, None)
    assert np.isnan(chart.figure.data[0].z[2, 5:7]).all()
    assert np.isfinite(trace(chart.figure, "below the noise floor").z).sum() == 2
    assert "2 grey cells" in chart.finding


def test_a_half_measured_matrix_can_be_drawn():
    found = seeds()[0]
    half = {field.name: getattr(found, field.name).copy() for field in dataclasses.fields(found)}
    for values in half.values():
        values[6:] = np.nan
    chart = figures.heatmap([Perturbed(**half)], None, None)
    assert len(trace(chart.figure, "cells").customdata) == sum(LAYERS - i for i in range(6))


def test_markers_carry_the_verdicts_and_the_last_layer_none():
    found = figures.line("0.3", seeds())
    markers = trace(gain.gains([found], "said", 0, 2).figure, "0.3").marker.color
    wanted = {"amplifies": figures.LIGHT.amplify, "absorbs": figures.LIGHT.absorb}
    assert list(markers) == [wanted.get(verdict, figures.LIGHT.undecided) for verdict in found.verdicts]
    assert markers[-1] == figures.LIGHT.undecided
    bars = drift.dilution(seeds(), synthetic.activation(LAYERS, SEQUENCES), 2).figure
    assert trace(bars, "gain").marker.color == markers


@pytest.mark.parametrize("statistic", figures.STATISTICS)
def test_every_statistic_has_its_interval(statistic):
    found = figures.line("0.3", seeds(), statistic)
    assert (found.low <= found.value).all() and (found.value <= found.high).all()


def test_the_size_map_marks_the_crossing():
    lines = [figures.line(f"{size:g}", seeds(f"gaussian:{size}")) for size in (0.01, 0.1, 1)]
    chart = maps.size_map([0.01, 0.1, 1], lines, 2)
    wanted = propagation.crossing(np.array([0.01, 0.1, 1]), np.log([each.value for each in lines]))
    np.testing.assert_allclose(trace(chart.figure, "crossing size").y, wanted)
    assert np.isfinite(wanted).any() and "switching" in chart.finding


@pytest.mark.parametrize(
    ("firm", "cross", "said"),
    [
        (
            [["absorbs", "undecided", "undecided"], ["absorbs", "absorbs", "undecided"]],
            [np.nan, 0.18, np.nan],
            "every measured size is absorbed at layer 0.",
        ),
        (
            [["amplifies", "amplifies", "undecided"], ["undecided", "absorbs", "undecided"]],
            [0.5, 0.3, np.nan],
            "small sizes are amplified and large ones absorbed at layer 1, switching at size 0.30.",
        ),
        ([["absorbs", "undecided"], ["amplifies", "undecided"]], [np.nan, np.nan], "no layer certainly switches"),
    ],
)
def test_the_size_map_claims_no_turn_beyond_verdicts(firm, cross, said):
    told = maps.crossing_sentence(firm, np.array(cross))
    assert told.startswith(f"Gaussian noise: {said}")


def test_what_lies_across_the_stream_is_a_share_of_length():
    found = seeds()
    chart = drift.direction(found, 2)
    share = np.mean([each.orthogonal[2, -1] for each in found])
    assert chart.finding.startswith(f"{100 * share:.0f} % of the damage") and "perpendicular" in chart.finding
    assert "length" in chart.figure.layout.title.text


def test_damage_over_stream_is_the_gain():
    chart = drift.dilution(seeds(), synthetic.activation(LAYERS, SEQUENCES), 2)
    np.testing.assert_allclose(chart.table["damage grows"] / chart.table["stream grows"], chart.table["gain"])
    np.testing.assert_allclose(chart.table["gain"], gains_of(seeds()).value)


@pytest.mark.parametrize(("stream", "said"), [(2.0, "would fall to 0.50×"), (0.5, "would rise to 2.0×")])
def test_what_a_constant_damage_would_do_is_said_the_right_way(stream, said):
    damage, streams = np.array([0.5, 0.6, 1.0]), np.array([stream, 0.9, 1.0])
    assert said in drift.dilution_sentence(damage, streams, 0)
    assert drift.dilution_sentence(damage, streams, 2).endswith("Nothing follows layer 2.")


def test_the_only_layer_is_said_to_be_the_only_one():
    found = [synthetic.perturbed(1, 3, Measurement(perturbation=perturbation("gaussian:0.3")))]
    drawn = drift.dilution(found, synthetic.activation(1, 3), 0), figures.heatmap(found, synthetic.floor(1).drift, 0)
    assert all(each.finding.startswith("The model has one layer: nothing follows it") for each in drawn)


@pytest.mark.parametrize("whole", [True, False])
def test_a_layer_without_drift_is_said_to_have_none(whole):
    """At every token, as where two checkpoints agree, or at some, of which only the mean logarithm is lost."""
    [found] = seeds()
    for name, value in {"log_drift": -np.inf, **({"drift": 0.0, "orthogonal": np.nan} if whole else {})}.items():
        getattr(found, name)[1, 1:] = value
    activation = synthetic.activation(LAYERS, SEQUENCES)
    charts = [drift.curves([found], 1), drift.dilution([found], activation, 1), drift.direction([found], 1)]
    said = "Layer 1 is left as it is: there is no drift to follow." if whole else "no drift from layer 1, so"
    assert [said in each.finding for each in charts] == [True, True, whole]
    assert not any(word in each.finding for each in charts for word in ("nan ", "shrinks to not"))


@pytest.mark.parametrize("look", [figures.LIGHT, figures.DARK])
@pytest.mark.parametrize("most", [1.0, 1.3, 50.0])
def test_every_layer_has_a_bar_on_its_side_of_one_and_in_its_colour(look, most):
    value = np.array([1 / most, most, 1.0, np.nan])
    drawn = thumbnail(figures.Line("any", value, value, value, *[("absorbs", "amplifies", "undecided", None)] * 2))
    drawn = figures.in_palette(drawn, look)
    bars = re.findall(r"<rect x='([\d.]+)' y='([\d.]+)' width='([\d.]+)' height='([\d.]+)' fill='(#\w+)'", drawn)
    assert [each[-1] for each in bars] == [look.absorb, look.amplify, look.undecided, look.undecided]
    down, up, *none = [tuple(map(float, each[:4])) for each in bars]
    assert down[1] == HIGH / 2 == up[1] + up[3] and down[3] == up[3] and all(each[3] == 0 for each in none)
    assert all(x >= 0 and x + wide <= WIDE and y >= 0 and y + high <= HIGH for x, y, wide, high in (down, up, *none))


@pytest.fixture
def measured(tmp_path):
    """A profile of some perturbations, the first by which name a chart is asked for."""

    def make(*names):
        asked = tuple(Measurement(perturbation=perturbation(name)) for name in names)
        spec = synthetic.profile_spec(LAYERS, 8, "quick").model_copy(update={"measurements": asked})
        store = Store(tmp_path)
        return profiles.load(store, store.profile(synthetic.save_profile(tmp_path, spec, LAYERS)))

    return make


def test_a_repair_stands_against_the_same_pruning_without_it(measured, refused):
    """At the same sparsity, the one in view where there are several."""
    several = [f"residual:{pruner}:{sparsity}" for sparsity in (0.7, 0.5) for pruner in ("wanda", "wanda+refit")]
    profile = measured(*several, "residual:magnitude:0.5", "skip")
    for name, pair in (("skip", several[:2]), (several[2], several[2:]), (several[3], several[2:])):
        chart = charts.repaired(ChartSubject(profile, name, 1))
        gains = [gains_of(profile.seeds(each)).value for each in pair]
        for line, expected in (("pruned", gains[0]), ("repaired", gains[1])):
            rows = chart.table[chart.table["line"] == line]
            np.testing.assert_allclose(rows["gain"], expected)
        assert "median layer" in chart.finding
    for lacking in (several[:1], [several[0], several[3]], ["residual:wanda:0.5", "residual:sparsegpt+refit:0.5"]):
        with refused("refit"):
            charts.repaired(ChartSubject(measured(*lacking), lacking[0], 1))


def test_parts_left_out_are_held_against_each_other_and_ranked_by_harm(measured, refused):
    view = ChartSubject(measured("skip:attention", "skip:mlp", "skip:head:0", "skip:head:1"), "skip:mlp", 1)
    gains, harms = charts.parts(view), charts.heads(view)
    assert set(gains.table["line"]) == {"attention", "MLP"} and "without its MLP" in gains.finding
    parts = ["attention", "MLP", "head 0", "head 1"]
    assert list(harms.table.columns) == ["layer", *parts]
    worst = harms.table[parts].to_numpy()
    layer, part = np.unravel_index(worst.argmax(), worst.shape)
    assert f"of layer {layer}" in harms.finding.partition(" and ")[0] and "Of single heads" in harms.finding
    assert parts[part] in harms.finding.partition(" of layer")[0]
    alone = ChartSubject(measured("gaussian:0.3"), "gaussian:0.3", 1)
    for chart in (charts.parts, charts.heads):
        with refused("preset parts"):
            chart(alone)
