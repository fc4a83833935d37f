"""Allocations that a reader changes: layers set by hand, undo, unclipped numbers, and a budget of each linear."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise

import numpy as np
import pytest

from core.ask import allocations
from core.ask.allocations import AllocationRequest
from core.ask.perturbations import perturbation
from core.base.errors import UserError
from core.cli import main
from core.kinds.dlp import Dlp
from core.kinds.owl import Owl
from core.kinds.response import Response
from core.plan.budget import Bounds, met, pinned
from core.plan.estimates import estimates as sums
from core.plan.spread import allocate
from core.show.figures.allocation import unclipped
from core.show.figures.linears import linears
from core.store.cache import Store
from pages.ui.allocate import hand, settings, spread
from tests import synthetic
from tests.pages.allocate_page import estimates_shown, estimating, load_, on_screen, opened
from tests.pages.opening import figures, link, live, named, numbers, pictures, url

Cache = dict[str, str]


def test_layers_set_by_hand_stay_and_undo_takes_them_back(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    start = on_screen(app)
    app.session_state["hand"] = "4:0.5"
    app.run()
    found = on_screen(app)
    assert found[4] == 0.5
    assert len(set(np.delete(found - start, 4).round(12))) == 1  # one shift for all the others
    assert url(app)["hand"] == "4:0.5"
    assert live(app)["bars"]["hand"] == [4]
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
    assert "OWL with the same layers set by hand" in live(app)["notes"][0]["table"][0]


def test_the_table_of_layers_has_its_estimate_and_its_undo(cache: Cache) -> None:
    app = opened(profile=cache["deep"], hand="2:0.5")
    [section] = [each for each in app.expander if each.label == "Set single layers by hand"]
    corrected = {"0": False, str(settings.OPENS): True}
    for strength, named_so in corrected.items():
        tables = opened(profile=cache["deep"], strength=strength).dataframe
        [columns] = [list(each.value) for each in tables if "by hand" in each.value]
        assert ("corrected" in columns) == named_so and len(columns) == 4 + named_so
    assert section.proto.expanded and "with no layer set by hand" in section.markdown[0].value
    app.session_state["hand"] = "2:0.6"
    app.run()
    app.button(key="undo-hand").click().run()
    assert url(app)["hand"] == "2:0.5"
    [section] = [each for each in opened(profile=cache["deep"]).expander if each.label == section.label]
    assert not section.proto.expanded


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
    assert not pictures(app), "there is no strength to drag"
    assert not {"driver", "control"} & {each.key for each in [*app.selectbox, *app.get("button_group")]}
    assert any("are off" in each.value for each in app.caption)
    assert not [each for each in app.expander if each.label == "Set single layers by hand"]
    words = shlex.split(app.code[0].value)
    assert words[6:8] == ["--allocation", "dlp alpha=0.3 unclipped=yes:0.85"]
    assert [each.key for each in app.get("download_button") if "llm" in each.key] == []
    assert url(app)["allocation"] == "dlp alpha=0.3 unclipped=yes:0.85"


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


def test_edits_are_read_and_written() -> None:
    assert hand.written(hand.read("7:0.9,3:0.55", 8)) == "3:0.55,7:0.9"
    assert hand.read("", 8) == {}
    for text in ("8:0.5", "1:1.0", "a:0.5", "1"):
        with pytest.raises(ValueError):
            hand.read(text, 8)


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
    shown = np.array(live(app)["bars"]["values"])[20]
    assert shown == pytest.approx(means, abs=1e-6)
    assert on_screen(app) == pytest.approx(means, abs=1e-9)
    assert all("met exactly" in budget for budget in live(app)["notes"][-1]["table"])
    assert live(app)["bars"]["hand"] == []
    assert any("a budget of its own" in each.value for each in app.caption)
    assert any("does not compare with sums over layers" in each.value for each in app.caption)
    carried = link(app, "Prune with this allocation")
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
    assert all(perturbation(each) for each in asked)
    assert app.session_state["granularity"] == "linear", "the settings stay"


def test_a_profile_without_linears_leads_to_one_of_the_same_model_that_has_them(bare: Store) -> None:
    plain = synthetic.profile_spec(6, prunable=True)
    without, alone = (synthetic.save_profile(bare.root, spec, 6) for spec in (plain, synthetic.linears_spec(6)))
    app = opened(profile=without, **LINEAR)
    [label] = [label for each in app.main.get("page_link") if "measured alone" in (label := each.proto.label)]
    carried = link(app, label)
    assert carried["profile"] == alone and "granularity=linear" in carried["allocation"]
    there = opened(**carried)
    assert not there.error and not there.exception
    assert "met exactly" in live(there)["notes"][-1]["table"][0]


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
