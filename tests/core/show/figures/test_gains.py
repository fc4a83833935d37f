"""Gains of several models laid over each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.ask.measurements import Measurement
from core.ask.perturbations import perturbation
from core.show.figures import DARK, line
from core.show.figures.gain import LONGEST, WIDEST, depth, of_profiles, overlay
from core.store import profiles
from core.store.cache import Store
from tests import synthetic


def curve(layers: int, name: str, kind: str = "gaussian:0.3") -> object:
    return line(name, [synthetic.perturbed(layers, 8, Measurement(perturbation=perturbation(kind)))])


def test_equal_depths_share_the_layer_axis() -> None:
    chart = overlay([curve(12, "a"), curve(12, "b", "gaussian:0.01")], "Noise")
    assert "relative" not in chart.figure.layout.xaxis.title.text
    assert [each.x[-1] for each in chart.figure.data if each.name in "ab"] == [11, 11]


def test_different_depths_are_laid_over_relative_depth() -> None:
    lines = [curve(12, "deep"), curve(5, "shallow"), curve(2, "flat")]
    chart = overlay(lines, "Noise", DARK)
    assert "relative depth" in chart.figure.layout.xaxis.title.text
    for each in chart.figure.data:
        if each.name in ("deep", "shallow", "flat"):
            assert (each.x[0], each.x[-1]) == (0, 1)
    assert list(depth(lines[1])) == [0, 0.25, 0.5, 0.75, 1]
    assert "of deep is lower than that of shallow over" in chart.finding and "that of flat over" in chart.finding
    assert len(chart.table) == 12 + 5 + 2


def test_models_of_one_depth_are_furthest_apart_at_a_layer() -> None:
    lines = [curve(9, "a"), curve(9, "b")]
    value = lines[1].value.copy()
    value[5] *= 3
    chart = overlay([lines[0], replace(lines[1], value=value)], "Noise")
    assert "gap is at layer 5: " in chart.finding
    assert "% of the depth:" in overlay([lines[0], curve(5, "c")], "Noise").finding


def test_long_names_are_cut_beside_their_curves_and_whole_elsewhere() -> None:
    names = [f"an organisation/a model with a long name ({key})" for key in ("abcdef", "fedcba")]
    chart = overlay([curve(4, names[0]), curve(5, names[1])], "Noise")
    labels = next(each for each in chart.figure.data if each.name == "labels").text
    lines = [text.split("<br>") for text in labels]
    assert len(set(labels)) == 2 and max(len("".join(each)) for each in lines) <= LONGEST
    assert max(len(line) for each in lines for line in each) <= WIDEST
    assert set(names) <= {each.name for each in chart.figure.data} and set(chart.table["model"]) == set(names)


def test_names_are_no_markup_in_a_figure() -> None:
    chart = overlay([curve(4, "<b>bold</b>"), curve(5, "b")], "Noise")
    assert "<b>bold" not in chart.figure.to_json().replace("\\u003c", "<")


@pytest.mark.parametrize("count", [1, 2])
def test_names_stand_in_a_margin_and_take_no_room_from_the_curves(count: int) -> None:
    figure = overlay([curve(12, f"model {index}") for index in range(count)], "Noise").figure
    assert (count > 1) == any(each.name == "labels" for each in figure.data)
    low, high = figure.layout.xaxis.range
    assert low > -1 and high < 12 and (figure.layout.margin.l > 16) == (count > 1)


def test_profiles_of_different_texts_are_marked_and_said_so(tmp_path: Path) -> None:
    spec = synthetic.profile_spec(4, 8, "quick")
    store, found = Store(tmp_path), []
    for content, text in (("one", "c4_en.jsonl, documents 0-599"), ("two", "demo text, calibration half")):
        changed = spec.model_copy(update={"text": spec.text.model_copy(update={"content": content})})
        entry = store.profile(synthetic.save_profile(tmp_path, changed, 4))
        entry.provenance.update(model="a model", text=text)
        found.append(profiles.load(store, entry))
    chart = of_profiles(found, "gaussian:0.3")
    assert {"a model on C4", "a model on demo text"} <= {each.name for each in chart.figure.data}
    assert "They read different texts (C4, 8 × " in chart.finding
    assert "different texts" not in of_profiles([found[0], found[0]], "gaussian:0.3").finding
