"""What an allocation costs: what is predicted of it, every method beside it, and what was measured of them."""

import json

import numpy as np
import pytest

from core.base import duration, per_cent
from core.cli import main
from core.jobs import cost, queue
from core.methods import Owl, Treatment
from core.requests import AllocationRequest, Correction, grammar
from core.results import stored_forecasts
from core.store import Store
from pages.ui import current_profile
from tests import synthetic
from tests.pages.allocate_page import on_screen, opened, predicted, targets
from tests.pages.opening import live, url
from tests.pages.prune_page import EXPECTED


def test_a_button_evaluates_what_predicts(bare, monkeypatch):
    monkeypatch.setattr(cost, "estimate", lambda *_: EXPECTED)
    for name in ("model_source", "text_source"):
        monkeypatch.setitem(synthetic.TOLD, name, "demo")
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(6, prunable=True), 6)
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
    assert live(app)["hero"]["beside"] == pytest.approx(found.perplexities(np.full((1, 6), 0.7)).value[0], rel=1e-4)


def test_beyond_what_was_measured_nothing_is_predicted(studied):
    told = live(opened(profile=studied, allocation="dlp high=0.94:0.88"))
    assert told["hero"]["values"][100] is None and "largest sparsity" in told["hero"]["unknown"]


def test_the_pruner_and_its_repair_choose_what_predicts(studied):
    app = opened(profile=studied, by="alps", repair="refit")
    assert live(app)["hero"] is None and "ALPS + refit" in app.info[0].value


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
