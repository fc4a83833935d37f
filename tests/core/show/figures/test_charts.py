"""Charts: the numbers in the figures, whatever the profile, and the findings that follow from them."""

import dataclasses

import numpy as np
import pytest

from core.plan.gains import crossing, drift_curves, drift_left, gains_of
from core.results import checkpoints
from core.show import figures
from core.show.figures import charts, drift, gain, maps
from core.show.figures.charts import COMPARED, GROUPS
from core.show.figures.style import InView
from core.show.words import gain_sentences
from core.store import Perturbed
from tests import synthetic
from tests.builders.profiles import seeds, stored

LAYERS, SEQUENCES = 12, 8
SIZES = (0.01, 0.1, 1)
OTHER = "checkpoint:0123456789abcdef"


def trace(figure, name):
    """The trace with a name."""
    return next(each for each in figure.data if each.name == name)


def line(name="0.3", size=0.3, layers=LAYERS):
    return figures.line(name, seeds(f"gaussian:{size}", layers))


def of_sizes(layers=LAYERS):
    return [line(f"{size:g}", size, layers) for size in SIZES]


@pytest.fixture
def measured(empty):
    """A profile of some perturbations, the first by which name a chart is asked for."""
    return lambda *names: stored(empty, *names, layers=LAYERS)


@pytest.mark.parametrize("layers", [2, 30, 80])
def test_every_chart_is_whole(layers):
    found, lines = seeds(layers=layers), of_sizes(layers)
    activation = synthetic.activation(layers, SEQUENCES)
    for layer in (0, layers - 1):
        for chart in (
            drift.curves(found, layer), figures.heatmap(found, synthetic.floor(layers).drift, layer),
            gain.gains(lines, "All said.", 1, layer), maps.size_map(SIZES, lines, layer),
            drift.dilution(found, activation, layer), drift.direction(found, layer), drift.harm(found, layer),
            gain.compared(lines[:2], layer, "title", "one against the other"),
        ):  # fmt: skip
            whole(chart)
            assert all(axis.title.text or chart.name == "harm" for axis in chart.figure.select_xaxes())
            assert all(len(axis.tickvals) <= 8 for axis in chart.figure.select_xaxes()), "the numbers of layers part"


def whole(chart):
    assert chart.title and len(chart.table) and chart.figure.data and chart.finding.endswith(".")
    assert "nan" not in chart.finding and "inf" not in chart.finding
    chart.figure.to_json()


def test_curves_show_every_injection_layer_and_the_interval():
    found = seeds()
    figure = drift.curves(found, 3).figure
    value = drift_curves(found).value
    np.testing.assert_allclose(trace(figure, "layer 3").y, value[3, 3:])
    bundles = {each.name.removeprefix("other layers, "): each for each in figure.data if "other layers" in each.name}
    assert sum(y is not None for each in bundles.values() for y in each.y) == LAYERS * (LAYERS + 1) / 2 - (LAYERS - 3)
    absorbing = {i for i, verdict in enumerate(gains_of(found).verdicts) if verdict == "absorbs"} - {3}
    assert set(bundles["absorbs"].customdata) == absorbing and trace(figure, "95% interval").fill == "toself"


def test_a_divergence_that_rounding_makes_is_said():
    found = seeds()
    kl = found[0].kl.copy()
    kl[:2] = [[3e-6], [-1e-7]]
    chart = drift.harm([dataclasses.replace(found[0], kl=kl)], 3)
    assert chart.table["KL below noise floor"].tolist() == [True, True] + [False] * (LAYERS - 2)
    assert "2 layers" in chart.finding
    assert "no layer" in drift.harm([dataclasses.replace(found[0], kl=kl * 0)], 3).finding


def test_the_matrix_is_log2_neutral_at_one_and_each_cell_can_be_clicked():
    found = seeds()
    figure = figures.heatmap(found, None, 3).figure
    cells, targets = figure.data[0], trace(figure, "cells")
    np.testing.assert_allclose(cells.z, np.log2(drift_left(found)))
    assert (cells.zmid, cells.zmin) == (0, -cells.zmax)
    assert len(targets.customdata) == LAYERS * (LAYERS + 1) / 2
    np.testing.assert_array_equal(targets.customdata, np.stack([targets.y, targets.x], axis=1))


def test_cells_below_the_noise_floor_are_grey_and_counted_and_half_a_matrix_is_drawn():
    floor = np.full((LAYERS, LAYERS), 1e-9)
    floor[2, 5:7] = 1.0
    chart = figures.heatmap(seeds(), floor, None)
    assert np.isnan(chart.figure.data[0].z[2, 5:7]).all() and "2 grey cells" in chart.finding
    assert np.isfinite(trace(chart.figure, "below the noise floor").z).sum() == 2
    half = {field.name: getattr(seeds()[0], field.name).copy() for field in dataclasses.fields(Perturbed)}
    for values in half.values():
        values[6:] = np.nan
    chart = figures.heatmap([Perturbed(**half)], None, None)
    assert len(trace(chart.figure, "cells").customdata) == sum(LAYERS - i for i in range(6))


