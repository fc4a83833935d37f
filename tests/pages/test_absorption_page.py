"""The absorption page: what the choices do, and that the URL holds the view."""

import re
from dataclasses import replace

import numpy as np
import pytest

from core.plan.gains import gains_of
from core.requests.perturbations import in_order
from core.show.figures.charts import CHARTS, COMPARED, DRIFT, GAIN, GLANCE, GROUPS, PARTS
from core.show.words import gain_sentences
from pages.ui import current_profile
from pages.ui.absorption import sections
from tests import synthetic
from tests.pages.opening import figures, live, named, numbers, opened_at, url, words


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("absorption", **view)


@pytest.mark.parametrize("group", [each for each in sections.GROUPS if each != GLANCE])
def test_a_group_is_drawn_alone_under_the_two_pictures_that_carry_the_finding(filled_cache, group):
    app = opened(profile=filled_cache["deep"], group=group)
    drawn = app.get("plotly_chart")
    # not measured:
    absent = [row for row in sections.GROUPS[group] if row.group in (COMPARED, PARTS) or row.key == "repaired"]
    lacking = absent[:1]  # the charts of another checkpoint say so once for all, and those of parts
    assert len(drawn) == 1 + len(sections.GROUPS[group]) - len(absent)
    assert len(app.get("download_button")) == len(drawn) + 1, "the live picture has its numbers too"
    assert all(chart.proto.alt for chart in drawn) and live(app)["bars"]
    assert len(app.info) == len(lacking)
    assert all(any(word in each.value for word in ("refit", "checkpoint", "parts")) for each in app.info)


def test_parts_measured_on_another_text_are_a_link_away(committed):
    app = opened(profile="6e78df68bb8ecfc5", group=PARTS)
    [way] = [each for each in app.get("page_link") if each.label.startswith("Parts of this model")]
    key = re.search(r"profile=(\w+)", way.proto.query_string)[1]
    app = opened(profile=key, group=PARTS)
    assert len(app.get("plotly_chart")) == 1 + len(GROUPS[PARTS]) and not app.info
    assert "without its MLP" in words(app.caption)


def test_every_chart_of_the_table_stands_on_the_page_once():
    shown = [row.key for rows in GROUPS.values() for row in rows]
    assert sorted(shown) == sorted(row.key for row in CHARTS) and len({*shown}) == len(shown)


def test_a_view_is_drawn_once_for_all_readers(filled_cache):
    first, drawn = figures(opened(profile=filled_cache["deep"], layer="3")), sections._drawn.cache_info().misses
    app = opened(profile=filled_cache["deep"], layer="3")
    assert figures(app) == first and sections._drawn.cache_info().misses == drawn
    opened(profile=filled_cache["deep"], layer="4")
    assert sections._drawn.cache_info().misses > drawn, "another view is drawn"


def test_the_finding_stands_over_the_gain_with_and_without_the_first_token(filled_cache):
    app, profile = opened(profile=filled_cache["deep"]), current_profile.load(filled_cache["deep"])
    without, including = (gains_of(profile.seeds(name)).value for name in ("gaussian:0.3", "gaussian:0.3@all"))
    assert app.header[0].value.startswith(gain_sentences.headline(gains_of(profile.seeds("gaussian:0.3"))))
    told = live(app)
    assert told["bars"]["values"][0] == pytest.approx(without, rel=1e-4)
    assert told["lines"][0]["values"][0] == pytest.approx(including, rel=1e-4)
    turned = live(opened(profile=filled_cache["deep"], positions="all"))
    assert (
        turned["bars"]["values"] == told["lines"][0]["values"]
        and turned["lines"][0]["values"] == told["bars"]["values"]
    )
    assert live(opened(profile=filled_cache["deep"], perturbation="skip"))["lines"] == []


def test_perturbations_are_listed_by_kind_and_size(filled_cache):
    app, profile = (
        opened(profile=filled_cache["deep"], group=sections.CHECKS),
        current_profile.load(filled_cache["deep"]),
    )
    wanted = list(dict.fromkeys(each.label for each in in_order(profile.perturbations.values())))
    assert app.selectbox(key="perturbation").options == wanted
    table = next(each.value for each in app.table if "verdict" in each.value and "perturbation" in each.value)
    assert len(table) == len(profile.perturbations)


def test_the_url_restores_the_view(filled_cache):
    view = {"perturbation": "gaussian:0.01", "positions": "all", "layer": "7"}
    app = opened(profile=filled_cache["deep"], **view)
    assert {key: str(app.session_state[key]) for key in view} == view
    sized = opened(profile=filled_cache["deep"], group=GAIN, statistic="median")
    assert sized.session_state["statistic"] == "median" and "median" in live(sized)["y"]["title"]
    assert named(figures(app)[1], "layer 7")


