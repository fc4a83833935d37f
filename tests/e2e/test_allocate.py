"""In a real browser: the strength is dragged without a call to the server, and Python has it on release."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import drag, query, settle, wait_for_query

pytestmark = pytest.mark.e2e
Tab = Callable[..., Page]
WORD = "owl m=5 lam=0.08 strength={} driver=gaussian:0.3:0.7"
HEIGHTS = "bars => bars.map(bar => bar.style.height).join()"


@pytest.fixture
def spread(prunable: Callable[[str], str]) -> str:
    """The address of the page."""
    return prunable("allocate")


def slider(page: Page) -> Locator:
    """The strength slider, inside the live chart."""
    found = page.locator(".allocation input")
    expect(found).to_be_visible()
    return found


def test_dragging_redraws_without_the_server_and_release_tells_python(spread: str, tab: Tab) -> None:
    page = tab(spread)
    seen = drag(page, slider(page), 0.5, lambda: page.locator(".column .now").evaluate_all(HEIGHTS))
    assert len(set(seen)) >= 18, "the bars did not follow the finger"
    assert "allocation" not in query(page)
    page.mouse.up()
    shown = page.locator(".allocation .value").inner_text()
    expect(page.get_by_test_id("stCode")).to_contain_text(f"strength={shown} ")
    wait_for_query(page, allocation=WORD.format(shown))
    assert slider(page).input_value() == str(round(float(shown) * 1000))


def test_arrow_keys_move_the_strength_and_back_takes_it_back(spread: str, tab: Tab) -> None:
    page = tab(f"{spread}&strength=0.02")
    slider(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("stCode")).to_contain_text("strength=0.023 ")
    wait_for_query(page, allocation=WORD.format(0.023))
    expect(slider(page)).to_have_attribute("aria-valuetext", re.compile("0.023, estimate "))
    page.go_back()
    expect(page.get_by_test_id("stCode")).to_contain_text("strength=0.02 ")
    expect(slider(page)).to_have_value("20")


def test_a_layer_set_by_hand_in_the_table(spread: str, tab: Tab) -> None:
    page = tab(spread)
    section = page.get_by_test_id("stExpander").filter(has_text="Set single layers by hand")
    section.locator("summary").click()
    table = section.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.dblclick(box["x"] + box["width"] - 40, box["y"] + 52)
    page.keyboard.type("0.5", delay=120)  # the cell's editor loses what comes faster than a hand
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stCode")).to_contain_text("--base manual --target 0.7 --sparsity 0.5,")
    assert query(page)["hand"] == "0:0.5"
    settle(page)
    page.keyboard.type("0.6", delay=120)  # the next cell has the focus
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stCode")).to_contain_text("--base manual --target 0.7 --sparsity 0.5,0.6,")
    for _ in range(2):
        section.get_by_role("button", name="Undo").click()
        settle(page)
    expect(page.get_by_test_id("stCode")).to_contain_text("--allocation 'owl m=5")
