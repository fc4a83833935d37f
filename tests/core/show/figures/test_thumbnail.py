"""The picture of gains on a card: it keeps within its frame whatever the gains are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from core.show.figures import DARK, LIGHT, Line
from core.show.figures.thumbnail import HIGH, WIDE, thumbnail


@pytest.mark.parametrize("look", [LIGHT, DARK])
@pytest.mark.parametrize("most", [1.0, 1.3, 50.0])
def test_every_layer_has_a_bar_on_its_side_of_one_and_in_its_colour(look: object, most: float) -> None:
    value = np.array([1 / most, most, 1.0, np.nan])
    drawn = thumbnail(Line("any", value, value, value, *[("absorbs", "amplifies", "undecided", None)] * 2), look)
    bars = re.findall(r"<rect x='([\d.]+)' y='([\d.]+)' width='([\d.]+)' height='([\d.]+)' fill='(#\w+)'", drawn)
    assert [each[-1] for each in bars] == [look.absorb, look.amplify, look.undecided, look.undecided]
    down, up, *none = [tuple(map(float, each[:4])) for each in bars]
    assert down[1] == HIGH / 2 == up[1] + up[3] and down[3] == up[3] and all(each[3] == 0 for each in none)
    assert all(x >= 0 and x + wide <= WIDE and y >= 0 and y + high <= HIGH for x, y, wide, high in (down, up, *none))
