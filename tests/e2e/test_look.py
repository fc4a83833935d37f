"""What every page looks like with the committed results: light, dark and narrow, for eyes and for screen readers.

Screenshots go to test-artefacts/, which is not part of the repository.
"""

from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import ROOT, hosts, serving, settle

ARTEFACTS = ROOT / "test-artefacts"
PAGES = ("", "learn", "model", "compress", "evidence")
VIEWS = (
    *(f"compress?part={part}" for part in ("tune", "results")),
    *(f"model?see={part}" for part in ("measure", "compare", "results")),
    "model?see=results&show=evaluations",
    "reference",
)
CHAPTERS = (
    "perturb", "amplify&guess-amplify=1", "allocate"
)  # fmt: skip
UNLIT = """tour => {
    const shown = (choice) => [...tour.querySelectorAll(choice)].filter((each) => each.getClientRects().length)
    const point = ([clientX, clientY]) => tour.getRootNode().elementFromPoint(clientX, clientY)?.dispatchEvent(
        new PointerEvent("pointermove", { clientX, clientY, bubbles: true, pointerType: "mouse" }))
    const middle = ({ x, y, width, height }) => [[x + width / 2, y + height / 2]]
    const along = (line) => [0, 0.25, 0.5, 0.75, 1].map((share) => {
        const { x, y } = line.getPointAtLength(share * line.getTotalLength()).matrixTransform(line.getScreenCTM())
        return [x, y]
    })
    const spots = (each) => each.matches("path, line") ? along(each) : middle(each.getBoundingClientRect())
    return shown(".ref").map((each) => each.dataset.mark).filter((marks) => {
        tour.querySelector("svg").dispatchEvent(new PointerEvent("pointerleave"))
        const shares = (each) => each.dataset.mark.split(" ").some((mark) => marks.split(" ").includes(mark))
        point(middle(shown(`.ref[data-mark="${marks}"]`)[0].getClientRects()[0])[0])
        const lights = shown("[data-mark].lit:not(.ref)").some(shares)
        const places = shown("[data-mark]:not(.ref)").filter(shares).flatMap(spots)
        return !(lights && places.some((spot) => (point(spot), shown(".ref.lit").some(shares))))
    })
}"""


def complaints(page):
    """What a screen reader's user would stumble over, in words: axe's serious and critical violations."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['impact']}: {each['id']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def seen(page, name, width):
    """Draw the whole page in a window as high as itself, keep what it looks like, and read it as a screen reader."""
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.get_by_text("is loading")).to_have_count(0, timeout=240_000)  # the lab asks for its model meanwhile
    settle(page, quiet=100)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height + 40, 8000)})
    settle(page)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name.translate(str.maketrans('?=&', '---'))}.png")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert page.locator("[role=radiogroup]:not(:has([aria-checked=true]))").count() == 0, "a choice shows none"
    assert complaints(page) == []


def test_a_page_may_be_the_first_request_ever(tab, tmp_path):
    with serving(tmp_path) as address:
        page = tab(f"{address}/measure")
        expect(page.locator("h1")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert urlparse(page.url).path == "/model"
        assert page.title() == "Model · Absorption explorer"
        expect(page.get_by_test_id("stSidebarLogo")).to_be_visible()
        expect(page.get_by_test_id("stSidebarNav").get_by_test_id("stIconMaterial")).to_have_count(len(PAGES))


@pytest.mark.parametrize("name", [*PAGES, *VIEWS])
def test_a_page_stands_light_and_wide_and_dark_and_narrow(name, demo, tab):
    page = tab(f"{demo}/{name}", 1280)
    seen(page, f"{name or 'play'}-light", 1280)
    page.emulate_media(color_scheme="dark")
    seen(page, f"{name or 'play'}-narrow", 390)
    assert hosts(page) == {"127.0.0.1"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_on_a_laptop_and_on_a_phone(chapter, demo, tab):
    page = tab(f"{demo}/learn?chapter={chapter}", 1280, "dark")
    seen(page, f"learn?chapter={chapter}-dark", 1280)
    assert_one_screen(page)
    assert_numbers_light_marks(page)


def assert_one_screen(page):
    """Nothing of a chapter lies below the screen of a laptop."""
    page.set_viewport_size({"width": 1280, "height": 800})
    settle(page)
    for part in (page.locator("h1"), page.locator(".figure"), page.get_by_test_id("stPageLink").last):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800, part


def assert_numbers_light_marks(page):
    """Every word that refers to the picture lights its mark there while pointed at, and the mark lights the word."""
    tour, lit = page.locator(".figure"), page.locator(".figure .lit:not(.ref)")
    expect(tour.locator(".ref").first).to_be_visible()
    assert tour.evaluate(UNLIT) == []
    expect(tour.locator(".says")).to_have_attribute("aria-live", "polite")
    words = tour.locator(".says .ref, .question .ref")
    if words.count():
        words.first.hover()
        expect(lit.first).to_be_attached()
        page.mouse.move(2, 2)
        expect(lit).to_have_count(0)
