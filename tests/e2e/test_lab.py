"""The lab in a real browser: the wave, the finger, the keys, one's own sentence, and a link for somebody else."""

import json

import pytest
from playwright.sync_api import expect

from pages.ui.lab import question
from tests.e2e.conftest import wait_for_query

PATIENCE = 240_000  # ms for a model to be loaded on a busy machine
FRESH = "true"
WATCH = """button => {
    window.waves = 0
    const see = () => { window.waves += button.dataset.playing === "true" }
    new MutationObserver(see).observe(button, { attributeFilter: ["data-playing"] })
}"""
INTERRUPT = "button => { button.click(); requestAnimationFrame(() => requestAnimationFrame(() => button.click())) }"


def opened(tab, address):
    """The page and its picture, once that stands still."""
    page = tab(address)
    lab = page.locator(".lab")
    rested(lab)
    return page, lab


def rested(lab):
    """Wait until no wave runs and the answer is the one that was asked for."""
    expect(lab).to_have_attribute("data-fresh", FRESH)
    expect(lab.locator(".play")).to_have_attribute("data-playing", "false")


def wave(page, lab, gesture):
    """A gesture that starts a wave; who looks too late to see it running still learns that it ran."""
    lab.locator(".play").evaluate(WATCH)
    gesture()
    page.wait_for_function("window.waves > 0")


def cell(lab, layer, token):
    """Where a cell lies in the window, whose page may be enlarged; it is scrolled there."""
    lab.locator(".grid").evaluate("grid => grid.scrollIntoView({ block: 'center' })")
    box, at = lab.locator(".grid").bounding_box(), json.loads(lab.locator(".grid").get_attribute("data-shape"))
    zoom = box["width"] / at["width"]
    x, y = at["left"] + (token + 0.5) * at["across"], at["top"] + (at["layers"] - layer - 0.5) * at["row"]
    return box["x"] + zoom * x, box["y"] + zoom * y


def colour(lab, layer, token):
    """The colour in the middle of a cell."""
    x, y = cell(lab, layer, token)
    box = lab.locator(".grid").bounding_box()
    return tuple(lab.locator(".grid svg").evaluate(FILL, [x - box["x"], y - box["y"]]))


FILL = """(svg, [x, y]) => {
    const { left, top } = svg.getBoundingClientRect()
    const hit = ({ x: from, y: high, width, height }) =>
        from <= left + x && left + x <= from + width && high <= top + y && top + y <= high + height
    const cell = [...svg.querySelectorAll("g:nth-child(2) > *")].find((each) => hit(each.getBoundingClientRect()))
    return getComputedStyle(cell).fill.match(/[\\d.]+/g).map(Number).slice(0, 3)
}"""


def test_one_token_flips_the_picture_and_a_link_shows_somebody_else_the_same(demo, tab):
    page, lab = opened(tab, demo)
    page.get_by_role("button", name="Noise that fades").click()
    expect(lab.locator(".says")).to_contain_text("absorb")
    rested(lab)
    red, _, blue = colour(lab, 28, 3)
    assert blue > red, "absorbed"
    few = int(lab.get_attribute("data-flips"))
    lab.get_by_role("radio", name="With it").check()
    expect(lab.locator(".says")).to_contain_text("amplify")
    wait_for_query(page, layer="12")
    rested(lab)
    red, _, blue = colour(lab, 28, 3)
    assert red > blue, "amplified"
    assert int(lab.get_attribute("data-flips")) > few
    lab.get_by_role("slider", name="Drift at every layer").press("ArrowLeft")
    page.mouse.click(*cell(lab, 16, 2))  # which moves the layer alone
    page.mouse.move(0, 0)
    wait_for_query(page, token="12", sentence=question.COUNT)
    rested(lab)
    _, other = opened(tab, page.url)
    for part in (".says", ".after"):
        assert other.locator(part).inner_text() == lab.locator(part).inner_text()
    expect(other.get_by_role("radio", name="With it")).to_be_checked()


def test_a_click_hurts_a_layer_and_the_wave_runs_up(demo, tab):
    page, lab = opened(tab, demo)
    wave(page, lab, lambda: page.mouse.click(*cell(lab, 4, 2)))
    expect(lab).to_have_attribute("data-layer", "4")
    rested(lab)
    wait_for_query(page, layer="4")
    assert colour(lab, 2, 3) != colour(lab, 20, 3), "below the layer nothing has arrived"
    wave(page, lab, lambda: page.mouse.click(*cell(lab, 0, 2)))
    rested(lab)
    lab.get_by_role("button", name="Play").evaluate(INTERRUPT)  # between two frames, or a slow hand comes too late
    at = lab.locator(".at")
    expect(at).to_contain_text("layer 0")
    expect(lab.locator(".play")).to_have_attribute("data-playing", "false")
    stands = int(at.inner_text().split(":")[0].removeprefix("layer "))
    reached = lab.get_by_role("slider", name="The wave through the layers")
    reached.press("ArrowRight")
    expect(at).to_contain_text(f"layer {stands + 1}")
    reached.press("ArrowLeft")
    expect(at).to_contain_text(f"layer {stands}")


def test_who_wants_less_motion_sees_the_end_at_once(demo, window):
    page = window(reduced_motion="reduce", viewport={"width": 1280, "height": 800})
    page.goto(demo)
    lab = page.locator(".lab")
    rested(lab)
    page.mouse.click(*cell(lab, 4, 2))
    expect(lab).to_have_attribute("data-layer", "4")
    assert lab.locator(".play").get_attribute("data-playing") == "false"
    expect(lab.locator(".at")).to_contain_text("layer 29")


@pytest.mark.bundled
def test_a_sentence_of_ones_own_is_answered_live(demo, tab):
    """Layer first, then all of them; another size is another question, another layer is none."""
    page, lab = opened(tab, demo)
    field = page.get_by_role("textbox", name="Your sentence")
    field.fill("Every evening the lighthouse keeper wrote a letter to the sea")
    field.press("Enter")
    expect(lab).to_have_attribute("data-fresh", "false")
    expect(lab).to_have_attribute("data-fresh", FRESH, timeout=PATIENCE)
    expect(page.get_by_text("Measured live")).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(lambda url: "sentence=Every" in url)
    grid = lab.get_by_role("slider", name="Drift at every layer")
    grid.press("ArrowDown")
    expect(lab).to_have_attribute("data-fresh", FRESH)
    expect(lab).to_have_attribute("data-layer", str(question.LAYER - 1))
    said = lab.locator(".says").inner_text()
    size = lab.locator(".size")
    size.press("End")
    wait_for_query(page, perturbation="gaussian:1")
    expect(lab.locator(".says")).not_to_have_text(said, timeout=PATIENCE)
    expect(lab).to_have_attribute("data-fresh", FRESH, timeout=PATIENCE)
