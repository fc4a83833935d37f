"""Colours that mean the same on every chart and live picture: all are drawn in light ones, and shown in either."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from core.methods import BASES

SIZE = 12  # px of every word in a chart
HUE = re.compile("#[0-9A-F]{6}")
TONES = 36  # steps from the palest shade of a family to the strongest
FONT = '"Source Sans", system-ui, sans-serif'


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by meaning, safe for the colour-blind: blue absorbs, red amplifies, grey is neither."""

    amplify: str
    absorb: str
    undecided: str = "#8A8F98"
    accent: str  # the highlighted layer
    ink: str  # text and the strongest lines
    soft: str  # text of axes
    grid: str
    page: str  # what all lies on
    faint: str  # what stands behind
    family: tuple[str, str]  # ends of the shades that order lines of one family, such as sizes of noise
    guide: str = "#8A8F98"  # lines that mark a value
    diverging: tuple[tuple[float, str], ...]  # absorb - neutral - amplify
    hidden: str  # cells that say nothing


LIGHT = Palette(
    amplify="#C8321E",
    absorb="#0072B2",
    accent="#A63D7D",
    ink="#31333F",
    soft="#565B66",
    grid="#E3E5E9",
    page="#FFFFFF",
    faint="#C3C7CE",
    family=("#8CC7B5", "#0B5D4B"),
    diverging=((0, "#00507D"), (0.25, "#4A9BCB"), (0.5, "#E9E9E9"), (0.75, "#E8836B"), (1, "#A62017")),
    hidden="#BFC3C9",
)
DARK = Palette(
    amplify="#F2674A",
    absorb="#4BA3DA",
    accent="#E78BC4",
    ink="#FAFAFA",
    soft="#B4B8C0",
    grid="#2B2F38",
    page="#0E1117",
    faint="#4A4F5A",
    family=("#3E7F70", "#A6E5D2"),
    diverging=((0, "#7CC6F2"), (0.25, "#2F7DB0"), (0.5, "#5A5D64"), (0.75, "#B8462F"), (1, "#FF8E73")),
    hidden="#23262E",
)


def colour(kind: str | None) -> str:
    """The colour of a base allocator's line, the same in every chart; ink where it has none of its own."""
    pair = BASES[kind].colours if kind in BASES else None
    return pair[0] if pair else LIGHT.ink


def shades(count: int) -> list[str]:
    """Colours for lines of one family, pale to strong: they order it and mean nothing else."""
    return [_tones(LIGHT)[round(place)] for place in np.linspace(0, TONES, count)]


def _tones(look: Palette) -> list[str]:
    return [mixed(*look.family, step / TONES) for step in range(TONES + 1)]


def verdict_colour(verdict: str | None) -> str:
    """Red where it amplifies, blue where it absorbs, grey else."""
    return {"amplifies": LIGHT.amplify, "absorbs": LIGHT.absorb}.get(verdict or "", LIGHT.undecided)


def see_through(colour: str, opacity: float) -> str:
    """`#rrggbb` as `#rrggbbaa`."""
    return f"{colour}{round(255 * opacity):02X}"


def readable(colour: str, look: Palette = LIGHT) -> str:
    """A colour for words: mixed with ink until it stands out from the page by 4.5 : 1, as WCAG asks for."""
    return next(tone for share in range(11) if contrast(tone := mixed(colour, look.ink, share / 10), look.page) > 4.5)


def mixed(one: str, other: str, share: float) -> str:
    """A share of the way from one colour to another."""
    start, end = _channels(one), _channels(other)
    return "#{:02X}{:02X}{:02X}".format(*np.rint(start + (end - start) * share).astype(int))


def _channels(colour: str) -> np.ndarray:
    """`#rrggbb` as three numbers up to 255."""
    return np.array([*bytes.fromhex(colour[1:])])


def contrast(*colours: str) -> float:
    """Ratio of the luminances of two colours, from 1 to 21, as WCAG 2 counts it."""
    linear = [(_channels(each) / 255 + 0.055) ** 2.4 / 1.055**2.4 for each in colours]
    dark, light = sorted(np.dot(linear, (0.2126, 0.7152, 0.0722)) + 0.05)
    return light / dark


def in_palette(drawn: str, look: Palette) -> str:
    """A picture as text, drawn in the light palette, in the colours of the same meaning of another."""
    return drawn if look is LIGHT else HUE.sub(lambda hue: _dark().get(hue[0], hue[0]), drawn)


@cache
def _dark() -> dict[str, str]:
    """Every colour of lines and of words in the light palette -> its like in the dark one."""
    looks = LIGHT, DARK
    pairs = [*zip(*([*HUE.findall(repr(look)), *_tones(look)] for look in looks), strict=True)]
    pairs += [form.colours for form in BASES.values() if form.colours]
    return {readable(light): readable(dark, DARK) for light, dark in pairs} | dict(pairs)
