"""In a real browser: the strength is dragged without a call to the server, and Python has it on release."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import synthetic
from tests.e2e.conftest import serving, settle
from tests.e2e.test_pages import query

pytestmark = pytest.mark.e2e
Tab = Callable[..., Page]
REDRAWS = """slider => {
    const root = slider.closest(".allocation")
    const times = []
    for (let i = 0; i <= Number(slider.max); i++) {
        const began = performance.now()
        slider.value = i
        slider.dispatchEvent(new Event("input"))
        root.getBoundingClientRect()
        times.push(performance.now() - began)
    }
    return times
}"""
HEIGHTS = "bars => bars.map(bar => bar.style.height).join()"


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose profile can be pruned: the address of the page."""
    root = tmp_path_factory.mktemp("spread")
    key = synthetic.save_profile(root, synthetic.profile_spec(prunable=True), 30, "deep model")
    with serving(root) as address:
        yield f"{address}/allocate?profile={key}"


def slider(page: Page) -> Locator:
    """The strength slider, inside the live chart."""
    found = page.locator(".allocation input")
    expect(found).to_be_visible()
    return found


def drag(page: Page, share: float) -> list[str]:
    """Drag the strength to a share of its way, without letting go; the bars at every step."""
    box = slider(page).bounding_box()
    y, start = box["y"] + box["height"] / 2, box["x"] + 8
    page.mouse.move(start, y)
    page.mouse.down()
    seen = []
    for step in range(1, 21):
        page.mouse.move(start + share * step / 20 * (box["width"] - 16), y)
        seen.append(page.locator(".column .now").evaluate_all(HEIGHTS))
    return seen


def test_dragging_redraws_without_the_server_and_release_tells_python(spread: str, tab: Tab) -> None:
    page = tab(spread)
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: sent.append(1)))
    page.reload()
    settle(page)
    slider(page).scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    before = len(sent)
    seen = drag(page, 0.5)
    assert len(set(seen)) >= 15, "the bars did not follow the finger"
    assert len(sent) == before, "the server was called during the drag"
    assert "strength" not in query(page)
    page.mouse.up()
    shown = page.locator(".allocation .value").inner_text()
    expect(page.get_by_test_id("stCode")).to_contain_text(f"--strength {shown}")
    assert query(page)["strength"] == shown
    assert slider(page).input_value() == str(round(float(shown) * 1000))


def test_a_redraw_in_the_browser(spread: str, tab: Tab, record_property: Callable[[str, object], None]) -> None:
    """How long a step takes; told, not judged, for machines differ."""
    times = sorted(slider(tab(spread)).evaluate(REDRAWS))
    assert len(times) == 101
    told = f"redraw: median {times[50]:.1f} ms, longest {times[-1]:.1f} ms"
    record_property("redraw", told)
    print(told)


def test_arrow_keys_move_the_strength_and_back_takes_it_back(spread: str, tab: Tab) -> None:
    page = tab(f"{spread}&strength=0.02")
    slider(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("stCode")).to_contain_text("--strength 0.023")
    assert query(page)["strength"] == "0.023"
    expect(slider(page)).to_have_attribute("aria-valuetext", re.compile("0.023, estimate "))
    page.go_back()
    expect(page.get_by_test_id("stCode")).to_contain_text("--strength 0.02 ")
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
    expect(page.get_by_test_id("stCode")).to_contain_text("--base manual --sparsity 0.5,")
    assert query(page)["hand"] == "0:0.5"
    settle(page)
    page.keyboard.type("0.6", delay=120)  # the next cell has the focus
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stCode")).to_contain_text("--base manual --sparsity 0.5,0.6,")
    for _ in range(2):
        section.get_by_role("button", name="Undo").click()
        settle(page)
    expect(page.get_by_test_id("stCode")).to_contain_text("--base owl")


def test_a_cold_link_opens_the_page_and_a_phone_needs_no_sideways_scrolling(spread: str, tab: Tab) -> None:
    page = tab(f"{spread}&strength=0.05&control=reversed", width=390)
    expect(page.locator("h1")).to_have_text("How is a budget spread over layers?")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(slider(page)).to_have_value("50")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    hosts = {urlparse(url).hostname for url in page.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
