"""What every page looks like with the committed demo: light, dark and narrow, for eyes and for screen readers.

Screenshots go to test-artefacts/, which is not part of the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ROOT, hosts, serving, settle
from tests.e2e.test_pages import PAGES

pytestmark = pytest.mark.e2e
Tab = Callable[..., Page]
ARTEFACTS = ROOT / "test-artefacts"
VIEWS = (
    *(f"learn?chapter={chapter}" for chapter in ("drift", "amplify&sink=stay", "absorb", "allocate", "prune&worst=2")),
    *(f"prune?part={part}" for part in ("evaluate&evaluate=family", "best", "writing", "export")),
    *(f"runs?show={part}" for part in ("evaluations", "overlay", "import")),
    "allocate?unclipped=True&strength=0.05&control=reversed",
)

CHAPTERS = (
    "perturb",
    "drift",
    "amplify",
    "amplify&sink=stay",
    "absorb",
    "allocate",
    "prune",
    "prune&worst=2",
    "summary",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows the committed results alone."""
    with serving(tmp_path_factory.mktemp("nothing")) as address:
        yield address


def complaints(page: Page) -> list[str]:
    """What a screen reader's user would stumble over, in words: axe's serious and critical violations."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['impact']}: {each['id']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def whole(page: Page) -> None:
    """Wait until everything is drawn, and make the window as high as the page."""
    settle(page, quiet=1500)  # a tab's first run draws the top; the rest follows
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(height + 40, 8000)})
    settle(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_in_light_dark_and_narrow(name: str, demo: str, tab: Tab) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page = tab(f"{demo}/{name}", 1280, scheme)
        whole(page)
        page.screenshot(path=ARTEFACTS / f"{name}-{scheme}.png")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.locator("[role=radiogroup]:not(:has([aria-checked=true]))").count() == 0, "a choice shows none"
        assert complaints(page) == []
    narrow(page, name)
    assert hosts(page) == {"127.0.0.1"}


@pytest.mark.parametrize("chapter", CHAPTERS[:-1])
def test_a_chapter_is_one_screen_of_a_laptop(chapter: str, demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/learn?chapter={chapter}", 1280)
    page.set_viewport_size({"width": 1280, "height": 800})
    settle(page)
    for part in (page.locator("h1"), page.locator(".tour"), page.get_by_test_id("stPageLink").last):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800, part


OUTSIDE = """() => {
    const main = document.querySelector("[data-testid=stMain]")
    const tour = document.querySelector("[data-testid=stMainBlockContainer]").getBoundingClientRect()
    return [main.scrollHeight - main.clientHeight, main.scrollWidth - main.clientWidth, Math.max(0, tour.bottom - 720)]
}"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_before_a_room_a_chapter_fits_into_a_small_screen(chapter: str, demo: str, tab: Tab) -> None:
    page = tab(f"{demo}/learn?present=on&chapter={chapter}", 1280, "dark")
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.locator(".tour svg, .st-key-again-prune").first).to_be_visible()
    settle(page)
    assert page.evaluate(OUTSIDE) == [0, 0, 0]
    assert complaints(page) == []


def narrow(page: Page, name: str) -> None:
    """The same page on a phone."""
    page.set_viewport_size({"width": 390, "height": 900})
    whole(page)
    page.screenshot(path=ARTEFACTS / f"{name}-narrow.png")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


@pytest.mark.parametrize("view", VIEWS)
def test_every_part_of_a_page_in_the_dark_and_narrow(view: str, demo: str, tab: Tab) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    name = view.translate(str.maketrans("?=&", "---"))
    page = tab(f"{demo}/{view}", 1280, "dark")
    whole(page)
    page.screenshot(path=ARTEFACTS / f"{name}-dark.png")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert complaints(page) == []
    narrow(page, name)
