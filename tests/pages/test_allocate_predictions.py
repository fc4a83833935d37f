"""What an allocation costs: what is predicted of it, every method beside it, and what was measured of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.base import formats
from core.base.formats import digits, duration, per_cent
from core.cli import main
from core.jobs import cost, queue
from core.methods import METHODS
from core.methods.owl import Owl
from core.methods.treatments import Treatment
from core.plan.allocation import allocate
from core.requests import grammar
from core.requests.allocations import AllocationRequest, Correction
from core.requests.measurements import measurements
from core.requests.perturbations import perturbation
from core.results import stored_forecasts
from core.store.cache import Store
from pages.ui import current_profile, studies
from pages.ui.allocate.targets import COMPARED
from tests import synthetic
from tests.pages.allocate_page import chart, lanes, on_screen, opened, predicted, targets
from tests.pages.opening import live, numbers, url
from tests.pages.prune_page import EXPECTED

Cache = dict[str, str]


@pytest.fixture
def store(empty_cache):
    """An empty cache that the environment points at."""
    return Store(empty_cache)


@pytest.fixture
def unknown_gain(store, monkeypatch):
    """A profile whose driver has no gain in layer 3."""
    usual = synthetic.perturbed

    def broken(layers, sequences, measurement):
        found = usual(layers, sequences, measurement)
        if measurement.perturbation.name != "gaussian:0.3":
            return found
        drift = found.log_drift.copy()
        drift[3, -1] = np.nan
        return replace(found, log_drift=drift)

    monkeypatch.setattr(synthetic, "perturbed", broken)
    return synthetic.save_profile(store.root, synthetic.profile_spec(12, 8, prunable=True), 12)


def test_without_a_gain_only_the_correction_is_off(unknown_gain):
    app = opened(profile=unknown_gain)
    assert not app.error
    assert "layer 3" in app.warning[0].value and "gaussian:0.3" in app.warning[0].value
    assert len(live(app)["bars"]["values"]) == 1 and app.code
    app = opened(profile=unknown_gain, strength="0.04")
    assert "Layer 3" in app.error[0].value


@pytest.fixture
def by_sparsegpt(store):
    """A profile whose layers were pruned alone by SparseGPT, and by Wanda at one sparsity only."""
    names = ("gaussian:0.3", "residual:wanda:0.7", *(f"residual:sparsegpt:{each}" for each in (0.5, 0.7, 0.9)))
    measured = measurements([perturbation(name) for name in names])
    spec = synthetic.profile_spec(12, 8, prunable=True).model_copy(update={"measurements": measured})
    return synthetic.save_profile(store.root, spec, 12)


def test_nothing_is_predicted_where_nothing_was_evaluated(by_sparsegpt):
    app = opened(profile=by_sparsegpt, strength="0")
    assert not app.error
    assert live(app)["hero"] is live(app)["gauge"] is None
    assert "for Wanda yet" in app.info[0].value


def test_a_button_evaluates_what_predicts(bare, monkeypatch):
    monkeypatch.setattr(cost, "estimate", lambda *_: EXPECTED)
    for name in ("model_source", "text_source"):
        monkeypatch.setitem(synthetic.TOLD, name, "demo")
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(6, prunable=True), 6)
    app = opened(profile=key, by="alps", repair="refit")
    assert "python" not in app.info[0].value
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
    assert live(app)["hero"]["beside"] == pytest.approx(found.perplexities(np.full((1, 6), 0.7)).value[0], rel=1e-4)
    curve = live(app)["gauge"]
    assert len(curve["values"]) == 201 and curve["zero"] == 100 and len(curve["band"]) == 2


def test_the_strength_crosses_over_to_the_reverse(studied):
    shown = live(opened(profile=studied, strength="0.02"))
    turned = opened(profile=studied, strength="0.02", control="reversed")
    there = live(turned)
    assert (shown["state"]["strength"], there["state"]["strength"]) == (120, 80)
    assert shown["bars"]["values"] == there["bars"]["values"], "one picture holds both"
    assert on_screen(turned) == pytest.approx(there["bars"]["values"][80], abs=1e-4)
    ramp = live(opened(profile=studied, strength="0.02", control="ramp"))
    assert ramp["state"]["strength"] == 120 and ramp["bars"]["values"][:100] == shown["bars"]["values"][:100]
    assert ramp["controls"][0]["marks"][-1] == [200, "ramp"]


def test_what_was_measured_stands_on_the_curve_of_its_base(studied):
    [group] = studies.groups(current_profile.load(studied))
    owl = next(each for each in group.settings if each.name == "OWL" and each.setting.allocation.target == 0.7)
    app = opened(profile=studied)
    [[frame, perplexity, _]] = live(app)["gauge"]["marks"]
    assert (frame, perplexity) == (100, pytest.approx(owl.perplexity, rel=1e-5))
    assert any(f"allocation was measured: {formats.perplexity(perplexity)}." in each.value for each in app.caption)
    assert not live(opened(profile=studied, hand="2:0.6"))["gauge"]["marks"], "no layer was set by hand there"


@pytest.mark.parametrize("chosen_in", ["the link", "the page"])
def test_least_harm_opens_where_it_is_predicted(chosen_in, studied):
    view = {"target": "0.88"} | ({"base": "response"} if chosen_in == "the link" else {})
    app = opened(profile=studied, **view)
    if chosen_in == "the page":
        app.selectbox(key="base").set_value("response").run()
    assert app.session_state["base"] == "response" and predicted(app)[0] > 1


def test_beyond_what_was_measured_nothing_is_predicted(studied):
    told = live(opened(profile=studied, allocation="dlp high=0.94:0.88"))
    assert told["hero"]["values"][100] is None and "largest sparsity" in told["hero"]["unknown"]


def test_a_budget_per_linear_stands_unpredicted_where_no_linear_was_measured_alone(studied):
    app = opened(profile=studied, allocation="lsa per=half:0.7")
    assert not app.error and live(app)["hero"] is None and "each linear measured alone" in app.info[0].value


def test_the_pruner_and_its_repair_choose_what_predicts(studied):
    app = opened(profile=studied, by="alps", repair="refit")
    assert live(app)["hero"] is None and "ALPS + refit" in app.info[0].value


def test_methods_are_predicted_at_every_target_beside_what_was_measured(studied):
    app = opened(profile=studied, strength="0.02", target="0.6")
    shown, found = (
        targets(app),
        stored_forecasts.load_forecast(Store(), current_profile.load(studied), Treatment("wanda")),
    )
    assert (shown["layers"], shown["state"]) == (96, {"target": 60})
    for line, kind in zip(shown["lines"], ("uniform", "owl", "response"), strict=True):
        asked = AllocationRequest(base=METHODS[kind](), target=0.6)
        cost = found.predict(allocate(asked, found.profile).exact).perplexity
        assert line["values"][0][60] == pytest.approx(cost, rel=1e-4)
        known = [each.perplexity for each in found.settings if each.setting.allocation.base == asked.base]
        assert [value for _, value in line["points"]] == pytest.approx(known, rel=1e-5)
        assert line["values"][0][95] is None, "nothing beyond what was measured"
        low, high = (digits(each, 3) for each in found.predict(allocate(asked, found.profile).exact)[1:3])
        assert f"[{low}, {high}]" in shown["slots"][str(COMPARED.index(kind))]["table"][60]
    assert not [each for each in app.select_slider if each.key == "target"], "the picture has its slider"
    assert len(targets(opened(profile=studied, base="dlp"))["lines"]) == 4


def test_the_perplexity_that_is_accepted_sets_the_target_once(studied):
    app = opened(profile=studied, strength="0.02")
    asked = AllocationRequest(base=Owl(), target=0.7, correction=Correction(strength=0.02))
    best = (
        stored_forecasts.load_forecast(Store(), current_profile.load(studied), Treatment("wanda"))
        .sparsest(asked, 0.5)
        .target
    )
    app.selectbox(key="accept").set_value(0.5).run()
    assert app.session_state["target"] == pytest.approx(best) != 0.7
    assert app.session_state["accept"] == 0.5 and targets(app)["state"]["target"] == round(100 * best)
    app.session_state["target"] = 0.3
    app.run()
    assert targets(app)["state"]["target"] == 30
    assert any(f"{per_cent(best)} zeros is the most" in each.value for each in app.caption)


def test_every_method_stands_beside_the_allocation_in_view_with_what_was_measured(studied):
    app = opened(profile=studied)
    names = list(lanes(app))
    assert names[0] == "this allocation" and len(names) == 1 + len(METHODS)
    dots = chart(app, "What does each method cost?")["data"]
    assert dots[0]["y"] == names
    profile = current_profile.load(studied)
    [group] = studies.groups(profile)
    owl = next(each for each in group.settings if each.name == "OWL" and each.setting.allocation.target == 0.7)
    drawn = dict(zip(dots[0]["y"], numbers(dots[0]["x"]), strict=True))["OWL"]
    assert drawn == pytest.approx(owl.perplexity)
    assert sum("24 × 512 tokens" in each.value for each in app.caption) == 2, "that of the card and that of the charts"


def test_where_nothing_was_measured_the_methods_stand_with_what_is_predicted_of_them(studied):
    app = opened(profile=studied, target="0.62")
    dots = chart(app, "What does each method cost?")["data"][0]
    assert len(lanes(app)) == len(dots["y"]) == 1 + len(METHODS)
    assert set(dots["marker"]["symbol"]) == {"circle-open"} and np.isfinite(numbers(dots["x"])).all()


def test_numbers_of_another_pruner_stand_beside_no_method(studied):
    app = opened(profile=studied, target="0.7", by="magnitude")
    assert len(lanes(app)) == 1 + len(METHODS)
    assert not [each for each in app.get("plotly_chart") if each.proto.alt.startswith("What does each method cost?")]


def test_where_nothing_predicts_either_the_methods_stand_without_numbers(studied):
    app = opened(profile=studied, target="0.62", by="magnitude")
    assert len(app.info) == 1 and len(lanes(app)) == 1 + len(METHODS)
    assert not [each for each in app.get("plotly_chart") if each.proto.alt.startswith("What does each method cost?")]
