"""The product's name and mark."""

from pathlib import Path

from core.show.figures import LIGHT

NAME = "Absorption explorer"
SIDE = 32
# Noise, and what the layers leave of it.
ROWS = ((28, LIGHT.accent), (23, LIGHT.absorb), (16.8, LIGHT.absorb), (10, LIGHT.absorb))
BARS = "".join(
    f"<rect x='{(SIDE - wide) / 2:g}' y='{SIDE - 8 - at * 7}' width='{wide:g}' height='5' rx='2.5' fill='{tone}'/>"
    for at, (wide, tone) in enumerate(ROWS)
)
MARK = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {SIDE} {SIDE}'>{BARS}</svg>"  # alone
WRITTEN = (Path(__file__).parent / "name.svg").read_text("utf-8")  # the name in outlines: no machine lacks its font
LOGO = WRITTEN.replace("<path", f"{BARS}<path fill='{LIGHT.ink}'")  # the mark with the name beside it
