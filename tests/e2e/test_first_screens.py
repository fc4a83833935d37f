"""In a real browser, with the committed results: what Absorption and Allocate show first, and that it can be read."""

from collections.abc import Callable
from itertools import combinations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle, still

Tab = Callable[..., Page]
SCREEN = {"width": 1280, "height": 800}


AREA = """chart => {
    const { t, h } = chart._fullLayout._size, { y } = chart.getBoundingClientRect()
    return [y + t, y + t + h]
}"""


def drawn(page, key):
    """A chart, once it is there."""
    found = page.locator(f".st-key-{key} .js-plotly-plot .main-svg").first
    expect(found).to_be_visible(timeout=60_000)
    return found


def test_absorption_answers_on_its_first_screen_and_a_mouse_reads_its_layers(demo, tab):
    page = tab(f"{demo}/absorption")
    page.set_viewport_size(SCREEN)
    chart = drawn(page, "matrix")
    settle(page, quiet=1000)
    picture, slider = page.locator(".figure svg").first, page.locator(".figure input[type=range]")
    column = page.locator(".figure rect.column").first.bounding_box()
    beside = page.locator(".st-key-matrix .js-plotly-plot").evaluate(AREA)
    assert beside == pytest.approx([column["y"], column["y"] + column["height"]], abs=1.5), (
        "they share top and baseline"
    )
    first, second = (page.locator(f".st-key-{key} .js-plotly-plot") for key in ("curves", "direction"))
    expect(second.locator(".main-svg").first).to_be_visible(timeout=60_000)
    assert first.evaluate(AREA) == second.evaluate(AREA)
    for part in (page.locator("h2").first, picture, slider, chart):
        box = part.bounding_box()  # where it lies without scrolling
        assert box["y"] >= 0 and box["y"] + box["height"] <= SCREEN["height"], part
    drawn(page, "direction")  # the last one of the group
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    assert height <= 3 * SCREEN["height"]
    box, says = still(page.locator(".figure svg").first), page.locator(".figure .says")
    expect(says).to_contain_text("Layer 10")
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + box["height"] / 2)
    expect(says).not_to_contain_text("Layer 10:")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 200)
    expect(says).to_contain_text("Layer 10:")
    expect(page.locator(".figure input[type=range]")).to_have_value("10")


def test_an_icon_opens_the_numbers_of_a_chart_by_keyboard_and_saves_both(demo, tab):
    page = tab(f"{demo}/absorption")
    drawn(page, "matrix")
    settle(page)
    button = page.get_by_role("button", name="Numbers: Drift remaining after each layer")
    assert button.bounding_box()["width"] < 48, "an icon, whose name is for screen readers"
    button.press("Enter")
    body = page.get_by_test_id("stPopoverBody")
    expect(body.get_by_test_id("stDataFrame")).to_be_visible()
    for name, end in (("Download CSV", ".csv"), ("Download SVG", ".svg")):
        with page.expect_download() as saved:
            body.get_by_role("button", name=name).click()
        assert saved.value.suggested_filename.endswith(f"drift-matrix{end}")


def test_the_race_shows_every_method_beside_the_live_chart(demo, tab):
    page = tab(f"{demo}/allocate?profile=demo")  # the profile that every method can look at
    drawn(page, "finish")
    strips = page.locator(".st-key-lanes .js-plotly-plot")
    expect(strips).to_be_visible(timeout=60_000)
    methods = page.locator(".st-key-finish .textpoint")
    expect(methods).to_have_count(10)
    assert strips.locator(".barlayer .trace").count() == 10
    boxes = [each.bounding_box() for each in page.locator(".st-key-finish .textpoint text").all()]
    assert not any(_overlap(*pair) for pair in combinations(boxes, 2))
    chart, method = page.locator(".figure").first, page.locator(".st-key-base").first
    there, beside = still(chart), still(method)
    assert there["x"] + there["width"] <= beside["x"] and there["y"] < beside["y"] + beside["height"]
    page.set_viewport_size({"width": 390, "height": 2000})
    settle(page)
    there, below = still(chart), still(method)
    assert there["y"] + there["height"] <= below["y"], "the chart comes before its controls"


def _overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )


def test_a_chart_that_is_still_fetched_is_no_empty_box_and_under_a_finger_has_no_bar(demo, window):
    page, held = window(viewport=SCREEN, has_touch=True, is_mobile=True), []
    page.route("**/PlotlyChart.*.js", lambda route: held.append(route))
    page.goto(f"{demo}/absorption", wait_until="commit")
    waiting = page.locator(".st-key-matrix [data-testid=stSkeleton]")
    waiting.wait_for(timeout=60_000)
    assert "Drawing" in waiting.evaluate("box => getComputedStyle(box, '::after').content")
    assert waiting.evaluate("box => getComputedStyle(box).backgroundColor") == "rgba(0, 0, 0, 0)"
    for route in held:
        route.continue_()
    drawn(page, "matrix").tap()
    expect(page.locator(".st-key-matrix .modebar")).to_be_hidden()
