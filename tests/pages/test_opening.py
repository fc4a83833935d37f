"""The profile and the method that pages open with where the address says nothing, and what was picked stays picked."""

import pytest

from core.store import Store
from tests.pages.opening import opened_at, put, url

WHOLE, LINEARS = "6e78df", "5d5fdc"  # the profile on most text, and that of each linear alone


pytestmark = pytest.mark.usefixtures("committed")


def key(begins):
    return Store().profile(begins).key


def test_what_was_picked_stays_picked_and_what_was_not_follows_the_page_and_the_profile():
    app = opened_at("absorption")
    app = app.switch_page("allocate.py").run()
    assert (app.session_state["profile"], app.selectbox(key="base").value) == (key(LINEARS), "response")
    put(app, "profile", key(WHOLE))
    assert app.selectbox(key="base").value == "owl" and not app.error and not app.toast
    app.switch_page("absorption.py").run()
    app = app.switch_page("allocate.py").run()
    assert app.session_state["profile"] == key(WHOLE) and url(app)["profile"].startswith(WHOLE)
    put(app, "base", "dlp")
    put(app, "profile", key(LINEARS))
    assert app.selectbox(key="base").value == "dlp", "it was picked"
