"""The absorption page: what the choices do, and that the URL holds the view."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.store.profiles import Profile
from pages.ui import view
from tests.pages.test_shell import live, opened_at, paint, shell


def opened(**view: str) -> AppTest:
    """The page with a view in its URL."""
    return opened_at("absorption", **view)


def figures(app: AppTest) -> list[dict]:
    """The charts on the page, as plotly's JSON."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def numbers(values: dict) -> np.ndarray:
    """An array as plotly sends it."""
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def named(figure: dict, name: str) -> dict:
    """The trace with a name."""
    return next(trace for trace in figure["data"] if trace.get("name") == name)


def test_a_standard_profile_shows_every_chart_with_finding_and_download(filled_cache: dict[str, str]) -> None:
    app = opened(profile=filled_cache["deep"])
    titles = [each.value for each in app.header]
    assert len(titles) == len(app.get("plotly_chart")) == 9
    assert len(app.get("download_button")) == 10  # the live picture above the charts has its numbers too
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    assert not app.exception and not app.info


def test_a_tab_draws_the_live_picture_first_and_the_whole_page_once_it_stands(filled_cache: dict[str, str]) -> None:
    app = shell(painted=False).run().switch_page("absorption.py").run()
    assert live(app)["waiting"] and not figures(app)
    paint(app)
    app.run()
    assert not live(app)["waiting"] and len(figures(app)) == 9


def test_a_quick_profile_says_what_to_measure(filled_cache: dict[str, str]) -> None:
    app = opened(profile=filled_cache["shallow"])
    assert len(app.info) == 3
    assert all(each.value.startswith("Measure ") for each in app.info)


def test_the_url_restores_the_view(filled_cache: dict[str, str]) -> None:
    view = {"perturbation": "gaussian:0.01", "positions": "all", "statistic": "median", "layer": "7"}
    app = opened(profile=filled_cache["deep"], **view)
    assert {key: str(app.session_state[key]) for key in view} == view
    assert named(figures(app)[0], "layer 7")


def test_a_choice_is_written_to_the_url_and_a_default_is_not(filled_cache: dict[str, str]) -> None:
    app = opened(profile=filled_cache["deep"])
    assert "layer" not in app.query_params
    app.session_state["layer"] = 3  # as the live picture's callback does
    app.run()
    assert app.query_params["layer"] == "3"
    assert named(figures(app)[0], "layer 3")
    assert live(app)["pick"]["index"] == 3
    app.session_state["layer"] = 10
    app.run()
    assert "layer" not in app.query_params


NONSENSE = {"layer": "300", "perturbation": "x", "statistic": "mode", "compare": "no"}


@pytest.mark.parametrize("key, value", NONSENSE.items())
def test_nonsense_in_the_url_is_dropped(filled_cache: dict[str, str], key: str, value: str) -> None:
    app = opened(profile=filled_cache["deep"], **{key: value})
    assert not app.exception
    assert key not in app.query_params


def test_a_twin_of_other_depth_can_be_compared(filled_cache: dict[str, str]) -> None:
    app = opened(profile=filled_cache["deep"], compare=filled_cache["shallow"])
    compared = named(figures(app)[2], "compared")
    assert numbers(compared["customdata"]).tolist() == [0, 1, 2, 3]
    assert numbers(compared["x"])[-1] == 29


def test_nothing_is_compared_until_it_is_chosen(filled_cache: dict[str, str]) -> None:
    box = opened(profile=filled_cache["deep"]).selectbox(key="compare")
    assert box.options[box.proto.default] == "nothing"
    assert not box.proto.set_value  # None would read: choose an option


def test_long_heads_are_short_in_tables_and_whole_in_their_tooltips(filled_cache: dict[str, str]) -> None:
    tables = opened(profile=filled_cache["deep"]).dataframe
    heads = [json.loads(each.proto.columns) for each in tables if "injection layer" in each.value]
    assert heads and all(each["injection layer"]["label"] == "layer" for each in heads)
    assert all(each["injection layer"]["help"] == "injection layer" for each in heads)
    [sized] = [each for each in heads if "gain at 0.01" in each]
    assert sized["gain at 0.01"]["label"] == "at 0.01"


def test_the_verdict_is_computed(filled_cache: dict[str, str]) -> None:
    said = [each.value for each in opened(profile=filled_cache["deep"]).markdown]
    assert any("absorb" in text and "(n = 16)" in text for text in said)


def test_what_changes_nothing_is_said_to(filled_cache: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = view.load

    def still(key: str) -> Profile:
        found = real(key)
        calm = {
            each: replace(unit, log_drift=np.where(np.isnan(unit.log_drift), np.nan, -np.inf))
            for each, unit in found.perturbed.items()
        }
        return replace(found, perturbed=calm)

    monkeypatch.setattr(view, "load", still)
    app = opened(profile=filled_cache["deep"])
    assert not app.exception and "changed nothing" in app.info[0].value
