"""Learn: every chapter opens, predictions come before what was measured, links carry the view."""

import math
import re

import numpy as np
import pytest

from core.methods.depth_ramp import DepthRamp
from core.requests.allocations import AllocationRequest
from core.requests.recipes import Recipe
from core.show.lessons import absorption, budgets, damage, shared
from core.show.lessons.shared import REFERENCE
from core.show.words import gain_sentences
from pages.ui import glossary
from pages.ui.tour import CHAPTERS
from tests import synthetic
from tests.pages.learn_page import GUESSED, answer, opened, stored, text
from tests.pages.opening import links, live, opened_at, paint, url

Cache = dict[str, str]
SAID = {
    "perturb": damage.perturb,
    "drift": damage.drift,
    "amplify": absorption.amplify,
    "absorb": absorption.absorb,
    "allocate": budgets.correction,
    "prune": budgets.prune,
}


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_chapter_is_a_sentence_a_figure_a_task_and_a_way_on(chapter, cache):
    app = opened(profile=cache["deep"], chapter=chapter, **GUESSED)
    assert not app.info and not app.error
    said = SAID[chapter](stored(cache["deep"])).sentence
    figure = live(app)
    assert figure["title"] and figure["layers"] == 30 and figure["finding"] == shared.plain(said)
    assert "Try:" in text(app) and shared.plain(said) in text(app)
    assert links(app)[0]["profile"] == cache["deep"]
    for each in (figure, live(opened(profile=cache["deep"], chapter=chapter))):  # after a guess and before it
        assert_every_frame_has_its_words_and_numbers(each)
        assert_every_number_refers_to_a_mark(each)


def assert_every_number_refers_to_a_mark(figure):
    """In the frames of every note too; the key alone, which names what is drawn, refers to nothing."""
    words = [figure["lead"], figure["says"]]
    said = REFERENCE.sub("", figure["says"])
    spoken = [slot for name, slot in figure["slots"].items() if f"{{{name}}}" in said]
    words += np.concatenate([np.ravel(slot["table"]) for slot in (*spoken, *figure["notes"])] or [[]]).tolist()
    alone = [each for each in words if re.search(r"\d", REFERENCE.sub("", each))]
    assert alone == [] and any(REFERENCE.search(each) for each in words)


def assert_every_frame_has_its_words_and_numbers(figure):
    frames, layers = math.prod(len(each["stops"]) for each in figure["controls"]), figure["layers"]
    names = [slot for said in (figure["says"], *(said for _, said, _ in figure["key"])) for slot in slots_in(said)]
    assert figure["pick"] or "layer" not in names
    for slot in (figure["slots"][name] for name in names if name != "layer"):
        assert len(slot["table"]) == (layers if slot["by"] == "layer" else frames)
        assert slot["by"] != "both" or all(len(row) == layers for row in slot["table"])
    tables = [line["values"] for line in figure["lines"]] + ([figure["bars"]["values"]] if figure["bars"] else [])
    assert tables and all(len(table) == frames for table in tables)
    assert isinstance(figure["y"], dict) or len(figure["y"]) == frames
    tones = {tone for row in (figure["bars"] or {}).get("tones") or [] for tone in row}
    tones |= {line["tone"] for line in figure["lines"]} | {key[0] for key in figure["key"]}
    assert tones <= set(figure["colours"])


def slots_in(said):
    """The names in braces."""
    return said.replace("}", "{").split("{")[1::2]


def test_the_chapters_follow_one_another(cache):
    app = opened(profile=cache["deep"])
    seen = []
    while True:
        seen.append(app.session_state["chapter"])
        if app.button(key="next").disabled:
            break
        app.button(key="next").click().run()
    assert seen == list(CHAPTERS)
    app.button(key="back").click().run()
    assert app.session_state["chapter"] == "allocate" and not app.button(key="next").disabled
    assert url(app)["chapter"] == "allocate"


