"""Gains of two models over each other."""

from dataclasses import replace

from core.requests.measurements import Measurement
from core.requests.perturbations import perturbation
from core.show.figures import gain, line
from core.show.figures.gain import WIDEST, depth, of_profiles
from core.store import profiles
from core.store.cache import Store
from tests import synthetic


def curve(layers, name):
    return line(name, [synthetic.perturbed(layers, 8, Measurement(perturbation=perturbation("gaussian:0.3")))])


def compared(*lines):
    return gain.compared(*lines, None, "title", "The first is lower")


def test_different_depths_are_laid_over_relative_depth():
    lines = [curve(12, "deep"), curve(5, "shallow")]
    chart = compared(*lines)
    assert "relative depth" in chart.figure.layout.xaxis.title.text
    assert [(each.x[0], each.x[-1]) for each in chart.figure.data if each.name in ("deep", "shallow")] == [(0, 1)] * 2
    assert list(depth(lines[1])) == [0, 0.25, 0.5, 0.75, 1]
    assert "The first is lower in " in chart.finding and "11 layers at equal relative depth." in chart.finding
    assert len(chart.table) == 12 + 5


def test_models_of_one_depth_share_layers_and_are_furthest_apart_at_one():
    lines = [curve(9, "a"), curve(9, "b")]
    value = lines[1].value.copy()
    value[5] *= 3
    chart = compared(lines[0], replace(lines[1], value=value))
    assert "gap is at layer 5: " in chart.finding
    assert "relative" not in chart.figure.layout.xaxis.title.text
    assert [each.x[-1] for each in chart.figure.data if each.name in "ab"] == [8, 8]


def test_names_stand_in_a_margin_as_text_and_take_no_room_from_the_curves():
    names = ["<b>bold</b>", "an organisation/a model with a long name (abcdef)"]
    figure = compared(curve(12, names[0]), curve(12, names[1])).figure
    assert "<b>bold" not in figure.to_json().replace("\\u003c", "<")
    labels = next(each for each in figure.data if each.name == "labels").text
    assert max(len(part.replace("<b>", "").replace("</b>", "")) for part in labels[1].split("<br>")) <= WIDEST
    low, high = figure.layout.xaxis.range
    assert low > -1 and high < 12 and figure.layout.margin.l > 16
    assert not [each for each in gain.gains([curve(4, "a")], "", 0, None).figure.data if each.name == "labels"]


def test_profiles_of_different_texts_are_marked_and_said_so(tmp_path):
    spec, store = synthetic.profile_spec(4, 8, "quick"), Store(tmp_path)

    def stored(content, text):
        changed = spec.model_copy(update={"text": spec.text.model_copy(update={"content": content})})
        entry = store.profile(synthetic.save_profile(tmp_path, changed, 4))
        entry.provenance.update(model="a model", text=text)
        return profiles.load(store, entry)

    one, other = stored("one", "c4_en.jsonl, documents 0-599"), stored("two", "demo text, calibration half")
    chart = of_profiles(one, other, "gaussian:0.3", 2, "geometric")
    assert {"a model on C4", "a model on demo text"} <= {each.name for each in chart.figure.data}
    assert "They read different texts (C4, 8 × " in chart.finding
    assert "different texts" not in of_profiles(one, one, "gaussian:0.3", 2, "geometric").finding
