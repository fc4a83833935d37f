"""One grammar for charts and live pictures: words that can be read, and the same room around plots."""

import math
import re
import tomllib
from itertools import product
from pathlib import Path

import pytest

from core.base import UserError
from core.show.figures import (
    BOTTOM,
    CHARTS,
    DARK,
    HUE,
    LIGHT,
    TOP,
    InView,
    contrast,
    in_palette,
    mixed,
    readable,
    see_through,
    shades,
    themed,
)
from core.store import Store, profiles

ROOT = Path(__file__).parents[4]
LIVE = ROOT / "pages/ui/live"
LEAST = 4.5  # WCAG 2, AA
THEMES = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))["theme"]
TEXT = ("soft", "font", "size", "scale", "st-font", "st-text-color", "st-primary-color", "st-background-color")
LOOKS = pytest.mark.parametrize(("look", "theme"), [(LIGHT, THEMES["light"]), (DARK, THEMES["dark"])])


def fonts(part):
    """Every colour that text is set in."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name.endswith("font") and "color" in value:
                yield from [value["color"]] if isinstance(value["color"], str) else value["color"]
            elif name == "text" and isinstance(value, str):
                yield from re.findall(r"color:(#\w+)", value)
            yield from fonts(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from fonts(each)


@LOOKS
def test_every_word_of_a_chart_can_be_read(look, theme):
    store, drawn = Store(), 0
    profile = profiles.load(store, store.demo())
    for row in CHARTS:
        try:
            chart = row.draw(InView(profile, "gaussian:0.3", 10))
        except UserError:
            continue
        drawn += 1
        shown = themed(chart, look)
        colours = {*fonts(shown.to_plotly_json()), *fonts(shown.layout.template.layout.to_plotly_json())}
        assert colours, row.key
        assert {each: contrast(each, look.page) for each in colours if contrast(each, look.page) < LEAST} == {}, row.key
    assert drawn >= 7


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_what_is_drawn_in_light_colours_is_shown_in_dark_ones_by_meaning(count):
    light, dark = (HUE.findall(repr(look)) for look in (LIGHT, DARK))
    assert HUE.findall(in_palette(" ".join(light), DARK)) == dark
    assert in_palette(see_through(LIGHT.accent, 0.2), DARK) == see_through(DARK.accent, 0.2)
    tones = HUE.findall(in_palette(" ".join(shades(count)), DARK))
    assert tones[0] == DARK.family[0] and (count == 1 or tones[-1] == DARK.family[1])
    away = [math.dist(bytes.fromhex(tone[1:]), bytes.fromhex(DARK.family[0][1:])) for tone in tones]
    assert away == sorted(away)


@LOOKS
def test_names_stand_out_from_the_page_whatever_the_colour_of_what_they_name(look, theme):
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.478, abs=1e-3), "as WCAG has it"
    colours = ["#{:02x}{:02x}{:02x}".format(*each) for each in product((0, 64, 128, 192, 255), repeat=3)]
    assert min(contrast(readable(colour, look), look.page) for colour in colours) > 4.45


@LOOKS
def test_every_word_of_a_live_picture_can_be_read(look, theme):
    words = (look.soft, look.ink, look.amplify, look.absorb, theme["primaryColor"], theme.get("textColor", "#FAFAFA"))
    assert min(contrast(each, look.page) for each in words) >= LEAST
    primary = theme["primaryColor"]
    assert contrast(primary, mixed(look.page, primary, 0.16)) >= LEAST, "a choice that is taken"
    share = float(re.search(r"TINT = ([\d.]+)", (LIVE / "cells.js").read_text("utf-8"))[1])
    cells = [mixed(look.page, colour, share) for colour in (look.accent, *(stop for _, stop in look.diverging))]
    assert min(contrast(theme.get("textColor", "#FAFAFA"), each) for each in cells) >= LEAST, "a word in a cell"
    written = re.findall(r"(?<![-\w])(?:color|fill): var\(--([\w-]+)\)", (LIVE / "live.css").read_text("utf-8"))
    assert written and set(written) <= {*TEXT, "tint"}


def test_plots_of_charts_and_of_live_pictures_have_the_same_room():
    assert f"top: {TOP}, bottom: {BOTTOM} " in (LIVE / "plot.js").read_text("utf-8")
