"""In a real browser: cold deep links, clicks, the view in the URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import READY, free_port, serving, settle, still, wait_for_query

pytestmark = pytest.mark.e2e
PAGES = ("lab", "learn", "measure", "absorption", "allocate", "prune", "runs", "help", "glossary")
CHARTED = ("", "lab", "learn", "absorption", "allocate", "prune")
FIRST_CHART = "() => performance.getEntriesByName('picture')[0]?.startTime"  # ms since the navigation began
Cache = tuple[Path, dict[str, str]]
Tab = Callable[..., Page]


@pytest.mark.parametrize("name", [*PAGES, ""])
def test_a_deep_link_as_the_first_request_ever(
    name: str, cold_server: str, tab: Tab, record_property: Callable[[str, object], None]
) -> None:
    """The page opens; how long its first chart took on a cold and on a warm server is told, for machines differ."""
    seconds = []
    for state in ("cold", "warm") if name in CHARTED else ("cold",):
        page = tab(f"{cold_server}/{name}")
        if name in CHARTED:
            seconds.append(page.wait_for_function(FIRST_CHART).json_value() / 1000)
        if name in CHARTED and state == "cold":
            settle(page, quiet=2000)  # whatever the page still draws must not slow the next one down
            page.context.close()
    if seconds:
        record_property("first_chart_seconds", [round(each, 2) for each in seconds])
        print(f"/{name}: first chart {seconds[0]:.2f} s cold, {seconds[1]:.2f} s warm")
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert urlparse(page.url).path == f"/{name}"


def test_a_clicked_cell_highlights_its_layer(server: str, tab: Tab, invented: Cache) -> None:
    page = tab(f"{server}/absorption?profile={invented[1]['deep']}")
    click_cell(page, injection=6, read=20, layers=30)
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 6")).to_be_visible()
    wait_for_query(page, layer="6")
    click_cell(page, injection=12, read=29, layers=30)
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 12")).to_be_visible()


def click_cell(page: Page, injection: int, read: int, layers: int) -> None:
    """Click a cell of the matrix: move there first, for a click follows the hover."""
    area = page.locator(".st-key-matrix .nsewdrag").first
    box = still(area)
    cells = layers + 0.2  # the axes run from -0.6 to layers - 0.4
    x, y = box["x"] + box["width"] * (read + 0.6) / cells, box["y"] + box["height"] * (injection + 0.6) / cells
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    expect(page.locator(".st-key-matrix .hoverlayer .hovertext").first).to_be_visible()
    page.mouse.click(x, y)
    settle(page)


def test_the_view_survives_another_page_and_the_back_button(server: str, tab: Tab, invented: Cache) -> None:
    page = tab(f"{server}/absorption?profile={invented[1]['deep']}&layer=4")
    page.get_by_test_id("stSidebarNav").get_by_text("Learn").click()
    expect(page.locator("h1")).to_have_text("What is absorption?")
    settle(page)
    wait_for_query(page, profile=invented[1]["deep"])
    page.get_by_text("See every layer").click()
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 4")).to_be_visible()
    page.get_by_role("slider").press("ArrowRight")
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 5")).to_be_visible()
    settle(page)
    page.go_back()
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 4")).to_be_visible()
    page.go_forward()
    expect(page.locator(".st-key-curves .textpoint", has_text="layer 5")).to_be_visible()


@pytest.mark.parametrize("name", ["absorption", "allocate"])
def test_a_page_is_whole_again_after_the_server_was_started_anew(name: str, tab: Tab, tmp_path: Path) -> None:
    port, charts = free_port(), ".js-plotly-plot .main-svg"
    with serving(tmp_path, port) as address:
        page = tab(f"{address}/{name}")
        expect(page.locator(charts).first).to_be_visible()
    with serving(tmp_path, port):
        page.wait_for_selector(READY)
        page.get_by_role("slider").last.press("ArrowRight")
        settle(page, quiet=1500)
        expect(page.locator(charts).first).to_be_visible()
