"""The best known setting: one button brings it into view on Tune and among all results, and its profile follows."""

import pytest

from core.requests import Recipe, grammar
from core.store import profiles
from tests import synthetic
from tests.pages.opening import badges, opened_at, put, url
from tests.pages.prune_page import LAYERS, OWL, PROFILE, save

LINEARS = synthetic.linears_spec(LAYERS)
BEST = Recipe(allocation=grammar.read_allocation("response granularity=linear:0.7"), repair="refit")


def cost(setting):
    return 3.0 - 0.5 * bool(setting.repair) - 0.4 * (setting.allocation.base.kind == "response")


@pytest.fixture
def known(store):
    """Settings that looked at two profiles, of which the best looked at the one that measured each linear alone."""
    key = synthetic.save_profile(store.root, LINEARS, "deep model")
    save(store, (Recipe(allocation=OWL), Recipe(allocation=OWL, pruner="sparsegpt")), cost)
    spec = synthetic.study_spec(PROFILE, (BEST,), text="invented evaluation text")
    spec = synthetic.as_allocated(spec, profiles.load(store, store.profile(key)))
    synthetic.save_study(store.root, spec, key, cost)
    return key


def test_one_click_uses_the_best_known_setting_and_its_profile_follows(known):
    app = opened_at("tune", profile=PROFILE.key, by="wanda")
    card = next(each for each in app.metric if each.label.startswith("Best measured so far with the pruner Wanda: "))
    assert card.label.endswith(": Response per matrix, 70 % zeros, refit") and badges(app)
    app.button(key="use-best").click().run()
    assert not app.error and not app.warning
    assert app.session_state["profile"] == known
    assert app.session_state["base"] == "response"
    put(app, "part", "results")
    assert grammar.read_allocation(url(app)["allocation"]) == BEST.allocation
    assert (app.session_state["by"], app.session_state["repair"]) == ("wanda", "refit")
    assert not app.error and not app.info, "it was evaluated"
    assert any("70 % zeros, Wanda, refit" in each.label for each in app.metric)


def test_a_budget_per_linear_brings_the_profile_of_linears_into_view(known):
    for page in ("tune", "results"):
        app = opened_at(page, profile=PROFILE.key, allocation="response granularity=linear:0.7")
        assert app.session_state["profile"] == known and url(app)["profile"] == known
        assert not app.error and "looks at" in app.toast[0].value


def test_nothing_is_best_where_nothing_was_measured(known):
    for view in ({"allocation": "owl:0.55"}, {"by": "alps"}):
        app = opened_at("prune", profile=PROFILE.key, **view)
        assert not any("Best measured" in each.label for each in app.metric)
