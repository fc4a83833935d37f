"""The allocate page: settings in the URL, the budget, hand editing, prediction, and the command that repeats it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import specs
from core.allocation.alphapruning import AlphaPruning
from core.allocation.budget import Bounds, met
from core.allocation.by_hand import pinned
from core.allocation.dlp import Dlp
from core.allocation.estimates import estimates as sums
from core.allocation.owl import Owl
from core.allocation.response import Response
from core.allocation.spread import allocate
from core.cli import main
from core.figures import LIGHT, Estimate, agreement, estimates, methods, of_evaluations
from core.figures.allocation import unclipped
from core.figures.linears import linears
from core.specs import AllocationRequest, UserError, allocations
from core.store.cache import Store
from core.store.profiles import load
from core.store.results import Perturbed
from pages.ui import view
from pages.ui.allocate import estimating as folded
from pages.ui.allocate import hand, settings, spread
from pages.ui.prune import stored
from tests import synthetic
from tests.pages.prune_page import asked
from tests.pages.test_absorption_page import figures, named, numbers
from tests.pages.test_shell import live, opened_at, paint, shell

Cache = dict[str, str]


@pytest.fixture(scope="session")
def spreadable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cache]:
    """A cache of models that can be pruned: a standard `deep` profile and a quick `shallow` one."""
    root = tmp_path_factory.mktemp("spread")
    keys = {
        "shallow": synthetic.save_profile(root, synthetic.profile_spec(4, 8, "quick", prunable=True), 4, "shallow"),
        "deep": synthetic.save_profile(root, synthetic.profile_spec(prunable=True), 30, "deep"),
        "linear": synthetic.save_profile(root, synthetic.linears_spec(6), 6, "each linear alone"),
    }
    return root, keys


@pytest.fixture
def cache(spreadable: tuple[Path, Cache], empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """The environment points at these profiles."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(spreadable[0]))
    return spreadable[1]


def opened(**view: str) -> AppTest:
    """The page with a view in its URL."""
    return opened_at("allocate", **view)


def estimating(**view: str) -> AppTest:
    """The page with its estimates opened."""
    return opened(estimates="True", **view)


def chart(app: AppTest, title: str) -> dict:
    """The chart whose title begins so, as plotly's JSON."""
    return next(json.loads(each.proto.spec) for each in app.get("plotly_chart") if each.proto.alt.startswith(title))


def lanes(app: AppTest) -> dict[str, np.ndarray]:
    """Name -> sparsity per layer, as the strips of bars show it."""
    drawn = chart(app, "Which layers does each method prune more?")["data"]
    return {each["name"]: numbers(each["customdata"]) / 100 for each in drawn}


def on_screen(app: AppTest) -> np.ndarray:
    """Sparsity per layer of the allocation in view."""
    return next(values for name, values in lanes(app).items() if name.startswith("this allocation"))


@pytest.mark.parametrize("page", ["allocate", "prune"])
def test_a_tab_draws_the_live_picture_first_and_the_whole_page_once_it_stands(cache: Cache, page: str) -> None:
    app = shell(painted=False).run().switch_page(f"{page}.py").run()
    assert live(app)["waiting"] and len(app.main) < 12
    paint(app)
    app.run()
    assert not live(app)["waiting"] and len(app.get("download_button")) > 0
    assert not app.exception


def test_the_page_answers_with_every_part(cache: Cache) -> None:
    app = estimating(profile=cache["deep"])
    assert not app.exception and not app.error
    assert len({each.value for each in app.header}) == 5
    assert len([each for each in app.expander if not each.label.startswith("Numbers")]) == 3
    assert all(each.proto.alt for each in app.get("plotly_chart"))
    [whose] = [each.help for each in app.caption if each.help]
    assert all(part in whose for part in ("From the paper", "secondary sources", "Ours: the geometric mean"))


