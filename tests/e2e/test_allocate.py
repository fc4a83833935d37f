"""In a real browser: the strength is dragged without a call to the server, and Python has it on release."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import drag, settle, silence, still

HEIGHTS = "bars => bars.map(bar => bar.getAttribute('height')).join()"


def test_dragging_redraws_without_the_server_and_python_hears_of_the_end(invented_at, tab):
    page = tab(f"{invented_at('allocate')}&below=methods")
    slider, bars = page.locator(".figure input.strength"), page.locator(".figure [data-mark$=layers]")
    seen = drag(page, slider, 0.8, lambda: bars.evaluate_all(HEIGHTS))
    assert len(set(seen)) >= 18, "the bars did not follow the finger"
    shown = page.locator(".figure .value").inner_text()
    expect(page.get_by_test_id("stCode")).to_contain_text(f"strength={shown} ")
    expect(slider).to_have_value(str(100 + round(float(shown) * 1000)))


def test_a_bar_is_dragged_and_the_others_make_up_for_it_with_its_cost(shared, tab):
    page = tab(f"{shared[0]}/allocate")
    number, bars = page.locator(".figure .lead b"), page.locator(".figure [data-mark='layer-0 layers']")
    expect(number).to_be_visible(timeout=60_000)
    bar, before = still(bars), page.locator(".figure [data-mark$=layers]").evaluate_all(HEIGHTS)
    x, y, seen = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"], []
    page.mouse.move(x, y)
    with silence(page):
        page.mouse.down()
        for step in range(1, 21):
            page.mouse.move(x, y - 2 * step)
            seen.append(number.inner_text())
    assert len(set(seen)) >= 5, "the number did not follow the finger"
    after = page.locator(".figure [data-mark$=layers]").evaluate_all(HEIGHTS)
    assert sum(map(str.__ne__, before.split(","), after.split(","))) > 20, "the others did not make up for it"
    page.get_by_text("More: pruner").click()
    field = page.get_by_role("textbox", name="Fix a layer")
    expect(field).to_have_value(re.compile(r"^0:0\.\d+$"))
    settle(page)
    expect(number).to_have_text(seen[-1])
    page.locator(".figure svg").first.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(field).to_have_value(re.compile(r"^\d+:0\.\d+, \d+:0\.\d+$"))
