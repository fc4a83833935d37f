"""Lab: stored answers at once, one's own sentence as it is answered, and a link that carries all of it."""

import json
import re

import pytest

from core.base.errors import UserError
from core.requests.lab import question
from pages.ui import live, server, url_state
from pages.ui.lab import question as asking
from pages.ui.lab import talk
from pages.ui.lab.question import OPENING
from pages.ui.live import grid
from pages.ui.live.grid import Answered
from tests.bench.lab import keep_scene, keep_words
from tests.fake_warm import LAYERS, lens, scene
from tests.pages.opening import links, opened_at, pictures

OWN = "A red door"
NOISE, EVERYWHERE = question(OPENING, "gaussian:0.3"), question(OPENING, "gaussian:0.3", first=True)


@pytest.fixture
def stored(filled_cache, model):
    """Two committed scenes of the opening sentence."""
    keep_scene("0", NOISE, scene(0.5, flips=2))
    keep_scene("1", EVERYWHERE, scene(2.0, flips=4))


def opened(**view):
    """The page with a view in its URL."""
    app = opened_at("lab", **view)
    return app


def given(app, part):
    """What a live part of the page was given."""
    found = [json.loads(each.proto.json) for each in pictures(app)]
    return next(each for each in found if part in each)


def standing(app):
    """The line that says how far the answer is."""
    return next(each.value for each in app.caption if each.value.startswith(":material"))


def shown(app):
    """The answer to the question as the browser looks for it."""
    data = given(app, "answers")
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
    assert len(given(app, "answers")["answers"]) == 2
    assert shown(opened())["hit"]["16"]["mean"][-1] > 1


def test_ones_own_sentence_is_answered_for_the_layer_first_and_then_for_all(stored, model):
    app = opened(sentence=OWN, layer="7")
    asked = question(OWN, "gaussian:0.3", first=True)
    assert list(model.rows) == [(asked, 7)] and list(model.scenes) == [asked]
    assert shown(app) == {}, "nothing is made up"
    data = given(app, "answers")
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


def test_the_layer_in_view_follows_its_size_one_asked_after_the_other(stored, model):
    app = opened()
    sizes = [asked.perturbation.size for asked, _ in model.rows]
    assert sizes == [0.2], "the next one"
    for (asked, layer), waiting in [*model.rows.items()]:
        waiting.set_result(scene(1 + asked.perturbation.size).row(layer))
    app.run().run()
    data = given(app, "answers")
    assert f"{OPENING}|gaussian:0.2|all" in data["answers"]
    assert [asked.perturbation.size for asked, _ in model.rows] == [0.2, 0.5]
    [*model.rows.values()][1].set_exception(UserError("the numbers overflow"))
    assert not app.run().error and len(model.rows) == 3, "a size that cannot be shown is passed over"
    model.standing = "cold"
    assert not opened(layer="3").exception and len(model.rows) == 3


def test_an_example_brings_its_sentence_and_its_damage(stored, model):
    app = opened()
    labels = [each.label for each in app.button]
    assert labels[: len(asking.EXAMPLES)] == list(asking.EXAMPLES)
    for at, asked in enumerate(asking.EXAMPLES.values()):
        app.button[at].click().run()
        data = given(app, "answers")
        assert app.text_input[0].value == data["sentence"] == asked.sentence
        assert data["state"] == {name: int(value) for name, value in asked.state._asdict().items()}


def test_what_waits_says_why(stored, model):
    model.waiting = 3
    assert "3 questions" in standing(opened(sentence=OWN))
    model.standing = "loading"
    assert "loading, 2 s so far; it took 9 s last time" in standing(opened(sentence=OWN))
    model.before = None
    assert "loading, 2 s so far; usually" in standing(opened())


def test_words_are_asked_for_once_they_are_wanted_and_for_the_layer_in_view(stored, model):
    app = opened(layer="7")
    assert given(app, "lenses")["lenses"] == {} and not model.lenses
    asked = NOISE if given(app, "lenses")["state"]["first"] == 0 else EVERYWHERE
    app = opened(layer="7", words="True")
    assert list(model.lenses) == [(asked, 7)] and given(app, "lenses")["lenses"] == {}, "the scene is committed"
    model.lenses[asked, 7].set_result(lens(7))
    app.run()
    [(name, text)] = given(app, "lenses")["lenses"].items()
    assert name in given(app, "answers")["answers"]
    read = json.loads(text)
    assert [row[0] for row in read["dense"]] == [[["early", 0.5]]] * 20 + [[["dense", 0.5]]] * 10
    assert list(read["hurt"]) == ["7"] and read["hurt"]["7"][-1][0] == [["hurt", 0.5]]
    app.session_state["layer"] = 9
    app.run()
    assert [layer for _, layer in model.lenses] == [7, 9]
    model.lenses[asked, 9].set_exception(UserError("the numbers overflow with gaussian:0.3: choose a smaller size"))
    app.run()
    assert "overflow" in app.error[0].value


