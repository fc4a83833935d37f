"""Gains of every layer as a picture of a few hundred bytes, for a card."""

from __future__ import annotations

import numpy as np

from core.show.figures.gain import Line
from core.show.figures.style import LIGHT, Palette

WIDE, HIGH = 240, 56
TOP = 2.0  # the least gain, and its inverse, that reach the edge: a small change looks small on every card


def thumbnail(line: Line, look: Palette = LIGHT) -> str:
    """A bar per layer from 1×, coloured by verdict, upward where the rest of the network amplifies; as SVG."""
    logs = np.nan_to_num(np.log(line.value), posinf=0.0, neginf=0.0)
    edge = max(np.log(TOP), float(np.abs(logs).max()))
    step, middle = WIDE / len(logs), HIGH / 2
    colours = {"amplifies": look.amplify, "absorbs": look.absorb}
    bars = []
    for layer, (value, verdict) in enumerate(zip(logs, line.verdicts, strict=True)):
        high = abs(value) / edge * middle
        place = f"x='{layer * step:.2f}' y='{middle - max(value, 0) / edge * middle:.2f}'"
        tone = colours.get(verdict, look.undecided)
        bars.append(f"<rect {place} width='{0.8 * step:.2f}' height='{high:.2f}' fill='{tone}'/>")
    rule = f"<path d='M0 {middle}H{WIDE}' stroke='{look.guide}'/>"
    size = f"width='{WIDE}' height='{HIGH}' viewBox='0 0 {WIDE} {HIGH}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{''.join(bars)}{rule}</svg>"
