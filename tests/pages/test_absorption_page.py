"""The absorption page: what the choices do, and that the URL holds the view."""

from dataclasses import replace

import numpy as np
import pytest

from core.show.figures import GAIN
from pages.ui import current_profile
from tests import synthetic
from tests.pages.opening import figures, named, opened_at, url


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("absorption", **view)


def test_the_url_restores_the_view(filled_cache):
    view = {"perturbation": "gaussian:0.01", "positions": "all", "layer": "7"}
    app = opened(profile=filled_cache["deep"], **view)
    assert {key: str(app.session_state[key]) for key in view} == view
    assert named(figures(app)[1], "layer 7")
    assert not app.dataframe, "numbers are sent once their popover is opened"


def test_a_choice_outruns_the_url_of_the_last_one_and_the_back_button_does_not(filled_cache):
    """A quick reader's browser has not heard of the new URL yet and brings an old one with the next choice."""
    app = opened(profile=filled_cache["deep"], group=GAIN)
    bare = url(app)
    app.session_state["layer"] = 3
    app.run()
    app.session_state["layer"] = 7
    app.query_params.pop("layer")
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7"}
    app.session_state["positions"] = "all"
    app.query_params["layer"] = "3"
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7", "positions": "all"}
    app.query_params.pop("positions")
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7"}
    app.query_params["layer"] = "3"
    app.run()
    assert app.session_state["layer"] == 3 and url(app) == bare | {"layer": "3"}


NONSENSE = {"layer": "300", "perturbation": "x", "compare": "no", "positions": "first"}


@pytest.mark.parametrize("key, value", NONSENSE.items())
def test_nonsense_in_the_url_is_dropped(filled_cache, key, value):
    place = key if key == "compare" else "absorption"
    app = opened_at(place, profile=filled_cache["deep"], group=GAIN, **{key: value})
    assert app.query_params.get(key) not in (value, [value])


def test_of_a_model_of_one_layer_the_headline_says_that_nothing_follows(bare):
    app = opened(profile=synthetic.save_profile(bare.root, synthetic.profile_spec(1)))
    assert "only one layer" in app.header[0].value and not app.info


def test_what_changes_nothing_is_said_to(filled_cache, monkeypatch):
    real = current_profile.load

    def still(key):
        found = real(key)
        calm = {
            each: replace(unit, log_drift=np.where(np.isnan(unit.log_drift), np.nan, -np.inf))
            for each, unit in found.perturbed.items()
        }
        return replace(found, perturbed=calm)

    monkeypatch.setattr(current_profile, "load", still)
    app = opened(profile=filled_cache["deep"])
    assert "changes nothing" in app.info[0].value
