"""In a real browser, with the committed results: what Absorption and Allocate show first, and that it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.e2e.conftest import serving, settle, still, wait_for_query

pytestmark = pytest.mark.e2e
Tab = Callable[..., Page]
SCREEN = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows the committed results alone."""
    with serving(tmp_path_factory.mktemp("nothing")) as address:
        yield address


def drawn(page: Page, key: str) -> Locator:
    """A chart, once it is there."""
    found = page.locator(f".st-key-{key} .js-plotly-plot .main-svg").first
    expect(found).to_be_visible(timeout=60_000)
    return found


def test_absorption_answers_on_its_first_screen_and_is_three_at_most(demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/absorption")
    page.set_viewport_size(SCREEN)
    chart = drawn(page, "matrix")
    settle(page, quiet=1000)
    for part in (page.locator("h2").first, page.locator(".tour svg").first, chart):
        box = part.bounding_box()  # where it lies without scrolling
        assert box["y"] >= 0 and box["y"] + box["height"] <= SCREEN["height"], part
    drawn(page, "direction")  # the last one of the group
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    assert height <= 3 * SCREEN["height"]


def test_a_mouse_over_the_picture_reads_a_layer_and_picks_none(demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/absorption")
    drawn(page, "matrix")
    settle(page)
    box, says = still(page.locator(".tour svg").first), page.locator(".tour .says")
    expect(says).to_contain_text("Layer 10")
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + box["height"] / 2)
    expect(says).not_to_contain_text("Layer 10:")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 200)
    expect(says).to_contain_text("Layer 10:")
    expect(page.locator(".tour input[type=range]")).to_have_value("10")


def test_the_race_shows_every_method_with_what_it_was_measured_to_cost(demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/allocate")
    drawn(page, "finish")
    strips = page.locator(".st-key-lanes .js-plotly-plot")
    expect(strips).to_be_visible(timeout=60_000)
    expect(page.locator(".st-key-finish .textpoint")).to_have_count(7)
    expect(page.locator(".st-key-finish .textpoint", has_text="Response")).to_contain_text("396")
    expect(page.locator(".st-key-finish .textpoint", has_text="DLP")).to_contain_text("not measured")
    assert strips.locator(".barlayer .trace").count() == 7
    boxes = [each.bounding_box() for each in page.locator(".st-key-finish .textpoint text").all()]
    assert not any(_overlap(*pair) for pair in combinations(boxes, 2))


def _overlap(one: FloatRect, other: FloatRect) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_the_chart_comes_before_its_controls(width: int, demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/allocate", width)
    drawn(page, "finish")
    chart, method = still(page.locator(".allocation").first), still(page.locator(".st-key-base").first)
    if width == 1280:
        assert chart["x"] + chart["width"] <= method["x"] and chart["y"] < method["y"] + method["height"]
    else:
        assert chart["y"] + chart["height"] <= method["y"]


def test_a_pointed_layer_of_the_live_chart_tells_its_numbers(demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/allocate")
    drawn(page, "finish")
    box = still(page.locator(".allocation .columns").first)
    page.mouse.move(box["x"] + box["width"] * 12.5 / 30, box["y"] + box["height"] / 2)
    expect(page.locator(".allocation .reading")).to_contain_text("Layer 12:")


def test_a_chart_that_is_still_fetched_is_no_empty_box(demo: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport=SCREEN)
    page, held = context.new_page(), []
    page.route("**/PlotlyChart.*.js", lambda route: held.append(route))
    page.goto(f"{demo}/absorption", wait_until="commit")
    waiting = page.locator(".st-key-matrix [data-testid=stSkeleton]")
    waiting.wait_for(timeout=60_000)
    assert "Drawing" in waiting.evaluate("box => getComputedStyle(box, '::after').content")
    assert waiting.evaluate("box => getComputedStyle(box).backgroundColor") == "rgba(0, 0, 0, 0)"
    for route in held:
        route.continue_()
    drawn(page, "matrix")
    context.close()


def test_estimates_unfold_once_they_are_asked_for(demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/allocate")
    drawn(page, "lanes")
    settle(page)
    expect(page.locator(".st-key-additive")).to_have_count(0)
    page.get_by_text("Estimates, where nothing was measured").click()
    drawn(page, "additive")
    wait_for_query(page, estimates="True")
