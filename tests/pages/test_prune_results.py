"""The prune page's results: every number under its protocol, unlike protocols and samples apart, gaps said."""

import json
import re

import pytest

from core.base import perplexity
from core.requests import AllocationRequest, grammar
from core.results import candidates
from core.store import load
from pages.ui import studies
from tests import synthetic
from tests.pages.allocate_page import predicted
from tests.pages.opening import badges, figures, live, words
from tests.pages.prune_page import OWL, PROFILE, family, opened, save


@pytest.mark.parametrize(
    ("shift", "windows", "arrow"), [(-0.4, 24, "DOWN"), (0.4, 24, "UP"), (0.0, 24, "NONE"), (0.4, 4, "UP")]
)
def test_the_answer_is_the_perplexity_with_its_change_and_the_interval_of_that(store, shift, windows, arrow):
    """An arrow only where the change is certain."""
    owl = candidates.combined([OWL], "wanda", (0, 1, 2))
    save(store, owl, lambda setting: 3 + shift * (setting.allocation.base.kind == "owl"), windows)
    app = opened()
    [group] = studies.groups(load(store, store.profile(PROFILE.key)))
    [shown], one = app.metric, group.of(owl[0])
    assert shown.value == one.written and shown.label == "Perplexity of OWL, 70 % zeros, Wanda"
    size, told = shown.delta.removesuffix(" % against uniform"), shown.proto.delta_description
    assert float(size) == pytest.approx(one.against_uniform.quoted.value, abs=0.5)
    assert told.startswith("95 % interval ") and told.endswith(" over 3 calibration seeds")
    assert shown.proto.MetricDirection.Name(shown.proto.direction) == arrow


def test_too_few_windows_tell_nothing(store):
    save(store, family(), windows=4)
    app = opened()
    assert re.findall(r"\d+", app.warning[0].value) == ["4", "8"]
    assert not re.search(r"lowest|\d of \d", words(app.markdown))


def test_unlike_protocols_are_never_on_one_axis(store):
    first = save(store, family()[:2], text="one text")
    second = save(store, family()[:2], lambda setting: 9.0, text="another text")
    app = opened(study=first)
    picker = app.radio(key="study")
    assert len(picker.options) == 2
    [line] = badges(app)
    assert "one text" in line and f"studies {first[:6]}" in line, "the choice is the one protocol line"
    drawn = json.dumps(figures(app)[1])
    app = picker.set_value(second).run()
    [line] = badges(app)
    assert "another text" in line
    assert json.dumps(figures(app)[1]) != drawn


def measured(store, base, profile=PROFILE.key):
    """A study of one base at the target in view, which looked at that profile."""
    recipes = candidates.combined([grammar.read_allocation(f"{base}:0.7")], "wanda", (0,))
    return synthetic.save_study(store.root, synthetic.study_spec(PROFILE, recipes), profile)


def test_what_another_profile_measured_alike_is_shown_but_is_not_the_setting_in_view(store):
    mine, another = measured(store, "uniform"), measured(store, "owl", "another")
    app = opened(study=mine, detail="all")
    [table] = [each.value for each in app.dataframe if "allocation" in each.value]
    assert "OWL" in set(table["allocation"])
    other = "OWL, 70 % zeros, Wanda was evaluated, but as another profile spreads the budget."
    assert other in words(app.info)
    assert "profiles " in badges(app)[0]
    assert other in words(opened(study=another).info)
    assert not opened(study=another, base="uniform").info


# --- what is predicted before it runs --------------------------------------------------------------------------------


OTHERS = candidates.combined([AllocationRequest(target=each) for each in (0.5, 0.6, 0.7, 0.8)], "wanda", (0,))


def said(app, begins):
    [found] = [each for each in app.caption if each.value.startswith(begins)]
    return found


def test_a_setting_is_predicted_before_it_runs_and_afterwards_measured_and_predicted_by_the_others(store):
    save(store, OTHERS)
    app = opened(part="tune")
    assert not live(app)["hero"]["measured"]
    value, low, high = map(perplexity, predicted(app))
    owl = candidates.combined([OWL], "wanda", (0,))
    cost = lambda setting: 0.1 if setting == owl[0] else synthetic.invented_cost(setting)  # noqa: E731
    save(store, owl, cost, allocated=True)
    app = opened(part="tune")
    [group] = studies.groups(load(store, store.profile(PROFILE.key)))
    frame = str(live(app)["state"]["strength"])
    assert live(app)["hero"]["measured"] == {frame: pytest.approx(group.of(owl[0]).perplexity)}
    assert f"The other settings predict {value} [{low}, {high}]." in said(app, "The other").value


def test_what_cannot_be_predicted_is_said(store):
    save(store, OTHERS)
    for view in ({"pattern": "2:4"}, {"sequential": "True"}):
        app = opened(part="tune", **view)
        assert said(app, "Neither an N:M pattern nor true-sequential pruning is predicted.") and not app.error
    assert "for magnitude yet" in words(opened(part="tune", by="magnitude").info)
