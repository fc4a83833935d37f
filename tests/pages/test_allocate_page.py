"""The allocate page: its parts, its live chart, and its settings in the URL and in the command that repeats it."""

import json
import re

import numpy as np
import pytest

from core.cli import main
from core.methods.budget_unit import BITS as COUNTED
from core.methods.treatments import pruners_counting
from tests.pages.allocate_page import chart, command_words, load_, on_screen, opened
from tests.pages.opening import figures, link, live, numbers, opened_at, put, url

Cache = dict[str, str]


def test_the_page_answers_with_every_part(cache):
    app = opened(profile=cache["deep"])
    assert len(figures(app)) == 1
    assert not app.error
    assert len({each.value for each in app.header}) == 2
    assert all(each.proto.alt for each in app.get("plotly_chart"))
    [_, whose] = [each.help for each in app.caption if each.help]
    assert all(part in whose for part in ("From the paper", "secondary sources", "Ours: the geometric mean"))


def test_the_page_opens_without_a_correction(cache):
    found = live(opened(profile=cache["deep"]))
    assert found["state"]["strength"] == ZERO and not found["bars"]["bound"][ZERO] and not said(found, ZERO)
    shift = np.abs(np.array(found["bars"]["values"][-1]) - found["bars"]["base"]).max()
    assert shift == pytest.approx(0.1, rel=0.3)


ZERO = 100  # where the picture has no correction


def said(told, at):
    """What is said of bounds at a strength."""
    return told["slots"]["bound"]["table"][at]


def test_the_live_chart_gets_a_table_of_every_strength(cache):
    told = live(opened(profile=cache["deep"], strength="0.04"))
    rows = np.array(told["bars"]["values"])
    assert rows.shape == (201, 30)
    assert told["controls"][0]["stops"][told["state"]["strength"]] == "0.04"
    assert rows[ZERO] == pytest.approx(np.array(told["bars"]["base"]), abs=1e-4)
    weights = np.array(told["hand"]["weights"])[:, 0]
    assert rows @ weights == pytest.approx(0.7 * weights.sum(), rel=1e-4)


def test_a_bound_is_named_and_the_largest_sparsity_measured_is_one(cache):
    told = live(opened(profile=cache["deep"], base="dlp", high="0.75"))
    assert told["bars"]["bound"][ZERO] and "on a bound" in said(told, ZERO)
    told = live(opened(profile=cache["deep"], base="response", target="0.85"))
    for at in (0, ZERO, -1):
        assert told["bars"]["bound"][at] and "0.9 is the largest sparsity measured" in said(told, at)


def test_numbers_in_the_url_may_be_written_otherwise(cache):
    app = opened(profile=cache["deep"], base="owl", m="3", lam="0.10")
    assert (app.session_state["m"], app.session_state["lam"]) == (3.0, 0.1)
    assert not app.warning
    app = opened(profile=cache["deep"], target="0.705")
    assert "The link asks for target '0.705'" in app.warning[0].value and app.session_state["target"] == 0.7


VIEWS = [
    {"base": "owl", "m": "3.0", "lam": "0.12", "target": "0.6", "strength": "0.04", "control": "reversed"},
    {"base": "alphapruning", "estimator": "hill", "epsilon": "0.2", "strength": "0.02", "driver": "skip"},
    {"base": "dlp", "scores": "median", "strength": "0.1", "control": "shuffled", "shuffle": "3", "high": "0.8"},
    {"base": "depth_ramp", "beta": "-0.004", "strength": "0.03", "control": "ramp", "low": "0.4"},
    {"base": "response", "objective": "kl", "driver": "gaussian:0.3@all", "strength": "0.01", "target": "0.55"},
    {"base": "uniform", "strength": "0.05", "clip": str(np.log(2))},
    {"base": "owl", "hand": "3:0.55,12:0.8", "strength": "0.01"},
]


@pytest.mark.parametrize("chosen", VIEWS)
def test_the_url_restores_the_view_and_the_command_repeats_it(chosen, cache, tmp_path, capsys):
    app = opened(profile=cache["deep"], **chosen)
    assert not app.error
    assert {key: str(app.session_state[key]) for key in chosen} == chosen
    words = command_words(app, tmp_path)
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sparsity"] == pytest.approx(on_screen(app), abs=1e-12)
    assert told["budget"] == round(float(chosen.get("target", 0.7)), 9), "as its uniform twin is called"