def test_estimates_are_drawn_once_they_are_opened(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    assert len(figures(app)) == 1 and not app.get("button_group")
    assert len(figures(estimating(profile=cache["deep"]))) == 2


def test_the_page_opens_at_a_strength_that_shows_something_and_a_link_may_say_none(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    assert app.session_state["strength"] == settings.OPENS > 0
    found = live(app)
    shift = np.abs(np.array(found["rows"][found["index"]]) - found["base"]).max()
    assert shift == pytest.approx(settings.OPENS, rel=0.3)
    assert opened(profile=cache["deep"], allocation="owl:0.7").session_state["strength"] == 0


def test_the_live_chart_gets_a_table_of_every_strength(cache: Cache) -> None:
    told = live(opened(profile=cache["deep"], strength="0.04"))
    rows = np.array(told["rows"])
    assert rows.shape == (101, 30)
    assert told["strengths"][told["index"]] == 0.04
    assert rows[0] == pytest.approx(told["base"])
    assert all("met exactly" in budget for _, budget in told["says"])
    assert "55.0 %" in live(opened(profile=cache["deep"], base="uniform", target="0.55", strength="0"))["says"][0][0]
    assert len(told["told"]) == 101 and "uniform" in told["told"][0][-1][0]


def test_a_bound_is_named(cache: Cache) -> None:
    told = live(opened(profile=cache["deep"], base="dlp", high="0.75"))
    assert told["bound"][0]
    assert "on a bound" in told["says"][0][1] and "on a bound" not in live(opened(profile=cache["deep"]))["says"][0][1]


def test_the_largest_sparsity_measured_is_named_as_the_bound_it_is(cache: Cache) -> None:
    told = live(opened(profile=cache["deep"], base="response", target="0.85"))
    assert told["bound"][0] and "0.9 is the largest sparsity measured" in told["says"][0][1]
    assert "largest" not in told["says"][-1][1], "a correction goes on to the bound that was chosen"


@pytest.fixture
def store(empty_cache: Path) -> Store:
    """An empty cache that the environment points at."""
    return Store(empty_cache)


@pytest.fixture
def unknown_gain(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile whose driver has no gain in layer 3."""
    usual = synthetic.perturbed

    def broken(layers: int, sequences: int, measurement: specs.Measurement) -> Perturbed:
        found = usual(layers, sequences, measurement)
        if measurement.perturbation.name != "gaussian:0.3":
            return found
        drift = found.log_drift.copy()
        drift[3, -1] = np.nan
        return replace(found, log_drift=drift)

    monkeypatch.setattr(synthetic, "perturbed", broken)
    return synthetic.save_profile(store.root, synthetic.profile_spec(12, 8, prunable=True), 12)


def test_without_a_gain_only_the_correction_is_off(unknown_gain: str) -> None:
    app = opened(profile=unknown_gain)
    assert not app.exception and not app.error
    assert "layer 3" in app.warning[0].value and "gaussian:0.3" in app.warning[0].value
    assert len(live(app)["strengths"]) == 1 and app.code
    app = opened(profile=unknown_gain, strength="0.04")
    assert "layer 3" in app.error[0].value and not app.exception


@pytest.fixture
def by_sparsegpt(store: Store) -> str:
    """A profile whose layers were pruned alone by SparseGPT, and by Wanda at one sparsity only."""
    names = ("gaussian:0.3", "residual:wanda:0.7", *(f"residual:sparsegpt:{each}" for each in (0.5, 0.7, 0.9)))
    measured = specs.measurements([specs.perturbation(name) for name in names])
    spec = synthetic.profile_spec(12, 8, prunable=True).model_copy(update={"measurements": measured})
    return synthetic.save_profile(store.root, spec, 12)


@pytest.mark.parametrize("view", [{}, {"base": "response", "pruner": "sparsegpt", "hand": "3:0.6"}])
def test_estimates_come_from_the_curves_that_there_are(
    view: dict[str, str], by_sparsegpt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = opened(profile=by_sparsegpt, strength="0", **view)
    assert not app.exception and not app.error
    told = live(app)["told"][0]
    capsys.readouterr()
    assert main([*shlex.split(app.code[0].value)[3:], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["judge"]["pruner"] == "sparsegpt"
    assert told[1][0] == f"{answer['estimate']['sparsity']:.3g}" and answer["no_estimate"] == {}


def test_the_judge_can_be_another_pruner(store: Store) -> None:
    both = [f"residual:{pruner}:{level}" for pruner in ("wanda", "sparsegpt") for level in (0.5, 0.9)]
    measured = specs.measurements([specs.perturbation(name) for name in ("gaussian:0.3", *both)])
    spec = synthetic.profile_spec(12, 8, prunable=True).model_copy(update={"measurements": measured})
    app = estimating(profile=synthetic.save_profile(store.root, spec, 12))
    assert "--judge-pruner" not in app.code[0].value
    app.segmented_control(key="judge_pruner").set_value("sparsegpt").run()
    assert "--judge-pruner sparsegpt" in app.code[0].value
    assert app.query_params["judge_pruner"] in ("sparsegpt", ["sparsegpt"])


@pytest.mark.parametrize(
    "line, said",
    [
        ("--base owl --alpha 0.2", "owl has no parameter 'alpha': it takes m, lam"),
        ("--base uniform --pruner sparsegpt", "uniform has no parameter 'pruner': it takes strength, driver"),
        ("--base manual", "manual needs --sparsity"),
        ("--driver nonsense", "there is no perturbation 'nonsense'"),
        ("--base owl --unclipped --strength 0.04", "give a strength or unclipped, not both"),
        ("--judge-pruner wonder", "there is no pruner 'wonder'"),
    ],
)
def test_what_an_allocator_cannot_do_is_one_sentence(
    line: str, said: str, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["allocate", "--profile", cache["deep"], *line.split()]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.strip().splitlines()) == 1


def test_numbers_set_by_hand_are_the_target_unless_one_is_given(
    cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["allocate", "--profile", cache["shallow"], "--base", "manual", "--sparsity", "0.5,0.6,0.7,0.8"]
    assert main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sparsity"] == [0.5, 0.6, 0.7, 0.8]
    assert main([*line, "--target", "0.7"]) == 0
    assert "all were shifted to spend 0.7" in " ".join(capsys.readouterr().out.split())


def test_why_there_is_no_estimate_is_said(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["allocate", "--profile", cache["deep"], "--base", "dlp", "--target", "0.88", "--high", "0.94"]
    assert main(line) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "is 0.9: measure a larger one" in out and "uniform " in out
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["estimate"]["sparsity"] is None and "largest measured" in told["no_estimate"]["sparsity"]


def test_numbers_in_the_url_may_be_written_otherwise(cache: Cache) -> None:
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
    {"base": "dlp", "scores": "median", "unclipped": "True", "target": "0.7"},
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
    if "unclipped" in chosen:
        assert "unclipped=yes" in words[7]
        assert abs(told["budget"] - 0.7) > 1e-6
    else:
        assert told["budget"] == pytest.approx(float(chosen.get("target", 0.7)), abs=1e-9)


CORRECTED = "owl m=7 lam=0.08 strength=0.04 driver=skip control=shuffled seed=3 high=0.8:0.6"


def test_the_allocation_is_one_word_of_the_url(cache: Cache) -> None:
    app = opened(profile=cache["deep"], base="owl", m="7.0", strength="0.04", driver="skip", control="shuffled",
                 shuffle="3", high="0.8", target="0.6")  # fmt: skip
    assert {key: asked(app, key) for key in app.query_params} == {"profile": cache["deep"], "allocation": CORRECTED}
    again = opened(profile=cache["deep"], allocation=CORRECTED)
    assert asked(again, "allocation") == CORRECTED and not again.warning
    assert on_screen(again) == pytest.approx(on_screen(app), abs=1e-12)
    assert again.run().session_state["m"] == 7.0


def test_the_word_follows_the_widgets_and_the_widgets_the_word(cache: Cache) -> None:
    app = opened(profile=cache["deep"], strength="0")
    app.select_slider(key="m").set_value(7.0).run()
    app.select_slider(key="lam").set_value(0.1).run()
    assert asked(app, "allocation") == "owl m=7 lam=0.1:0.7"
    app.selectbox(key="base").set_value("dlp").run()
    assert asked(app, "allocation") == "dlp alpha=0.15:0.7"
    app.selectbox(key="base").set_value("owl").run()
    assert asked(app, "allocation") == "owl m=7 lam=0.1:0.7", "its parameters were kept"
    app.query_params["allocation"] = "owl m=3 lam=0.08 strength=0.05 driver=skip:0.7"  # as the back button does
    app.run()
    state = app.session_state
    assert (state["m"], state["lam"], state["strength"], state["driver"]) == (3.0, 0.08, 0.05, "skip")
    app.query_params.pop("allocation")
    app.run()
    assert (state["m"], state["strength"], state["driver"]) == (5.0, settings.OPENS, "gaussian:0.3")
    assert "allocation" not in app.run().query_params, "as usual"


def test_what_a_link_leaves_out_is_as_usual(cache: Cache) -> None:
    app = opened(profile=cache["deep"], allocation=CORRECTED)
    app.switch_page("absorption.py").run()
    app.query_params["allocation"] = "owl:0.7"
    app.switch_page("allocate.py").run()
    state = app.session_state
    assert (state["m"], state["strength"], state["high"], state["control"]) == (5.0, 0.0, 0.95, "none")


@pytest.mark.parametrize(
    ("word", "named"),
    [("magic:0.7", "no allocator 'magic'"), ("owl", "METHOD:TARGET"), ("/etc/passwd", "METHOD:TARGET"),
     ("dlp unclipped=yes strength=0.1:0.7", "not both")],
)  # fmt: skip
def test_a_word_that_does_not_read_is_said_and_dropped(word: str, named: str, cache: Cache) -> None:
    app = opened(profile=cache["deep"], allocation=word)
    assert not app.exception and len(app.warning) == 1 and named in app.warning[0].value
    assert "allocation" not in app.query_params


def test_only_the_parameters_that_apply_are_asked(cache: Cache) -> None:
    app = opened(profile=cache["deep"], base="depth_ramp")
    asked = {each.key for each in app.select_slider}
    assert "beta" in asked and not asked & {"m", "lam", "epsilon", "alpha", "shuffle"}
    app.selectbox(key="base").set_value("owl").run()
    assert {"m", "lam"} <= {each.key for each in app.select_slider}
    assert app.query_params.get("base") is None  # the default


NONSENSE = {"base": "magic", "target": "1.4", "strength": "9", "driver": "x", "hand": "3:2",
    "unclipped": "perhaps"}  # fmt: skip


@pytest.mark.parametrize("key, value", NONSENSE.items())
def test_nonsense_in_the_url_is_dropped(key: str, value: str, cache: Cache) -> None:
    app = opened(profile=cache["deep"], **{key: value})
    assert not app.exception
    assert key not in app.query_params


def test_a_quick_profile_says_what_to_measure(cache: Cache) -> None:
    app = estimating(profile=cache["shallow"])
    [told] = [each.value for each in app.info][1:]
    assert re.findall(r"residual:wanda:[\d.]+", told) == ["residual:wanda:0.5", "residual:wanda:0.9"]
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
    assert "set by hand" in app.error[0].value and not app.exception
    assert on_screen(app).min() > 0.5


def test_the_controls_stand_beside_the_correction(cache: Cache) -> None:
    app = estimating(profile=cache["deep"], strength="0.04")
    controls = ["reversed", "median of 5 shuffles", "ramp control"]
    assert list(estimates_shown(app)) == ["this allocation", "without correction", *controls, "uniform"]


def estimates_shown(app: AppTest) -> dict[str, float]:
    data = chart(app, "What is this allocation estimated to cost?")["data"][0]
    return dict(zip(data["y"], numbers(data["x"]), strict=True))


def test_layers_set_by_hand_are_set_in_what_they_are_compared_with(cache: Cache) -> None:
    held = {2: 0.5, 3: 0.6}
    app = estimating(profile=cache["deep"], hand="2:0.5,3:0.6", strength="0")
    shown, base = estimates_shown(app), "without correction"
    assert shown["this allocation"] == pytest.approx(shown[base]), "there is no correction that could differ"
    assert shown["all layers as computed"] != pytest.approx(shown[base])
    app = estimating(profile=cache["deep"], hand="2:0.5,3:0.6", strength="0.04")
    here = load_(cache["deep"])
    reverse = allocations.Correction(strength=0.04, control="reversed")
    plain = allocate(AllocationRequest(correction=reverse, base=Owl()), here)
    bounds = Bounds(plain.request.low, plain.request.high)
    wanted = sums(pinned(plain.exact, held, plain.parameters, 0.7, bounds)[None], here)[0]
    assert estimates_shown(app)["reversed"] == pytest.approx(wanted)
    assert any("layers 2 and 3" in each.value for each in app.caption)
    assert "OWL with the same layers set by hand" in live(app)["told"][0][-1][0]


def test_the_table_of_layers_has_its_estimate_and_its_undo(cache: Cache) -> None:
    app = opened(profile=cache["deep"], hand="2:0.5")
    [section] = [each for each in app.expander if each.label == "Set single layers by hand"]
    assert section.proto.expanded and "with no layer set by hand" in section.markdown[0].value
    app.session_state["hand"] = "2:0.6"
    app.run()
    app.button(key="undo-hand").click().run()
    assert app.query_params["hand"] in ("2:0.5", ["2:0.5"])
    [section] = [each for each in opened(profile=cache["deep"]).expander if each.label == section.label]
    assert not section.proto.expanded


@pytest.mark.parametrize("strength, columns", [("0", 4), ("0.04", 5)])
def test_nothing_is_called_corrected_where_nothing_is(strength: str, columns: int, cache: Cache) -> None:
    table = next(
        each.value for each in opened(profile=cache["deep"], strength=strength).dataframe if "by hand" in each.value
    )
    assert ("corrected" in table) == (columns == 5) and len(table.columns) == columns


def test_why_a_method_has_no_estimate_is_said(cache: Cache) -> None:
    app = estimating(profile=cache["deep"], target="0.85", strength="0")
    table = next(each.value for each in app.dataframe if folded.COST in each.value)
    lacking = table.index[table[folded.COST].isna()]
    assert 0 < len(lacking) < len(table)
    [said] = [each.value for each in app.caption if "0.9, the largest sparsity measured" in each.value]
    assert all(name in said for name in lacking[1:])


# --- unclipped -----------------------------------------------------------------------------------------------------

WILD = {"base": "dlp", "alpha": "0.3", "target": "0.85"}


def test_unclipped_numbers_are_drawn_as_they_are(cache: Cache) -> None:
    app = opened(profile=cache["deep"], unclipped="True", strength="0.04", hand="3:0.5", **WILD)
    assert not app.exception and not app.error
    bars = figures(app)[0]["data"][0]
    values = numbers(bars["y"])
    plain = allocate(AllocationRequest(base=Dlp(alpha=0.3), target=0.85, unclipped=True), load_(cache["deep"]))
    assert values == pytest.approx(plain.sparsity, abs=1e-12)
    assert values.max() > 1
    marks = named(figures(app)[0], "cannot be pruned")
    assert numbers(marks["x"]).tolist() == np.flatnonzero(values >= 1).tolist()
    assert numbers(marks["y"]) == pytest.approx(values[values >= 1])
    assert f"<b>{values.max():.2f}</b>" in marks["text"]
    finding = next(each.value for each in app.markdown if "no pruner can do that" in each.value)
    assert f"{plain.budget:.6f}" in finding and "1 or more" in finding
    assert not app.get("bidi_component"), "there is no strength to drag"
    assert not {"driver", "control"} & {each.key for each in [*app.selectbox, *app.get("button_group")]}
    assert any("are off" in each.value for each in app.caption)
    assert not [each for each in app.expander if each.label == "Set single layers by hand"]
    words = shlex.split(app.code[0].value)
    assert words[6:8] == ["--allocation", "dlp alpha=0.3 unclipped=yes:0.85"]
    assert [each.key for each in app.get("download_button") if "llm" in each.key] == []
    assert asked(app, "allocation") == "dlp alpha=0.3 unclipped=yes:0.85"


def load_(key: str) -> object:
    """A profile of the cache that the environment names."""
    return load(Store(), Store().profile(key))


def test_the_switch_is_undone_and_gives_the_correction_back(cache: Cache) -> None:
    app = opened(profile=cache["deep"], strength="0.04", **WILD)
    bounded = on_screen(app)
    app.toggle(key="unclipped").set_value(True).run()
    assert on_screen(app).max() > 1
    app.button(key="undo").click().run()
    assert on_screen(app) == pytest.approx(bounded)
    assert "unclipped" not in app.query_params and "strength=0.04" in app.code[0].value


@pytest.mark.parametrize("base", ["uniform", "response"])
def test_what_has_no_reference_code_has_no_switch(base: str, cache: Cache) -> None:
    app = opened(profile=cache["deep"], base=base, unclipped="True")
    assert not app.toggle and live(app)
    assert "unclipped" not in app.code[0].value


def test_what_unclipped_numbers_spend_is_said() -> None:
    sparsity, parameters = np.array([-0.1, 0.5, 1.2, 1.0]), np.array([1.0, 1, 2, 4])
    told = re.findall(r"-?\d+\.?\d*\b", unclipped(sparsity, parameters, 0.7).finding)
    assert told == ["2", "3", "1", "1.200", "0", "0", "-0.100", "0.850000", "0.15", "0.7"]
    assert unclipped(np.full(3, 0.7), np.ones(3), 0.7).finding.startswith("No layer leaves 0 to 1.")


# --- a budget per linear -------------------------------------------------------------------------------------------

LINEAR = {"base": "response", "granularity": "linear", "target": "0.6"}


def test_a_budget_per_linear_is_shown_whole(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    app = estimating(profile=cache["linear"], strength="0.02", hand="3:0.5", **LINEAR)
    assert not app.exception and not app.error
    here = load_(cache["linear"])
    capsys.readouterr()
    assert main([*shlex.split(app.code[0].value)[3:], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    exact = np.array(told["sparsity"])
    assert exact.shape == (6, 7) and told["linears"] == list(synthetic.LINEARS)
    assert np.average(exact, weights=here.weights.parameters) == pytest.approx(0.6, abs=1e-9)

    heat = figures(app)[0]
    assert pytest.approx(exact, abs=1e-12) == numbers(heat["data"][0]["z"]).reshape(7, 6).T
    assert heat["layout"]["yaxis"]["ticktext"][0] == "q_proj"
    assert "sparsity" in heat["data"][0]["colorbar"]["title"]["text"]
    means = np.average(exact, axis=1, weights=here.weights.parameters)
    shown = np.array(live(app)["rows"])[20]
    assert shown == pytest.approx(means, abs=1e-6)
    assert on_screen(app) == pytest.approx(means, abs=1e-9)
    assert all("met exactly" in budget for _, budget in live(app)["says"])
    assert live(app)["hand"] == []
    assert any("a budget of its own" in each.value for each in app.caption)
    assert any("does not compare with sums over layers" in each.value for each in app.caption)
    [link] = [each.proto for each in app.get("page_link") if each.proto.label == "Prune with this allocation"]
    carried = dict(parse_qsl(link.query_string))
    assert "granularity=linear" in carried["allocation"] and "hand" not in carried


def test_estimates_per_linear_stand_beside_their_own_kind_only(cache: Cache) -> None:
    here, shown = load_(cache["linear"]), estimates_shown(estimating(profile=cache["linear"], strength="0", **LINEAR))
    uniform = sums(np.full((1, 6, 7), 0.6), here)
    assert shown["uniform"] == pytest.approx(uniform[0])
    assert shown["uniform"] != pytest.approx(sums(np.full((1, 6), 0.6), here)[0], rel=1e-3)
    assert shown["this allocation"] <= shown["uniform"]


def test_a_profile_without_linears_says_what_to_measure_and_how(cache: Cache) -> None:
    app = opened(profile=cache["deep"], **LINEAR)
    assert "residual_linear:wanda:0.5:self_attn" in app.error[0].value
    words = shlex.split(app.code[0].value)
    asked = [after for before, after in pairwise(words) if before == "--perturb"]
    assert words[:4] == ["python", "-m", "core", "measure"]
    assert {f"residual_linear:wanda:{level}:each" for level in (0.5, 0.7, 0.9)} < set(asked)
    assert {"gaussian:0.3", "residual:wanda:0.7"} <= set(asked)  # what the page needs besides
    assert words[words.index("--sequences") + 1] == "16"
    assert all(specs.perturbation(each) for each in asked)
    assert app.session_state["granularity"] == "linear", "the settings stay"


def test_a_hand_in_the_url_of_a_budget_per_linear_is_never_half_obeyed(cache: Cache) -> None:
    here = load_(cache["linear"])
    found = allocate(AllocationRequest(base=Response(granularity="linear"), target=0.6), here)
    with pytest.raises(UserError, match="each linear has a budget of its own"):
        spread.held_by_hand(found.sparsity[None], {3: 0.5}, found)


def test_the_heatmap_says_who_is_spared() -> None:
    sparsity = np.array([[0.5, 0.9], [0.6, 0.94], [0.6, 0.95]])
    parameters = np.array([[1.0, 3], [3, 1], [2, 2]])
    chart = linears(sparsity, parameters, ["a.q", "a.k"], Bounds())
    told = re.findall(r"a\.[qk]|\d+\.?\d*", chart.finding)
    assert told == ["a.q", "0.583", "a.k", "0.923", "0", "0.500", "0.900", "1", "6"]
    assert list(chart.table) == ["layer", "mean of the layer", "a.q", "a.k"]
    means = chart.table["mean of the layer"].to_numpy()
    assert met(means, parameters.sum(1)) == pytest.approx(met(sparsity, parameters))


# --- the race ------------------------------------------------------------------------------------------------------


def test_the_race_shows_every_method_beside_the_allocation_in_view_with_what_was_measured(studied: str) -> None:
    app = opened(profile=studied)
    names = list(lanes(app))
    assert names[0] == "this allocation: OWL, corrected 0.04" and len(names) == 1 + len(allocations.METHODS)
    dots = chart(app, "What does each method cost?")["data"]
    assert [each["name"] for each in dots] == [*names, "labels"]
    profile = view.load(studied)
    [group] = stored.groups(profile).values()
    owl = next(each for each in group.settings if each.name == "OWL" and each.setting.allocation.target == 0.7)
    drawn = next(numbers(each["x"]) for each in dots if each["name"] == "OWL")
    assert drawn == pytest.approx([owl.perplexity])
    assert sum("24 × 512 tokens" in each.value for each in app.caption) == 1, "the protocol is named once"


def test_where_nothing_was_measured_the_methods_stand_without_numbers(studied: str) -> None:
    app = opened(profile=studied, target="0.62")
    assert "70 %" in app.info[0].value and len(lanes(app)) == 1 + len(allocations.METHODS)
    assert not [each for each in app.get("plotly_chart") if each.proto.alt.startswith("What does each method cost?")]


# --- estimate against measured, and on to pruning ------------------------------------------------------------------


@pytest.fixture
def studied(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile whose model was evaluated at two targets, at one of them with too few allocations; returns its key."""
    root = tmp_path / "studied"
    spec = synthetic.profile_spec(6, preset="standard", prunable=True).model_copy(update={"removal": True})
    key = synthetic.save_profile(root, spec, 6, "studied")
    bases = (Owl(), Dlp(), AlphaPruning(), Response())
    asked = [specs.Setting(allocation=AllocationRequest(base=base, target=0.7)) for base in bases]
    asked += [specs.Setting(allocation=AllocationRequest(base=Owl(), target=0.5))]
    synthetic.save_study(root, synthetic.study_spec(spec, asked, 6), 6, key)
    monkeypatch.setenv("ABSORPTION_CACHE", str(root))
    return key


def test_the_estimate_is_held_against_what_was_measured(studied: str) -> None:
    app = estimating(profile=studied)
    assert not app.exception
    [chart] = [each for each in app.get("plotly_chart") if "Estimate against measured" in each.proto.alt]
    drawn = json.loads(chart.proto.spec)["data"][0]
    assert len(drawn["customdata"]) == 5, "four methods and uniform at 70%"
    assert "n = 5 allocations of 70 % zeros, Wanda" in chart.proto.alt
    assert any("24 × 512 tokens" in each.value for each in app.caption), "the protocol stands under it"


def test_the_allocation_in_view_is_marked_where_it_was_measured(studied: str) -> None:
    profile = view.load(studied)
    [group] = stored.groups(profile).values()
    part = next(each for each in group.slices if each.target == 0.7)
    owl = next(each for each in group.within(part) if each.name == "OWL")
    figure = of_evaluations.trust(group, part, profile, "drift", None, now=owl.planned).figure
    colours = dict(zip(figure.data[0].customdata, figure.data[0].marker.color, strict=True))
    assert colours["OWL"] == LIGHT.accent and colours["Uniform"] == LIGHT.ink
    assert list(colours.values()).count(LIGHT.accent) == 1 and not figure.layout.shapes


def test_the_allocation_in_view_stands_at_its_estimate_where_it_was_not(studied: str) -> None:
    def trust(**view: str) -> dict:
        return chart(estimating(profile=studied, **view), "Estimate against measured")

    other = trust(strength="0.03")
    assert LIGHT.accent not in other["data"][0]["marker"]["color"]
    assert [each["line"]["color"] for each in other["layout"]["shapes"]] == [LIGHT.accent]
    assert not trust(target="0.6")["layout"].get("shapes")  # no neighbours


def test_without_enough_evaluations_one_sentence_says_what_fills_it(cache: Cache) -> None:
    app = estimating(profile=cache["deep"])
    assert any(each.value.startswith("There are no measurements to compare") for each in app.caption)
    assert not any("Estimate against measured" in each.proto.alt for each in app.get("plotly_chart"))


def test_the_way_to_prune_carries_the_view(cache: Cache) -> None:
    app = opened(profile=cache["deep"], base="dlp", target="0.6", strength="0.03")
    [link] = [each.proto for each in app.get("page_link") if each.proto.label == "Prune with this allocation"]
    words = "dlp alpha=0.15 strength=0.03 driver=gaussian:0.3:0.6"
    assert dict(parse_qsl(link.query_string)) == {"profile": cache["deep"], "allocation": words}
    loose = opened(profile=cache["deep"], base="dlp", unclipped="True")
    assert not [each for each in loose.get("page_link") if each.proto.label == "Prune with this allocation"]


def test_edits_are_read_and_written() -> None:
    assert hand.written(hand.read("7:0.9,3:0.55", 8)) == "3:0.55,7:0.9"
    assert hand.read("", 8) == {}
    for text in ("8:0.5", "1:1.0", "a:0.5", "1"):
        with pytest.raises(ValueError):
            hand.read(text, 8)


def test_findings_are_computed() -> None:
    lines = {"mine": np.array([0.6, 0.7, 0.8]), "alike": np.array([0.5, 0.7, 0.9]), "flat": np.full(3, 0.7)}
    assert "most like alike" in methods(lines, "mine", 0.7).finding
    again = methods({**lines, "twin": lines["mine"]}, "mine", 0.7).finding
    assert "from 0.600 to 0.800 and is twin itself" in again and "most like alike" in again
    assert list(agreement(lines)) == ["mine", "alike"]
    rows = [Estimate("mine", 2.0, 2.0, 2.0), Estimate("other", 1.0, 0.5, 1.5), Estimate("far", np.nan, np.nan, np.nan)]
    assert "100.0 % more than other" in estimates(rows, "mine", "nats").finding
    assert "beyond the largest sparsity measured" in estimates(rows, "far", "nats").finding
