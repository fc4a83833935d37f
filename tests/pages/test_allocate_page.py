"""The allocate page: settings in the URL, the budget, hand editing, prediction, and the command that repeats it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.cli import main
from pages.ui import hand
from pages.ui.charts import Estimate, agreement, estimates, methods
from tests import synthetic
from tests.pages.test_absorption_page import figures, named, numbers
from tests.pages.test_shell import loads, shell

Cache = dict[str, str]


@pytest.fixture(scope="session")
def spreadable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cache]:
    """A cache of models that can be pruned: a standard `deep` profile and a quick `shallow` one."""
    root = tmp_path_factory.mktemp("spread")
    keys = {
        "shallow": synthetic.save_profile(root, synthetic.profile_spec(4, 8, "quick", prunable=True), 4, "shallow"),
        "deep": synthetic.save_profile(root, synthetic.profile_spec(prunable=True), 30, "deep"),
    }
    return root, keys


@pytest.fixture
def cache(spreadable: tuple[Path, Cache], empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """The environment points at these profiles."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(spreadable[0]))
    return spreadable[1]


def opened(**view: str) -> AppTest:
    """The page with a view in its URL."""
    app = shell().run()
    for key, value in view.items():
        app.query_params[key] = value
    return app.switch_page("allocate.py").run()


def on_screen(app: AppTest) -> np.ndarray:
    """Sparsity per layer as the chart of methods shows it."""
    return numbers(named(figures(app)[-1], "this allocation")["y"])


def live(app: AppTest) -> dict:
    """What the live chart was given."""
    [component] = app.get("bidi_component")
    return json.loads(component.proto.json)


def test_the_page_answers_with_every_part(cache: Cache) -> None:
    app = opened(profile=cache["deep"], strength="0.04")
    assert not app.exception and not app.error and not app.info
    titles = [each.value for each in app.subheader]
    assert titles == [
        "What it is estimated to cost",
        "Methods on one axis",
        "Do they rank alike?",
        "Set single layers by hand",
        "Take it along",
    ]
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    said = " ".join(each.value for each in app.caption)
    assert "second-hand" in said and "Ours: the strength" in said and "until it is pruned and evaluated" in said
    assert "cannot tell the real harm" in said


def test_the_live_chart_gets_a_table_of_every_strength(cache: Cache) -> None:
    told = live(opened(profile=cache["deep"], strength="0.04"))
    rows = np.array(told["rows"])
    assert rows.shape == (101, 30)
    assert told["strengths"][told["index"]] == 0.04
    assert rows[0] == pytest.approx(told["base"])
    assert all("met to 1e-9" in text for text in told["says"])
    assert len(told["told"]) == 101 and "uniform" in told["told"][0][-1][0]


