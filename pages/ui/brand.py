"""The product's name and mark."""

from __future__ import annotations

from core.figures import Palette

NAME = "Absorption explorer"
ROWS = ((1, "accent"), (0.82, "absorb"), (0.6, "absorb"), (0.36, "absorb"))  # noise, and what the layers leave of it
SIDE = 32


def mark(look: Palette) -> str:
    """The mark alone, as SVG: a disturbance that every layer makes smaller."""
    return _svg(SIDE, _rows(look))


def name(look: Palette) -> str:
    """The mark with the name beside it."""
    font = "font-family=\"'Source Sans 3', 'Source Sans Pro', system-ui, sans-serif\" font-size='20' font-weight='700' textLength='184'"
    return _svg(228, f"{_rows(look)}<text x='42' y='23' {font} fill='{look.ink}'>{NAME}</text>")


def _rows(look: Palette) -> str:
    rows = []
    for at, (share, tone) in enumerate(ROWS):
        wide, y = 28 * share, SIDE - 8 - at * 7
        rows.append(f"<rect x='{SIDE / 2 - wide / 2:g}' y='{y}' width='{wide:g}' height='5' rx='2.5' fill='{getattr(look, tone)}'/>")
    return "".join(rows)


def _svg(wide: int, inside: str) -> str:
    return f"<svg xmlns='http://www.w3.org/2000/svg' width='{wide}' height='{SIDE}' viewBox='0 0 {wide} {SIDE}'>{inside}</svg>"
