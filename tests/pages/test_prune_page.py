"""The prune page itself: a study is watched until it ends, and a part shows what was chosen before another."""

import re

import pytest

from core.jobs import processes
from core.requests import DEFAULT_CALIBRATION, StudyRequest, read_recipe
from tests import synthetic
from tests.pages.opening import badges, figures, named, opened_at, put, url
from tests.pages.prune_page import LAYERS, PROFILE, broken_off, family, opened


def part_way(store):
    """A study of which the first points are finished."""
    request = StudyRequest(profile=PROFILE.key, settings=family()[:4])
    job = broken_off(store, request, line="OWL", done=3, parts=3)
    spec = store.resolved(request)
    for point in spec.points[:3]:
        store.save(spec.evaluated(point), synthetic.evaluated(point, 24, LAYERS), {"broken": None})
    return job


def test_a_running_study_fills_its_chart(store):
    job = part_way(store)
    with processes.take(job.lock):
        app = opened(job=job.key)
    assert "50 %, about 95 s left" in app.get("progress")[0].proto.text
    live = next(each for each in figures(app) if any(trace.get("name") == "Uniform" for trace in each["data"]))
    assert named(live, "OWL")
    [amount] = [each for each in app.caption if each.value.endswith("3 of 6 points finished.")]
    assert "16 × 512 tokens" in amount.help and not badges(app), "one protocol line a page"
    [link, _] = app.sidebar.get("page_link")
    assert job.key in link.proto.query_string and "4 settings of " in link.proto.label


def test_a_training_is_drawn_while_it_runs_and_once_it_has_ended(store):
    asked = (read_recipe("uniform repair=distill recover_tokens=163840:0.7"),)
    request = StudyRequest(profile=PROFILE.key, settings=asked)
    job = broken_off(store, request, line="distilled, step 30 of 160", done=3, parts=0)
    synthetic.save_training(store, store.resolved(request), [1.4, 1.2, 1.1])
    with processes.take(job.lock):
        app = opened(job=job.key)
    told = "held back, the KL to the dense model is 1.40 nats/token before training and 1.10 after 20,480 tokens"
    assert any(told in re.sub("<[^>]*>", "", each.value) for each in app.caption)
    assert any(trace.get("name") == "held back" for each in figures(app) for trace in each["data"])


# --- from one part to another ----------------------------------------------------------------------------------------


def to(app, part):
    """Another tab of the page, in a browser that has forgotten every widget which is not drawn.

    Such a browser shows a widget at its default unless it is told a value, and answers so with the next click.
    """
    before = {each.key for each in (*app.text_input, *app.number_input)}
    put(app, "part", part)
    for each in (*app.text_input, *app.number_input):
        if each.key not in before:
            each.set_value(each.proto.value if each.proto.set_value else each.proto.default)
    return app.run()


@pytest.mark.parametrize("part", ["tune", "results"])
def test_after_best_setting_the_calibration_is_what_it_was(store, part):
    app = to(to(opened_at(part), "goal"), part)
    assert not app.error
    assert app.text_input(key="seeds").value == "0"
    assert app.number_input(key="calibration_windows").value == DEFAULT_CALIBRATION.sequences
    assert app.number_input(key="calibration_length").value == DEFAULT_CALIBRATION.length


def test_a_target_survives_a_look_at_the_other_aim(store):
    app = opened(part="best", best_for="loss")
    put(app, "best_for", "target")
    put(app, "best_target", "50%")
    put(app, "best_for", "loss")
    put(app, "best_for", "target")
    assert app.text_input(key="best_target").value == url(app)["best_target"] == "50%"