def test_markers_carry_the_verdicts_and_the_last_layer_none():
    found = line()
    markers = trace(gain.gains([found], "said", 0, 2).figure, "0.3").marker.color
    wanted = {"amplifies": figures.LIGHT.amplify, "absorbs": figures.LIGHT.absorb}
    assert list(markers) == [wanted.get(verdict, figures.LIGHT.undecided) for verdict in found.verdicts]
    assert markers[-1] == figures.LIGHT.undecided


@pytest.mark.parametrize("statistic", figures.STATISTICS)
def test_every_statistic_has_its_interval(statistic):
    found = figures.line("0.3", seeds(), statistic)
    assert (found.low <= found.value).all() and (found.value <= found.high).all()


def test_the_size_map_marks_the_crossing():
    lines = of_sizes()
    chart = maps.size_map(SIZES, lines, 2)
    wanted = crossing(np.array(SIZES), np.log([each.value for each in lines]))
    np.testing.assert_allclose(trace(chart.figure, "crossing size").y, wanted)
    assert np.isfinite(wanted).any() and "switching" in chart.finding


@pytest.mark.parametrize(
    ("firm", "cross", "said"),
    [
        ([["absorbs", "undecided", "undecided"], ["absorbs", "absorbs", "undecided"]], [np.nan, 0.18, np.nan],
         "every measured size is absorbed at layer 0."),
        ([["amplifies", "amplifies", "undecided"], ["undecided", "absorbs", "undecided"]], [0.5, 0.3, np.nan],
         "small sizes are amplified and large ones absorbed at layer 1, switching at size 0.30."),
        ([["absorbs", "undecided"], ["amplifies", "undecided"]], [np.nan, np.nan], "no layer certainly switches"),
    ],
)  # fmt: skip
def test_the_size_map_claims_no_turn_beyond_verdicts(firm, cross, said):
    assert maps.crossing_sentence(firm, np.array(cross)).startswith(f"Gaussian noise: {said}")


def test_the_share_across_the_stream_and_damage_over_stream_are_the_profiles():
    found = seeds()
    share = np.mean([each.orthogonal[2, -1] for each in found])
    assert drift.direction(found, 2).finding.startswith(f"{100 * share:.0f} % of the damage")
    table = drift.dilution(found, synthetic.activation(LAYERS, SEQUENCES), 2).table
    np.testing.assert_allclose(table["damage grows"] / table["stream grows"], table["gain"])
    np.testing.assert_allclose(table["gain"], gains_of(found).value)


@pytest.mark.parametrize(("stream", "said"), [(2.0, "would fall to 0.50×"), (0.5, "would rise to 2.0×")])
def test_what_a_constant_damage_would_do_is_said_the_right_way(stream, said):
    damage, streams = np.array([0.5, 0.6, 1.0]), np.array([stream, 0.9, 1.0])
    assert said in drift.dilution_sentence(damage, streams, 0)
    assert drift.dilution_sentence(damage, streams, 2).endswith("Nothing follows layer 2.")


def test_the_only_layer_is_said_to_be_the_only_one():
    found = seeds(layers=1, sequences=3)
    drawn = drift.dilution(found, synthetic.activation(1, 3), 0), figures.heatmap(found, synthetic.floor(1).drift, 0)
    assert all(each.finding.startswith("The model has one layer: nothing follows it") for each in drawn)


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_layer_without_drift_is_said_to_have_none(everywhere):
    """At every token, as where two checkpoints agree, or at some, of which only the mean logarithm is lost."""
    [found] = seeds()
    for name, value in {"log_drift": -np.inf, **({"drift": 0.0, "orthogonal": np.nan} if everywhere else {})}.items():
        getattr(found, name)[1, 1:] = value
    activation = synthetic.activation(LAYERS, SEQUENCES)
    drawn = [drift.curves([found], 1), drift.dilution([found], activation, 1), drift.direction([found], 1)]
    said = "Layer 1 is left as it is: there is no drift to follow." if everywhere else "no drift from layer 1, so"
    assert [said in each.finding for each in drawn] == [True, True, everywhere]
    assert not any(word in each.finding for each in drawn for word in ("nan ", "shrinks to not"))


# --- one line against another --------------------------------------------------------------------------------------


