"""Measure: what is typed becomes a request, its cost and its command; a run is watched until it ends."""

import pytest
import streamlit as st

from core.jobs import Status, cost, processes, queue
from core.models import hub
from core.requests import request_of
from tests import fake_experiment as fake
from tests.pages.opening import opened_at, put, url
from tests.pages.prune_page import EXPECTED, broken_off, submitted


@pytest.fixture
def store(bare, monkeypatch):
    """An empty cache; the cost is invented and no worker starts."""
    monkeypatch.setattr(cost, "estimate", lambda *_: EXPECTED)
    return bare


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("measure", **view)


def shown(app):
    """The command on the page."""
    return app.code[0].value


def test_what_the_hub_cache_holds_is_offered_and_can_be_picked(store, monkeypatch):
    monkeypatch.setattr(hub, "cached", lambda kind: [{"model": "org/held", "dataset": "org/texts"}[kind]])
    st.cache_data.clear()
    app = opened()
    put(app, "measure-model", "org/held")
    put(app, "measure-text", "org/texts")
    assert "org/held" in app.selectbox(key="measure-model").options
    assert "--model org/held " in shown(app) and "--text org/texts " in shown(app)


def test_run_queues_one_job_and_the_address_names_it(store):
    app = opened()
    assert submitted(app, store) == request_of("measure")


@pytest.mark.parametrize("name", ["length", "sequences"])
@pytest.mark.parametrize("typed", [2**20 + 1, 10**12, 10**400, "9" * 5000, "-1", "1e6"])
def test_a_link_asks_for_no_more_than_there_can_be(store, name, typed):
    key = f"measure-{name}"
    app = opened(**{key: str(typed)})
    assert len(app.warning) == 1 and key in app.warning[0].value
    assert app.number_input(key=key).value == {"length": 64, "sequences": 8}[name]


MEASURE = {"see": "measure"}  # the part of the Model page
LINK = {
    "measure-preset": "own list", "measure-perturbations": "skip,gaussian:0.25", "measure-seeds": "0,1",
    "measure-sequences": "9", "measure-text": "allenai/c4", "measure-documents": "0-599", "measure-untrained": "True",
    "measure-dtype": "bfloat16", "measure-device": "cpu", "measure-removal": "True",
}  # fmt: skip


def test_a_link_holds_every_choice(store):
    app = opened(**LINK)
    assert not app.error and not app.warning
    words = shown(app)
    assert url(app).items() <= (LINK | MEASURE).items()
    for said in ("--model random:demo", "--documents 0-599", "--perturb skip --perturb gaussian:0.25", "--seeds 0,1",
                 "--sequences 9", "--removal", "--dtype bfloat16"):  # fmt: skip
        assert said in words
    assert {*LINK} - {*app.query_params} <= {"measure-device"}  # what is as usual need not be said


def test_a_preset_fills_in_its_amounts_which_may_be_changed_and_the_back_button_takes_it_back(store):
    app = opened()
    assert url(app) == MEASURE
    put(app, "measure-preset", "standard")
    assert url(app) == MEASURE | {"measure-preset": "standard"}
    assert (app.number_input(key="measure-sequences").value, app.number_input(key="measure-length").value) == (8, 128)
    put(app, "measure-sequences", 12)
    assert "--preset standard --sequences 12 --" in shown(app)
    app.query_params.pop("measure-sequences")
    app.query_params.pop("measure-preset")
    app.run()
    assert app.number_input(key="measure-sequences").value == 8
    assert "--preset quick --sequences 8 --length 64 --device" in shown(app) and url(app) == MEASURE


def test_what_is_measured_already_is_linked_not_run(store, monkeypatch):
    opened_request = request_of("measure")
    fake.get(opened_request, store)
    app = opened()
    assert "You have this already" in app.success[0].value
    assert store.find(opened_request).key in app.main.get("page_link")[-1].proto.query_string
    assert not [button for button in app.button if button.key == "run"]


# --- watching ------------------------------------------------------------------------------------------------------


def part_way(store, device="cpu"):
    """A job that has finished one part and whose process, in play, is this one."""
    return broken_off(store, fake.request(), device, line="layer 3", done=1, rate=2e3, memory=2**30, parts=1)


@pytest.mark.parametrize("device", ["cpu", "ray:10.0.0.1:6379, 8 shares, cuda"])
def test_a_running_job_shows_progress_and_what_it_found(device, store):
    job = part_way(store, device)
    with processes.take(job.lock):
        app = opened(job=job.key)
    assert "17 %, about 95 s left" in app.get("progress")[0].proto.text
    assert len(app.get("plotly_chart")) == 1
    assert [each for each in app.caption if each.value.endswith(f"· {device}")]
    assert not app.button(key=f"cancel-{job.key}").disabled


def test_close_leaves_the_form_of_an_interrupted_job_alone_on_the_page(store):
    app = opened(job=part_way(store).key)
    assert app.expander[0].label == "Measure something else" and "are kept" in app.warning[0].value
    app.button(key="close").click().run()
    assert "job" not in app.query_params and not app.warning


def test_a_refused_request_is_its_sentence(store):
    job = queue.submit(store, fake.request())
    job.write(Status(state="failed", error="3 windows, not 8", bad_request=True))
    app = opened(job=job.key)
    assert app.error[0].value == "3 windows, not 8."
    assert not [button for button in app.button if (button.key or "").startswith("resume")]


def test_a_finished_job_leads_to_its_profile(store):
    job = queue.submit(store, fake.request())
    key = fake.get(job.request, store).key
    job.write(Status(state="done", result=key, started=1.0, updated=61.0))
    app = opened(job=job.key)
    assert "60 s" in app.success[0].value
    assert any(key in link.proto.query_string for link in app.get("page_link"))
