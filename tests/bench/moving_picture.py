"""Remake the README's moving picture of the lab: `python -m tests.bench.moving_picture`. Needs Chromium."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import QUIET, READY, serving

WHERE = Path(__file__).parents[2] / ".github" / "lab.gif"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PART = {"x": 372, "y": 100, "width": 836, "height": 690}  # of the page: heading, sentence, grid, words, controls
STEP, REST = 160, 2200  # ms that a layer, and the last picture, stay
ENTERS, TOP = 16, 29  # the layer where the page lets the noise enter, and the last


def main() -> None:
    """Play the opening sentence's wave, without and with noise on the first token, and write the frames."""
    with tempfile.TemporaryDirectory() as cache, serving(Path(cache)) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}/lab")
        page.wait_for_selector(READY)
        page.get_by_role("button", name="Play the wave").wait_for()
        frames = _wave(page)
        page.get_by_role("switch").check()
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(1500)
        frames += _wave(page)
        browser.close()
    lasts = [STEP] * len(frames)
    lasts[len(frames) // 2 - 1] = lasts[-1] = REST
    both = Image.new("RGB", (PART["width"], 2 * PART["height"]))
    both.paste(frames[len(frames) // 2 - 1], (0, 0))
    both.paste(frames[-1], (0, PART["height"]))
    colours = both.quantize(200)  # one palette for all, or the legend would change from frame to frame
    first, *others = (each.quantize(palette=colours, dither=Image.Dither.NONE) for each in frames)
    first.save(WHERE, save_all=True, append_images=others, duration=lasts, loop=0, optimize=True)


def _wave(page: Page) -> list[Image.Image]:
    """A frame for every layer from the one where the noise enters up to the last."""
    back, on = (page.get_by_role("button", name=f"One layer {way}") for way in ("back", "on"))
    for _ in range(TOP - ENTERS):
        back.click()
    frames = [_frame(page)]
    for _ in range(TOP - ENTERS):
        on.click()
        frames.append(_frame(page))
    return frames


def _frame(page: Page) -> Image.Image:
    page.wait_for_timeout(120)
    return Image.open(io.BytesIO(page.screenshot(clip=PART))).convert("RGB")


if __name__ == "__main__":
    main()
