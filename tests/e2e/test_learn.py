"""In a real browser: the tour's figures follow mouse and keyboard without a call to the server."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import wait_for_query


@pytest.fixture
def lesson(invented_at):
    """The address of the page."""
    return invented_at("learn")


def says(page):
    return page.locator(".figure .says")


def sliders(page):
    found = page.locator(".figure input[type=range]")
    expect(found.first).to_be_visible()
    return found


def place(page, layer, layers=30):
    """The middle of a layer's column in the picture."""
    box = page.locator(".figure svg").bounding_box()
    return box["x"] + 56 + (layer + 0.5) / layers * (box["width"] - 70), box["y"] + 120


def test_a_pointed_layer_lights_its_words_a_click_hits_it_and_dragging_goes_on(lesson, tab):
    page = tab(f"{lesson}&chapter=perturb&layer=4")
    lit = page.locator(".figure .ref.lit")
    expect(lit).to_have_count(0)
    page.mouse.move(*place(page, 12))
    expect(lit.filter(has_text=re.compile("^12$"))).to_be_visible()
    expect(page.locator(".figure rect.column.lit")).to_have_attribute("data-mark", "layer-12")
    sliders(page).last.focus()
    expect(lit.first).to_have_attribute("data-mark", "control-noise")
    page.mouse.click(*place(page, 21))
    expect(says(page)).to_contain_text("after layer 21")
    page.mouse.move(*place(page, 3))
    page.mouse.down()
    page.mouse.move(*place(page, 8), steps=4)
    expect(says(page)).to_contain_text("after layer 8")
    page.mouse.up()
    wait_for_query(page, layer="8")
    page.get_by_text("See every layer").click()
    expect(page.locator(".st-key-curves text", has_text="layer 8").first).to_be_visible()


def test_the_keyboard_reaches_every_control(lesson, tab):
    page = tab(f"{lesson}&chapter=amplify&sink=stay&layer=4")
    sliders(page).first.focus()
    page.keyboard.press("ArrowRight")
    expect(says(page)).to_contain_text("after layer 5")
    expect(page.locator(".figure svg")).to_have_attribute(
        "aria-label", re.compile(f"^Gain of each layer. .*{said(page)}$")
    )
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(says(page)).to_contain_text("first token spared")
    wait_for_query(page, **{"noise-at": "after_first"})


def said(page):
    return re.escape(says(page).inner_text())