def test_the_sink_is_shown_after_a_prediction_only(cache):
    app = opened(profile=cache["deep"], chapter="amplify")
    found = absorption.amplify(stored(cache["deep"]))
    assert len(live(app)["bars"]["values"]) == 1 and not live(app)["controls"]
    assert shared.plain(found.sentence) not in text(app) and live(app)["finding"] == gain_sentences.finding(
        found.without
    )
    assert "by definition" in live(app)["slots"]["verdict"]["table"][0][-1]
    assert any("undecided" in text and "5 %" in text for _, text, _ in live(app)["key"])
    assert "Guess." in text(app)
    next(each for each in app.button if each.label == absorption.GUESSES["rise"]).click().run()
    assert live(app)["bars"]["values"][1] == pytest.approx(found.including.value, rel=1e-4)
    assert live(app)["controls"][0]["index"] == 1
    assert shared.plain(found.sentence) in text(app) and "Guess." not in text(app)
    assert shared.plain(absorption.answer_to_guess("rise", found)) in text(app)


def test_the_axis_of_drift_shows_the_fall(cache):
    """What the lines of all sizes span takes most of the height, and none of it is cut."""
    figure = live(opened(profile=cache["deep"], chapter="drift"))
    shown = np.array([each for frame in figure["lines"][0]["values"] for row in frame for each in row], float)
    low, high = np.nanmin(shown), np.nanmax(shown)
    assert figure["y"]["low"] <= low and high <= figure["y"]["high"]
    assert np.log(high / low) > 0.8 * np.log(figure["y"]["high"] / figure["y"]["low"])


def test_a_curve_is_labelled_in_the_unit_of_its_axis(cache):
    figure = live(opened(profile=cache["deep"], chapter="drift"))
    [line], ticks = figure["lines"], [said for _, said in figure["y"]["ticks"]]
    labels = [figure["slots"][name]["table"] for name in line["ends"] if name]
    assert labels and all(said.endswith("×") for said in ticks)
    for values, said in zip(line["values"], labels[0], strict=True):
        assert [float(each.rstrip("×")) for each in said] == pytest.approx([row[-1] for row in values], rel=0.05)
        assert all(each.endswith("×") for each in said)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_speaks_of_the_layer_that_its_slider_names(cache, chapter):
    figure = live(opened(profile=cache["deep"], chapter=chapter, layer="15"))
    assert not figure["idle"], "nothing is said of a layer that is not picked"
    if figure["pick"]:
        assert "layer [{layer}]" in figure["says"].lower() and figure["state"]["layer"] == figure["pick"]["index"] == 15


def test_the_last_lesson_names_its_target(empty_cache):
    spec = synthetic.profile_spec(8, seed=7, prunable=True)
    key = synthetic.save_profile(empty_cache, spec, 8, "a model")
    ramp = Recipe(allocation=AllocationRequest(base=DepthRamp(beta=0.002)))
    synthetic.save_study(empty_cache, synthetic.study_spec(spec, [ramp], 8), 8)
    app = opened(profile=key, chapter="prune", **GUESSED)
    assert "All layers at once, measured" in text(app) and "Depth ramp at 70 % zeros: perplexity " in text(app)


def test_a_turn_of_chapter_goes_to_the_top_and_nothing_else_does(cache):
    def scrolls(app):
        return any("scrollTo" in each.proto.body for each in app.get("html"))

    app = opened(profile=cache["deep"], chapter="drift").run()
    assert not scrolls(app)
    assert scrolls(app.button(key="next").click().run())
    assert not scrolls(answer(app, sink="rise"))
    assert scrolls(app.button(key="next").click().run())
    assert not scrolls(app.run())


