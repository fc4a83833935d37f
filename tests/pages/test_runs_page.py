"""Runs: what is in the cache, what can be done with it, and an evaluated setting brought into view."""

from collections import Counter

from core.jobs import Status, processes, queue
from core.methods import Owl
from core.requests import AllocationRequest, Recipe
from core.results import rows_of, study_results
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import links, opened_at, put, url, words


def test_a_result_is_deleted(bare):
    synthetic.save_small(bare.root)
    app = opened_at("runs")
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert not list(bare.entries())


def test_a_corrupt_entry_is_reported(bare):
    key = synthetic.save_small(bare.root)
    (bare.root / "profile" / f"{key}.safetensors").write_text("{}")
    app = opened_at("runs")
    assert key in app.warning[0].value


def test_jobs_show_their_state_and_what_can_be_done(bare):
    states = [
        Status(),
        Status(state="running"),
        Status(state="failed", error="ValueError: the sky fell"),
        Status(state="failed", error="the text is too short", bad_request=True),
    ]
    for seed, status in enumerate(states):
        queue.submit(bare, fake.request(seed=seed)).write(status)
    app = opened_at("runs")
    said = words(app.markdown)
    assert all(f"badge[{state}]" in said for state in ("queued", "interrupted", "failed"))
    assert Counter(each.label for each in app.button).items() >= {("Cancel", 1), ("Resume", 2), ("Forget", 3)}
    assert {each.value for each in app.caption} >= {"The text is too short.", "ValueError: the sky fell."}


def test_a_run_whose_profile_was_deleted_says_so_in_place_of_a_link(bare):
    """The link would open another model without a word."""
    key = synthetic.save_small(bare.root)
    queue.submit(bare, fake.request()).write(Status(state="done", result=key))
    assert links(opened_at("runs")).count({"profile": key}) == 3, "by its card, by its actions and by its run"
    (bare.root / "profile" / f"{key}.safetensors").unlink()
    app = opened_at("runs")
    assert "Its result was deleted." in [each.value for each in app.caption]
    assert {"profile": key} not in links(app)


def test_resume_and_forget(bare):
    job = queue.submit(bare, fake.request())
    job.write(Status(state="running"))
    app = opened_at("runs")
    app.button(key=f"resume-{job.key}").click().run()
    assert queue.job(bare, job.key).state == "queued"
    app.button(key=f"cancel-{job.key}").click().run()
    app.button(key=f"forget-{job.key}").click().run()
    assert queue.jobs(bare) == []


def test_a_refusal_stands_on_the_page_until_something_else_is_done(bare):
    job = queue.submit(bare, fake.request())
    job.write(Status(state="failed", error="no model", bad_request=True))
    app = opened_at("runs")
    with processes.take(job.lock):
        app.button(key=f"forget-{job.key}").click().run()
    assert len(app.error) == 1
    assert queue.jobs(bare) == [queue.job(bare, job.key)]
    app.run()
    assert not app.error


def test_a_measured_setting_is_picked_and_brought_into_view(bare):
    owl = Recipe(allocation=AllocationRequest(base=Owl(m=7.0)))
    measured = synthetic.profile_spec(6, prunable=True)
    profile = synthetic.save_profile(bare.root, measured)
    spec = synthetic.study_spec(measured, (owl, owl.replace(calibration_seed=1)))
    key = synthetic.save_study(bare.root, spec, profile)
    uniform, other = rows_of(study_results.load(bare, bare.by_key(key)))[1:3]
    app = opened_at("runs", show="evaluations")
    assert len(app.dataframe[0].value) == 3 and app.metric[0].value == uniform.one.written
    put(app, "setting", other.key)
    assert app.metric[0].value == other.one.written and url(app)["setting"] == other.key
    app.button(key="use-setting").click().run()
    assert url(app)["allocation"] == "owl m=7 lam=0.08:0.7" and not app.error