def test_a_repair_stands_against_the_same_pruning_without_it(measured, refused):
    """At the same sparsity, the one in view where there are several."""
    several = [f"residual:{pruner}:{sparsity}" for sparsity in (0.7, 0.5) for pruner in ("wanda", "wanda+refit")]
    profile = measured(*several, "residual:magnitude:0.5", "skip")
    for name, pair in (("skip", several[:2]), (several[2], several[2:]), (several[3], several[2:])):
        table = charts.repaired(InView(profile, name, 1)).table
        for called, each in zip(("pruned", "repaired"), pair, strict=True):
            np.testing.assert_allclose(table[table["line"] == called]["gain"], gains_of(profile.seeds(each)).value)
    for lacking in (several[:1], [several[0], several[3]], ["residual:wanda:0.5", "residual:sparsegpt+refit:0.5"]):
        with refused("refit"):
            charts.repaired(InView(measured(*lacking), lacking[0], 1))


def test_parts_left_out_are_held_against_each_other_and_ranked_by_harm(measured, refused):
    view = InView(measured("skip:attention", "skip:mlp", "skip:head:0", "skip:head:1"), "skip:mlp", 1)
    gains, harms = charts.parts(view), charts.heads(view)
    assert set(gains.table["line"]) == {"attention", "MLP"} and "without its MLP" in gains.finding
    parts = ["attention", "MLP", "head 0", "head 1"]
    worst = harms.table[parts].to_numpy()
    layer, part = np.unravel_index(worst.argmax(), worst.shape)
    assert harms.finding.startswith("Most harm is done without") and "Of single heads" in harms.finding
    first = harms.finding.partition(" and ")[0]
    assert f"of layer {layer}" in first and parts[part] in first
    for chart in (charts.parts, charts.heads):
        with refused("preset parts"):
            chart(InView(measured("gaussian:0.3"), "gaussian:0.3", 1))


def test_different_depths_are_laid_over_relative_depth_and_names_are_text():
    lines = [line("<b>bold</b>"), line("shallow", layers=5)]
    chart = gain.compared(lines, None, "title", "The first is lower")
    assert list(gain.depth(lines[1])) == [0, 0.25, 0.5, 0.75, 1] and len(chart.table) == LAYERS + 5
    assert (
        "11 layers at equal relative depth." in chart.finding
        and "relative depth" in chart.figure.layout.xaxis.title.text
    )
    assert "<b>bold" not in chart.figure.to_json().replace("\\u003c", "<")
    value = line().value
    value[5] *= 3
    alike = gain.compared([line("a"), dataclasses.replace(line("b"), value=value)], None, "title", "The first is lower")
    assert "gap is at layer 5: " in alike.finding and "relative" not in alike.figure.layout.xaxis.title.text


def test_profiles_of_different_texts_are_marked_and_said_so(empty):
    one = stored(empty, layers=4)

    def named(model, text, content):
        spec = one.spec.model_copy(update={"text": one.spec.text.model_copy(update={"content": content})})
        about = one.entry.provenance | {"model": model, "text": text}
        return dataclasses.replace(one, entry=dataclasses.replace(one.entry, spec=spec, provenance=about))

    first = named("a model", "c4_en.jsonl, documents 0-599", "one")
    chart = gain.of_profiles(
        first, named("a model", "demo text, calibration half", "two"), "gaussian:0.3", 2, "geometric"
    )
    assert {"a model on C4", "a model on demo text"} <= {each.name for each in chart.figure.data}
    assert "They read different texts (C4, 8 × " in chart.finding
    assert "different texts" not in gain.of_profiles(first, first, "gaussian:0.3", 2, "geometric").finding


# --- another checkpoint --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [2, 12, 80])
def test_charts_of_a_checkpoint_say_what_the_analysis_found(layers, empty):
    profile = stored(empty, OTHER, layers=layers)
    drawn = [row.draw(InView(profile, OTHER, layers - 1)) for row in GROUPS[COMPARED]]
    worst, parting, cost, weighed = gain_sentences.of_checkpoint(checkpoints.compared(profile))
    assert [chart.finding for chart in drawn] == [worst, weighed, f"{parting} {cost}"]
    for row, chart in zip(GROUPS[COMPARED], drawn, strict=True):
        whole(chart)
        assert chart.title == row.question


def test_the_layer_that_stands_out_is_marked_and_errors_of_none_are_blank(measured):
    profile = measured(OTHER)
    profile.others[OTHER].difference.error[3] = 0
    view = InView(profile, OTHER, 0)
    table = charts.harm(view).table
    assert table["stands out"].tolist() == [at == 6 for at in range(LAYERS)]
    np.testing.assert_allclose(table["KL, nats"], checkpoints.compared(profile).harm)
    cells = charts.weights(view).figure.data[0]
    assert np.isnan(cells.z[:, 3]).all() and np.isfinite(np.delete(cells.z, 3, axis=1)).all()
    assert cells.colorbar.ticktext[-1] == "15 %" and 10 ** cells.z[2, 6] == pytest.approx(15)
