"""The product's name and mark."""

from pathlib import Path

from core.show.figures import Palette

NAME = "Absorption explorer"
ROWS = ((1, "accent"), (0.82, "absorb"), (0.6, "absorb"), (0.36, "absorb"))  # noise, and what the layers leave of it
SIDE = 32
WRITTEN = (Path(__file__).parent / "name.svg").read_text("utf-8")  # the name in outlines: no machine lacks its font


def mark(look: Palette) -> str:
    """The mark alone, as SVG: a disturbance that every layer makes smaller."""
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {SIDE} {SIDE}'>{_rows(look)}</svg>"


def name(look: Palette) -> str:
    """The mark with the name beside it."""
    return WRITTEN.replace("<path", f"{_rows(look)}<path fill='{look.ink}'")


def _rows(look: Palette) -> str:
    rows = []
    for at, (share, tone) in enumerate(ROWS):
        wide, y = 28 * share, SIDE - 8 - at * 7
        place = f"x='{(SIDE - wide) / 2:g}' y='{y}' width='{wide:g}' height='5' rx='2.5'"
        rows.append(f"<rect {place} fill='{getattr(look, tone)}'/>")
    return "".join(rows)
