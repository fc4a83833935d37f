"""Lab, break it while it talks: what the picture is given, a link to it, and what the browser may tell."""

import pytest

from core.base import UserError
from pages.ui import live, url_state
from pages.ui.lab import talk
from pages.ui.lab.question import LAYERS
from tests.pages.opening import opened_at, picture


def test_a_link_carries_the_prompt_the_damage_over_time_and_the_seed(model):
    turns = "0~3~residual:wanda:0.7:mlp,12~0~"
    app = opened_at("lab", write="A red door", turns=turns, seed="7")
    data = picture(app, "prompt")
    assert (data["prompt"], data["seed"], data["state"]["turns"], data["linked"]) == ("A red door", 7, turns, True)
    app.session_state["seed"] = 0
    assert picture(app.run(), "prompt")["seed"] is None


@pytest.mark.parametrize(
    "wrong",
    ["x", "1~2", "0~31~skip", "0~1~gaussian:7", "0~1~residual:wanda:0.5:head:1", "4~1~skip,2~1~skip", "200~1~skip"],
)
def test_turns_that_cannot_be_are_said_and_the_example_stands(model, wrong):
    app = opened_at("lab", turns=wrong)
    assert "turns" in app.warning[0].value
    assert picture(app, "prompt")["state"]["turns"] == talk.OPENING


def test_turns_are_spelt_in_one_way():
    assert talk.read("00~016~gaussian:0.30,,") == "0~16~gaussian:0.3"
    assert talk.read("") == ""
    for word in talk.damages():
        for turns in (f"0~1~{word}", f"0~{LAYERS}~{word}"):
            assert talk.read(turns) == turns
    with pytest.raises(UserError, match=f"layers 0 to {LAYERS - 1}"):
        talk.read("0~99~skip")


def test_what_the_browser_tells_is_kept_and_nonsense_is_not(monkeypatch):
    events = {}
    told = []
    monkeypatch.setattr(live.st, "session_state", {"view": url_state.View({}, {}, {})})
    choices = {"turns": (talk.OPENING, talk.Turns())}
    live.draw(lambda **given: events.update(given), "talk", {}, choices, told.append)
    for moved in ({"turns": "3~4~skip"}, {"turns": ""}, {"turns": "3~4~ski"}, {"turns": 3}, {"turns": None}, {}):
        monkeypatch.setattr(live.st, "session_state", {"talk": type("Told", (), {"moved": moved})})
        events["on_moved_change"]()
    assert told == [{"turns": "3~4~skip"}, {"turns": ""}]
