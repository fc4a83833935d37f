"""Lab: stored answers at once, one's own sentence as it is answered, and a link that carries all of it."""

import json
import re

import pytest

from core.base import UserError
from core.requests import question
from pages.ui import live, server, url_state
from pages.ui.lab import question as asking
from pages.ui.lab import talk
from pages.ui.lab.question import OPENING
from pages.ui.live import grid
from tests.bench.lab import keep
from tests.fake_warm import LAYERS, scene
from tests.pages.opening import opened_at, picture, pictures

OWN = "A red door"
NOISE, EVERYWHERE = question(OPENING, "gaussian:0.3"), question(OPENING, "gaussian:0.3", first=True)


@pytest.fixture
def stored(filled_cache, model):
    """Two committed scenes of the opening sentence."""
    keep("scene", "0", NOISE, scene(0.5, flips=2))
    keep("scene", "1", EVERYWHERE, scene(2.0, flips=4))


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("lab", **view)


def standing(app):
    """The line that says how far the answer is."""
    return next(each.value for each in app.caption if each.value.startswith(":material"))


def shown(app):
    """The answer to the question as the browser looks for it."""
    data = picture(app, "answers")
    state, kind = data["state"], data["kinds"][data["state"]["kind"]]
    where = str(state["token"]) if state["only"] else "all" if state["first"] or not kind["choosy"] else "after_first"
    return json.loads(data["answers"].get(f"{data['sentence']}|{list(kind['stops'])[state['size']]}|{where}", "{}"))


def test_a_stored_answer_is_on_the_screen_at_once_with_its_twin(stored, model):
    app = opened(first="False")
    assert not model.scenes and all(asked not in (NOISE, EVERYWHERE) for asked, _ in model.rows)
    assert set(shown(app)["hit"]) == {str(layer) for layer in range(LAYERS)}
    hit = shown(app)["hit"]["16"]
    assert hit["mean"][0] == 1
    assert hit["mean"][-1] == pytest.approx(scene(0.5).gain[16], rel=0.01)
    assert hit["ratio"][-1][0] is None, "the first token is spared"
    assert "With the first token damaged too" in hit["says"]
    assert len(picture(app, "answers")["answers"]) == 2
    assert shown(opened())["hit"]["16"]["mean"][-1] > 1


def test_ones_own_sentence_is_answered_for_the_layer_first_and_then_for_all(stored, model):
    app = opened(sentence=OWN, layer="7")
    asked = question(OWN, "gaussian:0.3", first=True)
    assert list(model.rows) == [(asked, 7)] and list(model.scenes) == [asked]
    assert shown(app) == {}, "nothing is made up"
    data = picture(app, "answers")
    assert json.loads(data["answers"][data["fallback"]])["layers"] == LAYERS
    model.rows[asked, 7].set_result(scene(0.8).row(7))
    app.run()
    assert list(shown(app)["hit"]) == ["7"]
    model.scenes[asked].set_result(scene(0.8))
    app.run()
    assert len(shown(app)["hit"]) == LAYERS
    assert "1.5 s" in standing(app)
    app.run()
    assert len(model.scenes) == 1


def test_another_layer_of_a_sentence_in_work_is_asked_for_too(stored, model):
    app = opened(sentence=OWN, layer="7")
    app.session_state["layer"] = 9
    app.run()
    assert [layer for _, layer in model.rows] == [7, 9]


@pytest.mark.parametrize("refuse", ["row", "scene"])
def test_a_refusal_is_said_and_nothing_breaks(stored, model, refuse):
    app = opened(sentence=OWN)
    [waiting] = getattr(model, f"{refuse}s").values()
    waiting.set_exception(UserError("the sentence has 70 tokens, the lab takes 64: shorten it"))
    app.run()
    assert app.error[0].value == "The sentence has 70 tokens, the lab takes 64: shorten it."


def test_what_was_superseded_is_asked_again(stored, model):
    app = opened(sentence=OWN)
    model.scenes.popitem()[1].cancel()
    app.run()
    assert len(model.scenes) == 1


def test_without_stored_answers_the_page_waits_for_the_model(filled_cache, model):
    app = opened()
    [writing] = pictures(app)
    assert writing.key == "talk"
    model.rows[EVERYWHERE, asking.LAYER].set_result(scene().row(asking.LAYER))
    app.run()
    assert list(shown(app)["hit"]) == [str(asking.LAYER)]


def test_a_link_carries_the_view(stored, model):
    app = opened(sentence=OWN, layer="4", token="2", only="True", perturbation="residual:wanda:0.9")
    data = picture(app, "answers")
    kind = data["kinds"][data["state"]["kind"]]
    assert list(kind["stops"])[data["state"]["size"]] == "residual:wanda:0.9"
    assert (data["state"]["layer"], data["state"]["token"], data["state"]["only"]) == (4, 2, True)
    assert list(model.scenes) == [question(OWN, "residual:wanda:0.9", token=2)]


@pytest.mark.parametrize(
    ("modules", "told"),
    [(("lab", "cells", "wave"), grid.WORDS.keys()), (("talk", "talking"), talk.WORDS.keys() - {"dense", "hurt"})],
)  # the two left out stand over the texts, by their side
def test_a_picture_has_every_word_that_it_writes_and_no_other(modules, told):
    written = b"".join(server.MODULES[f"{name}.js"] for name in modules).decode()
    assert set(re.findall(r"words\.(\w+)", written)) == told


# --- break it while it talks -----------------------------------------------------------------------------------------


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
