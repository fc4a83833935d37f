"""Learn: every chapter opens, predictions come before what was measured, links carry the view."""

import math
import re

import numpy as np
import pytest

from core.show.lessons import shared
from tests.pages.opening import CHAPTERS, given, links, live, opened_at, pictures, url

GUESSED = {f"guess-{chapter}": "0" for chapter in CHAPTERS}


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("learn", **view)


def text(app):
    """What Streamlit draws and what stands beside the live picture as it opens, without references."""
    told = [each.value for each in app.markdown]
    for picture in map(given, pictures(app)):
        told += map(shared.plain, (picture["lead"], *(opening(picture, slot) for slot in picture["notes"])))
    return "\n".join(told)


def opening(picture, slot):
    """What a note says in the frame that the picture opens with."""
    frame = 0
    for control in picture["controls"]:
        frame = frame * len(control["stops"]) + control["index"]
    return slot["table"][frame if slot["by"] == "frame" else 0]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_a_sentence_a_figure_a_task_and_a_way_on(chapter, cache):
    app = opened(profile=cache["deep"], chapter=chapter, **GUESSED)
    assert not app.info and not app.error
    figure = live(app)
    assert figure["title"] and figure["layers"] == 30 and figure["finding"] in text(app)
    assert "Try:" in text(app)
    assert links(app)[0]["profile"] == cache["deep"]
    for element, link in zip(app.main.get("page_link"), links(app), strict=True):  # stays in the address as it is
        assert url(opened_at(element.proto.page, **link)) == link, element.proto.page
    for each in (figure, live(opened(profile=cache["deep"], chapter=chapter))):  # after a guess and before it
        assert_every_frame_has_its_words_and_numbers(each)
        assert_every_number_refers_to_a_mark(each)


def assert_every_number_refers_to_a_mark(figure):
    """In the frames of every note too; the key alone, which names what is drawn, refers to nothing."""
    words = [figure["lead"], figure["says"]]
    said = shared.REFERENCE.sub("", figure["says"])
    spoken = [slot for name, slot in figure["slots"].items() if f"{{{name}}}" in said]
    words += np.concatenate([np.ravel(slot["table"]) for slot in (*spoken, *figure["notes"])] or [[]]).tolist()
    alone = [each for each in words if re.search(r"\d", shared.REFERENCE.sub("", each))]
    assert alone == [] and any(shared.REFERENCE.search(each) for each in words)


def assert_every_frame_has_its_words_and_numbers(figure):
    frames, layers = math.prod(len(each["stops"]) for each in figure["controls"]), figure["layers"]
    names = [slot for said in (figure["says"], *(said for _, said, _ in figure["key"])) for slot in slots_in(said)]
    assert figure["pick"] or figure["idle"] or "layer" not in names
    for slot in (figure["slots"][name] for name in names if name != "layer" and figure["slots"][name]["by"] != "bar"):
        assert len(slot["table"]) == (layers if slot["by"] == "layer" else frames)
        assert slot["by"] != "both" or all(len(row) == layers for row in slot["table"])
    tables = [line["values"] for line in figure["lines"]] + ([figure["bars"]["values"]] if figure["bars"] else [])
    assert tables and all(len(table) == frames for table in tables)
    assert isinstance(figure["y"], dict) or len(figure["y"]) == frames
    tones = {tone for row in (figure["bars"] or {}).get("tones") or [] for tone in row}
    tones |= {line["tone"] for line in figure["lines"]} | {key[0] for key in figure["key"]}
    assert {tone for tone in tones if tone[0] != "#"} <= set(figure["colours"])


def slots_in(said):
    """The names in braces."""
    return said.replace("}", "{").split("{")[1::2]


def test_a_profile_that_lacks_something_leads_to_one_that_does_not(cache):
    for chapter in ("amplify", "prune"):
        app = opened(profile=cache["shallow"], chapter=chapter, **GUESSED)
        assert app.info
        assert links(app)[0] == {"profile": "demo", "chapter": chapter}
    assert live(opened(profile=cache["shallow"]))["controls"][0]["stops"] == ["0.3"]
