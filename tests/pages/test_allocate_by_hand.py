"""Allocations with layers set by hand, and with a budget of each linear."""

import json
import re
import shlex

import numpy as np
import pytest

from core.cli import main
from core.methods.response import Response
from core.methods.treatments import Treatment
from core.plan.allocation import allocate
from core.plan.budget import Bounds, share_spent
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.results import stored_forecasts
from core.show.figures.allocation import linears
from core.store.cache import Store
from pages.ui.allocate import current_allocation
from tests import synthetic
from tests.pages.allocate_page import load_, on_screen, opened, predicted
from tests.pages.opening import figures, link, live, numbers, opened_at, url, words

Cache = dict[str, str]


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


def test_layers_set_by_hand_are_set_in_every_strength_that_is_predicted(studied):
    app = opened(profile=studied, hand="2:0.5,3:0.6", strength="0.04")
    base = grammar.read_allocation(url(app)["allocation"]).uncorrected
    found, _ = stored_forecasts.load_forecast(Store(), load_(studied), Treatment("wanda")).without_allocation(
        on_screen(app), base
    )
    rows = np.array(live(app)["bars"]["values"])
    assert (rows[:, 2] == 0.5).all() and (rows[:, 3] == 0.6).all()
    shown = np.array(live(app)["hero"]["values"], float)
    assert shown == pytest.approx(found.perplexities(rows).value, rel=1e-3, nan_ok=True)
    assert predicted(app)[0] == pytest.approx(found.predict(on_screen(app)).perplexity, rel=1e-4)


LINEAR = {"base": "response", "granularity": "linear", "target": "0.6"}


def test_a_budget_per_linear_is_shown_whole(cache, capsys):
    app = opened(profile=cache["linear"], strength="0.02", **LINEAR)
    assert not app.error
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
    assert "sparsity" in heat["layout"]["title"]["text"]
    means = np.average(exact, axis=1, weights=here.weights.parameters)
    shown = np.array(live(app)["bars"]["values"])[120]
    assert shown == pytest.approx(means, abs=1e-4)
    assert on_screen(app) == pytest.approx(means, abs=1e-9)
    assert "each linear alone" in words(app.caption)
    assert "granularity=linear" in link(app, "Prune with this allocation")["allocation"]


def test_a_layer_set_by_hand_shifts_its_linears_alike_and_the_others_make_up_for_it(
    cache, tmp_path, monkeypatch, capsys
):
    here, hand = load_(cache["linear"]), {"hand": "3:0.5"}
    app = opened(profile=cache["linear"], **hand, **LINEAR)
    start = allocate(AllocationRequest(base=Response(granularity="linear"), target=0.6), here)
    found = current_allocation.allocated(start.request, here, ((3, 0.5),))
    assert found.linears.shape == (6, 7) and found.budget == pytest.approx(0.6, abs=1e-9)
    assert on_screen(app) == pytest.approx(found.sparsity, abs=1e-9) and found.sparsity[3] == pytest.approx(0.5)
    inside = (found.linears > 0) & (found.linears < start.bounds.high)
    shifts = np.where(inside, found.linears - start.linears, np.nan)
    assert np.nanstd(shifts[3]) < 1e-12 and np.nanstd(np.delete(shifts, 3, axis=0)) < 1e-12
    assert live(app)["hand"]["held"] == {"3": 0.5} and np.shape(live(app)["hand"]["base"]) == (6, 7)

    words, path = shlex.split(app.code[0].value)[3:], tmp_path / f"{cache['linear'][:6]}-allocation.json"
    path.write_text(current_allocation.written(found, here), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sparsity"] == found.linears.tolist()

    prune = opened_at("prune", profile=cache["linear"], **hand, **LINEAR)
    [said] = [each.value for each in prune.markdown if "Setting in view" in each.value]
    assert "set by hand" in said and not prune.error
    bars = np.array(live(prune)["bars"]["values"]).ravel()
    assert bars == pytest.approx(found.sparsity, abs=1e-4)


def test_response_has_a_budget_per_linear_by_default_where_linears_were_measured(cache):
    """A stored link means what it meant."""
    chosen = {
        "granularity=linear": {"profile": cache["linear"], "base": "response"},
        "response objective=kl:0.6": {"profile": cache["linear"], "allocation": "response:0.6", "strength": "0"},
        "response objective=kl:0.7": {"profile": cache["deep"], "base": "response", "strength": "0"},
    }
    for said, view in chosen.items():
        assert said in link(opened(**view), "Prune with this allocation")["allocation"]


def test_the_file_of_a_budget_per_linear_is_read_as_it_was_written(cache, tmp_path):
    here, path = load_(cache["linear"]), tmp_path / "allocation.json"
    found = allocate(AllocationRequest(base=Response(granularity="linear"), target=0.6), here)
    path.write_text(current_allocation.written(found, here), encoding="utf-8")
    again = allocate(grammar.from_file(path), here)
    assert np.array_equal(again.linears, found.linears) and again.request.target == pytest.approx(0.6)


def test_a_profile_without_linears_says_what_to_measure(bare):
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(6, prunable=True), 6)
    app = opened(profile=key, **LINEAR)
    assert "residual_linear:wanda:0.5:self_attn" in app.error[0].value
    assert app.session_state["granularity"] == "linear", "the settings stay"


def test_the_heatmap_says_who_is_spared():
    sparsity = np.array([[0.5, 0.9], [0.6, 0.94], [0.6, 0.95]])
    parameters = np.array([[1.0, 3], [3, 1], [2, 2]])
    chart = linears(sparsity, parameters, ["a.q", "a.k"], Bounds())
    told = re.findall(r"a\.[qk]|\d+\.?\d*", chart.finding)
    assert told == ["a.q", "0.583", "a.k", "0.923", "0", "0.500", "0.900", "1", "6"]
    assert list(chart.table) == ["layer", "mean of the layer", "a.q", "a.k"]
    means = chart.table["mean of the layer"].to_numpy()
    assert share_spent(means, parameters.sum(1)) == pytest.approx(share_spent(sparsity, parameters))