def test_committed_words_are_there_at_once_for_every_layer(stored, model):
    hurt = {layer: lens(layer).hurt[layer] for layer in range(LAYERS)}
    keep_words("0", NOISE, lens(0).model_copy(update={"hurt": hurt}))
    app = opened(words="True", first="False")
    assert not model.lenses and given(app, "lenses")["state"]["words"] == 1
    [text] = given(app, "lenses")["lenses"].values()
    assert list(json.loads(text)["hurt"]) == [str(layer) for layer in range(LAYERS)]


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
    assert app.title and not pictures(app)
    model.rows[EVERYWHERE, asking.LAYER].set_result(scene().row(asking.LAYER))
    app.run()
    assert list(shown(app)["hit"]) == [str(asking.LAYER)]


def test_a_link_carries_the_view(stored, model):
    app = opened(sentence=OWN, layer="4", token="2", only="True", perturbation="residual:wanda:0.9")
    data = given(app, "answers")
    kind = data["kinds"][data["state"]["kind"]]
    assert list(kind["stops"])[data["state"]["size"]] == "residual:wanda:0.9"
    assert (data["state"]["layer"], data["state"]["token"], data["state"]["only"]) == (4, 2, True)
    assert list(model.scenes) == [question(OWN, "residual:wanda:0.9", token=2)]


@pytest.mark.parametrize(("key", "wrong"), [("layer", "30"), ("token", "64"), ("perturbation", "gaussian:7")])
def test_a_link_that_asks_for_what_is_not_there_says_so(stored, key, wrong):
    app = opened(**{key: wrong})
    assert wrong in app.warning[0].value
    assert shown(app)


def test_what_the_browser_tells_is_kept_and_nonsense_is_not(stored, monkeypatch):
    told = []
    held = {"layer": 3, "token": 1, "kind": 0, "size": 2, "first": 1, "only": 0, "words": 1}
    events = {}
    monkeypatch.setattr(grid, "COMPONENT", lambda **given: events.update(given))
    known = {"example": Answered(scene(), {}, {})}
    monkeypatch.setattr(live.st, "session_state", {"view": url_state.View({}, {}, {})})
    grid.draw("", grid.State(0, 0, 0, 0, False, False), asking.KINDS, known, {}, "example", told.append, None)

    def tell(moved):
        monkeypatch.setattr(live.st, "session_state", {grid.KEY: type("Told", (), {"moved": moved})})
        events["on_moved_change"]()

    tell(held)
    assert told == [grid.State(3, 1, 0, 2, True, False, True)]
    for wrong in ({"size": 99}, {"kind": 1, "size": 7}, {"kind": 3}, {"kind": -1}, {"layer": "3"}, {"first": True}):
        tell(held | wrong)
    for wrong in (held | {"more": 1}, None, {}, {"layer": 3}):
        tell(wrong)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        ({"layer": "9", "first": "True"}, {"layer": "9", "perturbation": "gaussian:0.3"}),
        ({"perturbation": "gaussian:0.7"}, {"layer": "16"}),
        ({"perturbation": "skip"}, {"layer": "16", "perturbation": "skip"}),
    ],
)
def test_the_way_to_the_same_layer_on_absorption(model, view, wanted):
    """With the committed demo, where some sizes were measured."""
    [asked] = [each for each in links(opened(**view)) if "layer" in each]
    assert {key: value for key, value in asked.items() if key != "profile"} == wanted


def test_the_numbers_of_the_layer_in_view_are_a_table(stored):
    app = opened(layer="27")
    table = app.dataframe[0].value
    assert table["after layer"].tolist() == [29, 28, 27]
    assert table["2 old"].iloc[-1] == 0.3


@pytest.mark.parametrize(
    ("modules", "told"),
    [(("lab", "cells", "wave"), grid.WORDS.keys()), (("talk", "talking"), talk.WORDS.keys() - {"dense", "hurt"})],
)  # the two left out stand over the texts, by their side
def test_a_picture_has_every_word_that_it_writes_and_no_other(modules, told):
    written = b"".join(server.MODULES[f"{name}.js"] for name in modules).decode()
    assert set(re.findall(r"words\.(\w+)", written)) == told