CORRECTED = "owl m=7 lam=0.08 strength=0.04 driver=skip control=shuffled seed=3 high=0.8:0.6"


def test_the_allocation_is_one_word_of_the_url(cache):
    app = opened(profile=cache["deep"], base="owl", m="7.0", strength="0.04", driver="skip", control="shuffled",
                 shuffle="3", high="0.8", target="0.6")  # fmt: skip
    assert url(app) == {"profile": cache["deep"], "allocation": CORRECTED}
    again = opened(profile=cache["deep"], allocation=CORRECTED)
    assert url(again)["allocation"] == CORRECTED and not again.warning
    assert on_screen(again) == pytest.approx(on_screen(app), abs=1e-12)
    assert again.run().session_state["m"] == 7.0


def test_the_word_follows_the_widgets_and_the_widgets_the_word(cache):
    app = opened(profile=cache["deep"], strength="0")
    app.select_slider(key="m").set_value(7.0).run()
    app.select_slider(key="lam").set_value(0.1).run()
    assert url(app)["allocation"] == "owl m=7 lam=0.1:0.7"
    app.selectbox(key="base").set_value("dlp").run()
    assert url(app)["allocation"] == "dlp alpha=0.15:0.7"
    app.selectbox(key="base").set_value("owl").run()
    assert url(app)["allocation"] == "owl m=7 lam=0.1:0.7", "its parameters were kept"
    app.query_params["allocation"] = "owl m=3 lam=0.08 strength=0.05 driver=skip:0.7"  # as the back button does
    app.run()
    state = app.session_state
    assert (state["m"], state["lam"], state["strength"], state["driver"]) == (3.0, 0.08, 0.05, "skip")
    app.query_params.pop("allocation")
    app.run()
    assert (state["m"], state["strength"], state["driver"]) == (5.0, 0.0, "gaussian:0.3")
    assert "allocation" not in app.run().query_params, "as usual"


def test_what_a_link_leaves_out_is_as_usual(cache):
    app = opened(profile=cache["deep"], allocation=CORRECTED)
    app.switch_page("absorption.py").run()
    app.query_params["allocation"] = "owl:0.7"
    app.switch_page("allocate.py").run()
    state = app.session_state
    assert (state["m"], state["strength"], state["high"], state["control"]) == (5.0, 0.0, 0.95, "none")


@pytest.mark.parametrize(
    ("word", "named"),
    [("magic:0.7", "no allocator 'magic'"), ("owl", "METHOD:TARGET"), ("/etc/passwd", "METHOD:TARGET"),
     ("dlp unclipped=yes strength=0.1:0.7", "not both"), ("dlp unclipped=yes:0.7", "core allocate")],
)  # fmt: skip
def test_a_word_that_does_not_read_is_said_and_dropped(word, named, cache):
    app = opened(profile=cache["deep"], allocation=word)
    assert len(app.warning) == 1 and named in app.warning[0].value
    assert "allocation" not in app.query_params


NONSENSE = {"base": "magic", "target": "1.4", "strength": "9", "driver": "x"}


def test_nonsense_in_the_url_is_dropped(cache):
    app = opened(profile=cache["deep"], **NONSENSE)
    assert not NONSENSE.keys() & set(url(app))


def test_a_quick_profile_says_what_to_measure(cache):
    app = opened(profile=cache["shallow"])
    [told] = [each.value for each in app.info if "residual:wanda" in each.value]
    assert re.findall(r"residual:wanda:0\.\d", told) == ["residual:wanda:0.5", "residual:wanda:0.9"]
    assert live(app)["hero"] is None and not [each for each in app.button if each.key == "anchors"]
    app.selectbox(key="base").set_value("response").run()
    assert "measure, for example, residual:wanda" in app.error[0].value
    assert app.selectbox(key="base").value == "response"


def test_a_budget_that_cannot_be_gets_one_sentence_and_keeps_the_settings(cache):
    app = opened(profile=cache["deep"], target="0.9", high="0.8")
    assert "lies outside the bounds 0 to 0.8" in app.error[0].value
    assert app.select_slider(key="target").value == 0.9