def test_a_choice_is_written_to_the_url_and_a_default_is_not(filled_cache):
    app = opened(profile=filled_cache["deep"])
    app.session_state["layer"] = 3  # as the live picture's callback does
    app.run()
    assert url(app)["layer"] == "3"
    assert named(figures(app)[1], "layer 3")
    assert live(app)["pick"]["index"] == 3
    app.session_state["layer"] = 10
    app.run()
    assert "layer" not in app.query_params


def test_a_choice_outruns_the_url_of_the_last_one_and_the_back_button_does_not(filled_cache):
    """A quick reader's browser has not heard of the new URL yet and brings an old one with the next choice."""
    app = opened(profile=filled_cache["deep"], group=GAIN)
    bare = url(app)
    app.session_state["layer"] = 3
    app.run()
    app.session_state["layer"] = 7
    app.query_params.pop("layer")
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7"}
    app.session_state["statistic"] = "median"
    app.query_params["layer"] = "3"
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7", "statistic": "median"}
    app.query_params.pop("statistic")
    app.run()
    assert app.session_state["layer"] == 7 and url(app) == bare | {"layer": "7"}
    app.query_params["layer"] = "3"
    app.run()
    assert app.session_state["layer"] == 3 and url(app) == bare | {"layer": "3"}


NONSENSE = {"layer": "300", "perturbation": "x", "statistic": "mode", "compare": "no", "positions": "first"}


@pytest.mark.parametrize("key, value", NONSENSE.items())
def test_nonsense_in_the_url_is_dropped(filled_cache, key, value):
    app = opened(profile=filled_cache["deep"], group=GAIN, **{key: value})
    assert app.query_params.get(key) not in (value, [value])


def test_a_twin_of_other_depth_can_be_compared(filled_cache):
    """Both by relative depth and by name; what each read is said where that differs."""
    app = opened(profile=filled_cache["deep"], compare=filled_cache["shallow"], group=GAIN)
    chart = figures(app)[1]
    names = ["deep model", "shallow model"]
    assert [numbers(named(chart, name)["x"])[-1] for name in names] == [1, 1]
    said = words(app.caption)
    assert f"{names[0]} is lower than that of {names[1]} in" in said and "They read different texts" in said


def test_a_comparison_outlasts_a_look_at_another_part_as_no_comparison_does(filled_cache):
    app = opened(profile=filled_cache["deep"], group=GAIN)
    for other in (filled_cache["shallow"], None):
        app.selectbox(key="compare").set_value(other).run()
        for group in (DRIFT, GAIN):
            app.segmented_control(key="group").set_value(group).run()
        assert app.selectbox(key="compare").value == other and url(app).get("compare") == other


def test_nothing_is_compared_until_it_is_chosen(filled_cache):
    app = opened(profile=filled_cache["deep"], group=GAIN)
    box = app.selectbox(key="compare")
    assert box.options[box.proto.default] == "no other profile"
    assert not box.proto.set_value, "a value of None would read: choose an option"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_half_precision_shows_its_noise_floor(dtype, bare):
    spec = synthetic.profile_spec(4, 8, "quick")
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"dtype": dtype})})
    key = synthetic.save_profile(bare.root, spec, 4)
    app = opened(profile=key)
    shown = [each.value for each in app.caption if "the noise floor" in each.value]
    assert shown == ([] if dtype == "float32" else [gain_sentences.rounding(current_profile.load(key))])


def test_of_a_model_of_one_layer_the_headline_says_that_nothing_follows(bare):
    app = opened(profile=synthetic.save_profile(bare.root, synthetic.profile_spec(1), 1))
    assert "only one layer" in app.header[0].value and not app.info


def test_what_changes_nothing_is_said_to(filled_cache, monkeypatch):
    real = current_profile.load

    def still(key):
        found = real(key)
        calm = {
            each: replace(unit, log_drift=np.where(np.isnan(unit.log_drift), np.nan, -np.inf))
            for each, unit in found.perturbed.items()
        }
        return replace(found, perturbed=calm)

    monkeypatch.setattr(current_profile, "load", still)
    app = opened(profile=filled_cache["deep"])
    assert "changes nothing" in app.info[0].value


def test_what_an_earlier_version_of_a_pruner_means_is_said_where_it_pruned(empty_cache):
    old = synthetic.profile_spec(4, 8, "quick").model_copy(update={"methods": ()})
    key = synthetic.save_profile(empty_cache, old, 4)

    def said(perturbation):
        app = opened(profile=key, perturbation=perturbation)
        return [each.value for each in app.caption if "earlier version" in each.value]

    [sentence] = said("residual:wanda:0.7")
    assert "Wanda with the zeros of every row rounded down" in sentence and "measured again" in sentence
    assert said("gaussian:0.3") == []
