"""In a real browser, with the committed results: what Absorption and Allocate show first, and that it can be read."""

from playwright.sync_api import expect

from tests.e2e.conftest import settle


def drawn(page, key):
    """A chart, once it is there."""
    found = page.locator(f".st-key-{key} .js-plotly-plot .main-svg").first
    expect(found).to_be_visible(timeout=60_000)
    return found


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