def test_the_way_to_prune_carries_the_view(cache):
    app = opened(profile=cache["deep"], base="dlp", target="0.6", strength="0.03")
    words = "dlp alpha=0.15 strength=0.03 driver=gaussian:0.3:0.6"
    assert link(app, "Prune with this allocation") == {"profile": cache["deep"], "allocation": words}


BITS = "dc7d3640a11bc23a"  # committed: linears of the bundled model in 4, 3 and 2 bits


@pytest.mark.bundled
@pytest.mark.usefixtures("committed")
def test_a_budget_of_bits_is_a_size_and_colours_say_how_many():
    app = opened(profile=BITS)
    told, [size] = live(app), live(app)["controls"]
    at = told["state"]["target"]
    assert size["stops"][at] == "104.4 MB, 3 bits" and size["stops"][-1] == "118.1 MB, 4 bits"
    meant = {tone: float(name.split()[0]) for tone, name, _ in told["key"]}
    for bits, tones in zip(told["bars"]["values"], told["bars"]["tones"], strict=True):
        assert all(abs(meant[tone] - each) <= min(abs(other - each) for other in meant.values()) + 1e-6
                   for each, tone in zip(bits, tones, strict=True))  # fmt: skip
    assert sorted(told["hero"]["values"], reverse=True) == told["hero"]["values"], "more bytes never cost"
    [drawn] = chart(app, "Bits of every linear")["data"]
    weights = load_(BITS).weights.parameters
    assert np.average(numbers(drawn["text"]).reshape(weights.T.shape), weights=weights.T) == pytest.approx(3, abs=1e-4)
    words = "response objective=kl pruner=quantised granularity=linear currency=bits:3"
    assert [each.value.split("--allocation ")[1].split(" --")[0] for each in app.code] == [f"'{words}'"]
    assert link(app, "Prune with this allocation")["allocation"] == words


@pytest.mark.usefixtures("committed")
def test_a_budget_of_layers_says_how_many_bytes_stay_and_which_layers_go():
    app = opened(profile="6e78df68bb8ecfc5", currency="layers")
    told, [size] = live(app), live(app)["controls"]
    assert not app.exception and not app.error
    at = told["state"]["target"]
    assert size["stops"][at].endswith(" MB, 20 % of layers")
    assert np.flatnonzero(told["bars"]["values"][at]).tolist() == [5, 12, 13, 14, 17, 18]
    words = told["slots"]["now"]["table"][at]
    assert (words[4], words[5], told["y"]["ticks"]) == ("kept", "left out", [[0, "kept"], [1, "left out"]])
    assert not any("bits" in each for each in (told["title"], told["says"], told["y"]["title"], *words))
    assert any("evaluated with layers left out" in each.value for each in app.caption)


@pytest.mark.usefixtures("committed")
def test_layers_are_left_out_beside_bits_where_that_is_asked_for_and_not_beside_zeros():
    app = opened(profile="cb91c317e00122ce", allocation="response objective=kl granularity=both currency=mixed:2.6")
    told = live(app)
    assert not app.exception and not app.error
    bits = np.array(told["bars"]["values"][told["state"]["target"]])
    assert np.flatnonzero(bits == 0).tolist() == [12, 14, 17] and (bits[bits > 0] > 2.2).all()
    put(app, "currency", "zeros")
    assert not app.exception and "not beside zeros" in app.error[0].value
    put(app, "granularity", "layer")
    assert not app.exception and app.session_state["granularity"] == "layer"


@pytest.mark.usefixtures("committed")
def test_counting_bits_brings_a_profile_that_measured_them_and_zeros_another():
    app = opened(currency="bits")
    assert app.session_state["profile"] == BITS and not app.error
    put(app, "currency", "zeros")
    assert app.session_state["profile"] != BITS and not app.error
    assert live(app)["controls"][0]["name"] == "strength"


@pytest.mark.usefixtures("committed")
def test_a_plan_of_bits_is_pruned_by_what_counts_bits():
    words = "response granularity=linear currency=bits:3"
    app = opened_at("prune", allocation=words, profile=BITS, part="export")
    assert not app.exception and not app.warning and not app.error
    assert app.segmented_control(key="by").options == [*pruners_counting(COUNTED).values()]
