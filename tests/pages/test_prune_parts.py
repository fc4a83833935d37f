"""From one part of the prune page to another: a browser shows, and then answers, what was chosen before."""

import pytest

from core.requests.inputs import DEFAULT_CALIBRATION
from tests.pages.opening import ROOT, put, url
from tests.pages.prune_page import opened


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


@pytest.mark.parametrize("part", ["evaluate", "results", "export"])
def test_after_best_setting_the_calibration_is_what_it_was(store, part):
    app = to(to(opened(part=part), "best"), part)
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


def test_no_page_ends_in_a_way_that_keeps_what_the_browser_forgets():
    pages = sorted((ROOT / "pages").rglob("*.py"))
    stopping = [path.name for path in pages if "st.stop(" in path.read_text(encoding="utf-8")]
    assert pages and not stopping  # view.end() is what ends a page early
