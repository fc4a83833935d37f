"""The allocate page: its parts, its live chart, and its settings in the URL and in the command that repeats it."""

import json

import numpy as np
import pytest

from core.base import duration
from core.cli import main
from core.jobs import cost, queue
from core.methods import BITS as COUNTED
from core.methods import Response, Treatment, pruners_counting
from core.plan import allocate
from core.requests import AllocationRequest, grammar
from core.results import stored_forecasts
from core.store import Store, load
from pages.ui import current_profile
from pages.ui.compress import tune
from tests import synthetic
from tests.pages.allocate_page import command_words, on_screen, opened, predicted
from tests.pages.opening import live, opened_at, put, url
from tests.pages.prune_page import EXPECTED

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
    app.switch_page("model.py").run()
    app.query_params["allocation"] = "owl:0.7"
    app.switch_page("compress.py").run()
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


BITS = "dc7d3640a11bc23a"  # committed: linears of the bundled model in 4, 3 and 2 bits


@pytest.mark.usefixtures("committed")
def test_counting_bits_brings_a_profile_that_knows_them():
    app = opened(currency="bits", profile="6e78df")
    assert not app.session_state["profile"].startswith("6e78df") and not app.error
    app = opened(currency="zeros", profile=BITS)
    assert not app.error
    assert live(app)["controls"][0]["name"] == "strength"


@pytest.mark.usefixtures("committed")
def test_a_plan_of_bits_is_pruned_by_what_counts_bits():
    words = "response granularity=linear currency=bits:3"
    app = opened_at("prune", allocation=words, profile=BITS, part="export")
    assert not app.exception and not app.warning and not app.error
    assert app.selectbox(key="by").options == [*pruners_counting(COUNTED).values()]


# --- layers set by hand, and budgets of linears ----------------------------------------------------------------------


def test_layers_set_by_hand_stay_while_the_others_keep_the_budget(cache):
    app = opened(profile=cache["deep"])
    start = on_screen(app)
    app.text_input(key="hand").set_value("4:0.5").run()
    found = on_screen(app)
    assert found[4] == 0.5
    assert len(set(np.delete(found - start, 4).round(12))) == 1  # one shift for all the others
    assert url(app)["hand"] == "4:0.5"
    held = {name: at for name, at in live(app)["state"].items() if name.startswith("hand") and at >= 0}
    assert held == {"hand4": 500}
    app.text_input(key="hand").set_value("").run()
    assert on_screen(app) == pytest.approx(start) and "hand" not in app.query_params


IMPOSSIBLE = ",".join(f"{layer}:0.1" for layer in range(20))


@pytest.mark.parametrize("hand", [IMPOSSIBLE, "30:0.5", "1:1.0", "a:0.5", "1"])
def test_an_impossible_layer_by_hand_is_said_and_left_out(hand, cache):
    app = opened(profile=cache["deep"], hand=hand)
    assert "set by hand" in app.error[0].value
    assert on_screen(app).min() > 0.5


def test_the_file_of_a_budget_per_linear_is_read_as_it_was_written(cache, tmp_path):
    here, path = load(Store(), Store().profile(cache["linear"])), tmp_path / "allocation.json"
    found = allocate(AllocationRequest(base=Response(granularity="linear"), target=0.6), here)
    path.write_text(tune.written(found, here), encoding="utf-8")
    again = allocate(grammar.from_file(path), here)
    assert np.array_equal(again.exact, found.exact) and again.request.target == pytest.approx(0.6)


# --- what an allocation costs ----------------------------------------------------------------------------------------


def test_a_button_evaluates_what_predicts(bare, monkeypatch):
    monkeypatch.setattr(cost, "estimate", lambda *_: EXPECTED)
    for name in ("model_source", "text_source"):
        monkeypatch.setitem(synthetic.TOLD, name, "demo")
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(6, prunable=True))
    app = opened(profile=key, by="alps", repair="refit")
    assert not app.error and live(app)["hero"] is live(app)["gauge"] is None
    assert "for ALPS + refit yet" in app.info[0].value and "python" not in app.info[0].value
    button = app.button(key="anchors")
    assert duration(EXPECTED.seconds) in button.label and cost.words(EXPECTED) in button.help
    assert f"--profile {key} --pruner alps --repair refit" in button.help
    button.click().run()
    [job] = queue.jobs(bare)
    assert {each.treatment.name for each in job.request.settings} == {"alps+refit"}


def test_the_picture_opens_with_the_predicted_perplexity_as_the_command_line_says_it(studied, capsys):
    app = opened(profile=studied, strength="0.02")
    now, low, high = predicted(app)
    assert low < now < high
    assert main(["allocate", "--profile", studied, "--allocation", url(app)["allocation"], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["predicted"]
    assert (now, low, high) == pytest.approx([told[name] for name in ("perplexity", "low", "high")], rel=1e-4)
    found = stored_forecasts.load_forecast(Store(), current_profile.load(studied), Treatment("wanda"))
    found, _ = found.without_allocation(on_screen(app), grammar.read_allocation(url(app)["allocation"]).uncorrected)
    assert live(app)["hero"]["values"] == live(opened(profile=studied))["hero"]["values"]  # whatever the strength
    _, uniform = found.without_allocation(np.full(6, 0.7), grammar.read_allocation("uniform:0.7"))
    assert live(app)["hero"]["beside"] == pytest.approx(uniform.perplexity, rel=1e-4), "as measured"


def test_beyond_what_was_measured_nothing_is_predicted(studied):
    told = live(opened(profile=studied, allocation="dlp high=0.94:0.88"))
    assert told["hero"]["values"][100] is None and "largest sparsity" in told["hero"]["unknown"]


@pytest.mark.usefixtures("committed")
def test_what_was_picked_stays_picked_and_what_was_not_follows_the_page_and_the_profile():
    whole, linears = (Store().profile(key).key for key in ("e8d4cf", "2e61ac"))  # without linears, and with
    app = opened_at("absorption")
    app = put(app.switch_page("compress.py").run(), "part", "tune")
    assert (app.session_state["profile"], app.selectbox(key="base").value) == (linears, "response")
    put(app, "profile", whole)
    assert app.selectbox(key="base").value == "owl" and not app.error and not app.toast
    app.switch_page("model.py").run()
    app = app.switch_page("compress.py").run()
    assert app.session_state["profile"] == whole and url(app)["profile"].startswith("e8d4cf")
    put(app, "base", "dlp")
    put(app, "profile", linears)
    assert app.selectbox(key="base").value == "dlp", "it was picked"