def test_a_bound_is_named(cache: Cache) -> None:
    told = live(opened(profile=cache["deep"], base="dlp", high="0.75"))
    assert told["bound"][0]
    assert "on a bound" in told["says"][0] and "No layer" not in told["says"][0]


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
def test_the_url_restores_the_view_and_the_command_repeats_it(
    chosen: dict[str, str], cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    app = opened(profile=cache["deep"], **chosen)
    assert not app.exception and not app.error
    assert {key: str(app.session_state[key]) for key in chosen} == chosen
    words = shlex.split(app.code[0].value)
    assert words[:4] == ["python", "-m", "core", "allocate"]
    capsys.readouterr()
    assert main([*words[3:], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sparsity"] == pytest.approx(on_screen(app), abs=1e-12)
    assert told["budget"] == pytest.approx(float(chosen.get("target", 0.7)), abs=1e-9)


def test_only_the_parameters_that_apply_are_asked(cache: Cache) -> None:
    app = opened(profile=cache["deep"], base="depth_ramp")
    asked = {each.key for each in app.select_slider}
    assert "beta" in asked and not asked & {"m", "lam", "epsilon", "alpha", "shuffle"}
    app.selectbox(key="base").set_value("owl").run()
    assert {"m", "lam"} <= {each.key for each in app.select_slider}
    assert app.query_params.get("base") is None  # the default


NONSENSE = {"base": "magic", "target": "1.4", "strength": "9", "driver": "x", "hand": "3:2", "methods": "Magic"}


@pytest.mark.parametrize("key, value", NONSENSE.items())
def test_nonsense_in_the_url_is_dropped(key: str, value: str, cache: Cache) -> None:
    app = opened(profile=cache["deep"], **{key: value})
    assert not app.exception
    assert key not in app.query_params


def test_a_quick_profile_says_what_to_measure(cache: Cache) -> None:
    app = opened(profile=cache["shallow"])
    assert [each.value for each in app.info] == [
        "this profile holds one sparsity of wanda residuals, a response needs two or more: "
        "measure residual:wanda:0.5 and residual:wanda:0.9, say"
    ]
    assert live(app)["told"][0] == []
    app.selectbox(key="base").set_value("response").run()
    assert "measure residual:wanda" in app.error[0].value
    assert app.selectbox(key="base").value == "response"


def test_a_budget_that_cannot_be_gets_one_sentence_and_keeps_the_settings(cache: Cache) -> None:
    app = opened(profile=cache["deep"], target="0.9", high="0.8")
    assert "lies outside the bounds 0 to 0.8" in app.error[0].value
    assert app.select_slider(key="target").value == 0.9


def test_a_model_that_cannot_be_pruned_gets_one_sentence(filled_cache: Cache) -> None:
    app = opened(profile=filled_cache["deep"])
    assert "not allocated for" in app.error[0].value
    assert not app.exception


def test_layers_set_by_hand_stay_and_undo_takes_them_back(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    start = on_screen(app)
    app.session_state["hand"] = "4:0.5"
    app.run()
    found = on_screen(app)
    assert found[4] == 0.5
    assert len(set(np.delete(found - start, 4).round(12))) == 1  # one shift for all the others
    assert app.query_params["hand"] == "4:0.5"
    assert live(app)["hand"] == [4]
    app.button(key="undo").click().run()
    assert on_screen(app) == pytest.approx(start)
    assert "hand" not in app.query_params
    assert app.button(key="undo").disabled


def test_undo_takes_back_settings_one_by_one(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    app.select_slider(key="target").set_value(0.5).run()
    app.selectbox(key="base").set_value("dlp").run()
    app.button(key="undo").click().run()
    assert (app.session_state["base"], app.session_state["target"]) == ("owl", 0.5)
    app.button(key="undo").click().run()
    assert app.session_state["target"] == 0.7


def test_an_impossible_layer_by_hand_is_said_and_left_out(cache: Cache) -> None:
    app = opened(profile=cache["deep"], hand=",".join(f"{layer}:0.1" for layer in range(20)))
    assert "set by hand the others would need" in app.error[0].value
    assert not app.exception
    assert on_screen(app).min() > 0.5


def test_the_controls_stand_beside_the_correction(cache: Cache) -> None:
    app = opened(profile=cache["deep"], strength="0.04")
    names = figures(app)[0]["data"][0]["y"]
    assert names == ["this allocation", "its base", "reversed", "median of 5 shuffles", "ramp", "uniform"]


def test_fewer_methods_can_be_compared(cache: Cache) -> None:
    app = opened(profile=cache["deep"], methods="OWL,Response")
    shown = {trace["name"] for trace in figures(app)[-1]["data"]}
    assert shown == {"this allocation", "OWL", "Response", "labels"}
    alone = opened(profile=cache["deep"], methods="")
    assert {trace["name"] for trace in figures(alone)[-1]["data"]} == {"this allocation", "labels"}


def test_edits_are_read_and_written() -> None:
    assert hand.written(hand.read("7:0.9,3:0.55", 8)) == "3:0.55,7:0.9"
    assert hand.read("", 8) == {}
    for text in ("8:0.5", "1:1.0", "a:0.5", "1"):
        with pytest.raises(ValueError):
            hand.read(text, 8)


def test_findings_are_computed() -> None:
    lines = {"mine": np.array([0.6, 0.7, 0.8]), "alike": np.array([0.5, 0.7, 0.9]), "flat": np.full(3, 0.7)}
    assert "most like alike (rank correlation 1.00)" in methods(lines, "mine", 0.7).finding
    assert list(agreement(lines)) == ["mine", "alike"]
    rows = [Estimate("mine", 2.0, 2.0, 2.0), Estimate("other", 1.0, 0.5, 1.5), Estimate("far", np.nan, np.nan, np.nan)]
    assert estimates(rows, "mine", "nats").finding == "Mine is estimated 100.0% above other."
    assert "beyond the largest sparsity measured" in estimates(rows, "far", "nats").finding


def test_no_heavy_library_is_loaded() -> None:
    opened = "AppTest.from_file('pages/shell.py', default_timeout=30).run().switch_page('allocate.py').run()"
    done = loads(f"from streamlit.testing.v1 import AppTest\nassert not {opened}.exception")
    assert done.returncode == 0, done.stderr[-500:]
