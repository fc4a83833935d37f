"""In a real browser: clicks, the view in the URL, and a server that was started anew."""

from contextlib import suppress

from playwright.sync_api import TimeoutError, expect

from tests.e2e.conftest import settle, still, wait_for_query


def test_a_clicked_layer_survives_another_page_and_the_back_button(invented_at, shared, tab):
    page = tab(invented_at("absorption"))
    for injection, read in ((6, 20), (12, 29)):
        click_cell(page, injection, read, layers=30)
        expect(layer(page, injection)).to_be_visible()
        wait_for_query(page, layer=str(injection))
    page.get_by_test_id("stSidebarNav").get_by_text("Learn").click()
    expect(page.locator("h1")).to_have_text("What happens when a layer is disturbed?")
    settle(page)
    wait_for_query(page, profile=shared[1])
    page.get_by_text("See every layer").click()
    expect(layer(page, 12)).to_be_visible()
    page.get_by_role("slider").press("ArrowRight")
    expect(layer(page, 13)).to_be_visible()
    settle(page)
    page.go_back()
    expect(layer(page, 12)).to_be_visible()
    page.go_forward()
    expect(layer(page, 13)).to_be_visible()


def layer(page, number):
    """The name of a layer beside its curve."""
    return page.locator(".st-key-curves text", has_text=f"layer {number}").first


def click_cell(page, injection, read, layers):
    """Click a cell of the matrix, once the hover names it: what stands above may still grow and push it down."""
    area = page.locator(".st-key-matrix .nsewdrag").first
    named = page.locator(".st-key-matrix .hovertext", has_text=f"layer {injection}, after layer {read}:")
    cells = layers + 0.2  # the axes run from -0.6 to layers - 0.4
    for _ in range(5):
        box = still(area)
        x = box["x"] + box["width"] * (read + 0.6) / cells
        y = box["y"] + box["height"] * (1 - (injection + 0.6) / cells)  # layers run up
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        with suppress(TimeoutError):
            named.wait_for(timeout=5_000)
            break
    expect(named).to_be_visible()
    page.mouse.click(x, y)
    settle(page)