def test_links_lead_to_the_same_view(cache):
    view = {"profile": cache["deep"], "layer": "17"}
    there = view | {"statistic": "geometric"}
    asked = links(opened(chapter="drift", noise="0.1", **view))[0]
    assert asked == there | {"perturbation": "gaussian:0.1", "positions": "after_first"}
    asked = links(opened(chapter="amplify", sink="stay", **view))[0]
    assert asked == there | {"perturbation": "gaussian:0.3", "positions": "all"}
    asked = links(opened(chapter="absorb", **view))[0]
    assert asked.items() >= {**view, "compare": cache["twin"]}.items()
    app = opened(chapter="prune", zeros="0.6", **view)
    assert links(app)[0] == there | {"perturbation": "residual:wanda:0.6"}
    assert links(app)[1]["allocation"] == "response objective=kl:0.6"
    assert "60 %" in app.main.get("page_link")[1].proto.label
    asked = links(opened(chapter="allocate", push="-0.06", **view))[0]
    words = "owl m=5 lam=0.08 strength=0.06 driver=gaussian:0.3 control=reversed:0.7"
    assert asked["allocation"] == words
    assert links(opened(chapter="allocate", push="-0.06", **view))[1].items() == asked.items()


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_link_stays_in_the_address_as_it_is(chapter, cache):
    """A page that wrote it anew would put another entry between the reader and the way back."""
    tour = opened(profile=cache["deep"], chapter=chapter, **GUESSED)
    for element, link in zip(tour.main.get("page_link"), links(tour), strict=True):
        assert url(opened_at(element.proto.page, **link)) == link, element.proto.page


def test_allocate_opens_as_the_tour_left_it_whatever_was_set_there(cache):
    app = opened_at("allocate", profile=cache["deep"], hand="3:0.5", clip=str(float(np.log(1.5))))
    app.query_params.update(chapter="allocate", push="0.02")
    app.switch_page("learn.py").run()
    tour = live(app)
    push = tour["state"]["push"]
    app.query_params.update(links(app)[0])
    app.switch_page("allocate.py").run()
    allocate = live(app)
    strength = allocate["state"]["strength"]
    assert allocate["bars"]["values"][strength] == pytest.approx(tour["bars"]["values"][push], abs=1e-4)
    assert allocate["controls"][0]["stops"][strength] == "0.02"


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_tab_draws_the_figure_first_and_the_whole_chapter_once_it_stands(chapter, cache):
    app = opened_at("learn", painted=False, profile=cache["deep"], chapter=chapter)
    first = live(app)
    assert first["waiting"] and not app.get("page_link")
    paint(app)
    app.run()
    assert live(app) == first and app.get("page_link"), "what is alike is not sent again"


# --- words ---------------------------------------------------------------------------------------------------------


def test_the_glossary_has_every_word_that_results_are_told_in():
    words = (
        "layer, linear, perturbation, injection layer, positions, drift, read layer, gain, absorption, "
        "dilution, verdict, noise floor, harm, response, budget, correction, mean of ratios, frozen-noise baseline, "
        "magnitude, Wanda, SparseGPT, uniform, OWL, DLP, AlphaPruning, depth ramp, strength, nats, perplexity, "
        "rank correlation"
    )
    assert set(words.split(", ")) <= set(glossary.TERMS)
    assert all(term.sentence.endswith(".") and term.formula for term in glossary.TERMS.values())


def test_every_word_of_a_chapter_is_in_the_glossary(cache):
    used = {term for chapter in CHAPTERS.values() for term in chapter.terms.split(", ")}
    assert used <= set(glossary.TERMS)
    app = opened_at("glossary")
    assert [each.value for each in app.header] == list(glossary.TERMS)
    assert [each.proto.anchor for each in app.header] == [glossary.anchor(term) for term in glossary.TERMS]
    formulas = [each for each in app.markdown if each.value.startswith(r"$\displaystyle")]
    assert len(formulas) == len(glossary.TERMS)
    assert all(f"(#{glossary.anchor(term)})" in app.markdown[0].value for term in glossary.TERMS)


def test_damage_is_also_a_part_left_out_where_a_profile_of_the_model_holds_that(committed):
    app = opened(chapter="absorb", damage="MLP left out")
    picture = live(app)
    [what] = picture["controls"]
    assert what["stops"] == ["noise", "attention left out", "MLP left out"] and what["index"] == 2
    assert "Which part absorbs?" in text(app)
    noise, _, mlp = picture["lines"][1]["values"]
    assert noise != mlp
