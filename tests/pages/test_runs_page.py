"""Runs: what is in the cache, what can be done with it."""

from collections import Counter

import pytest

from core.jobs import queue
from core.jobs.records import Status
from core.plan.gains import gains_of
from core.show.words import gain_sentences
from core.store import profiles
from core.store.cache import Store
from pages.ui.runs import profiles as shown_profiles
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import links, words
from tests.pages.runs_page import opened, part

NOISE = "Gaussian noise, size 0.3"


@pytest.mark.parametrize("shows", ["profiles", "evaluations"])
def test_an_empty_cache_says_what_to_do(bare, shows):
    app = part(shows)
    assert app.info and not app.dataframe and not app.get("plotly_chart")


def test_every_profile_has_a_card_that_says_what_was_found_and_opens_it(filled_cache):
    app = opened()
    store = Store()
    cards = [shown_profiles.card(key, str(store.root)) for key in filled_cache.values()]
    assert {(drawn.count("<rect"), label) for drawn, _, label, _ in cards} == {(30, NOISE), (4, NOISE)}
    said = [each.value for each in app.caption]
    for key, (_, finding, label, size) in zip(filled_cache.values(), cards, strict=True):
        assert finding == gain_sentences.headline(
            gains_of(profiles.load(store, store.profile(key)).seeds("gaussian:0.3"))
        )
        assert f"{finding}: {label}." in said and any(size in each for each in said)
    opens = [each["profile"] for each in links(app) if "profile" in each]
    assert opens[:3] == [filled_cache[each] for each in ("deep", "twin", "shallow")], "what holds most comes first"


def test_a_card_of_what_is_gone_says_so_and_the_others_stand(bare):
    keys = [
        synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick", seed), 4, f"m{seed}")
        for seed in (11, 12)
    ]
    spec = bare.profile(keys[0]).spec
    bare.path(spec.unit(spec.measurements[0])).unlink()
    app = opened()
    assert sum("missing" in each.value for each in app.caption) == 1
    assert {each.get("profile") for each in links(app)} >= set(keys)


def test_a_result_is_deleted(bare):
    synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert not list(bare.entries())


def test_a_corrupt_entry_is_reported(bare):
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    (bare.root / "profile" / f"{key}.safetensors").write_text("{}")
    app = opened()
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
    app = opened()
    said = words(app.markdown)
    assert all(f"badge[{state}]" in said for state in ("queued", "interrupted", "failed"))
    assert Counter(each.label for each in app.button).items() >= {("Cancel", 1), ("Resume", 2), ("Forget", 3)}
    assert {each.value for each in app.caption} >= {"The text is too short.", "ValueError: the sky fell."}


def test_a_run_whose_profile_was_deleted_says_so_in_place_of_a_link(bare):
    """The link would open another model without a word."""
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    queue.submit(bare, fake.request()).write(Status(state="done", result=key))
    assert links(opened()).count({"profile": key}) == 3, "by its card, by its actions and by its run"
    (bare.root / "profile" / f"{key}.safetensors").unlink()
    app = opened()
    assert "Its result was deleted." in [each.value for each in app.caption]
    assert {"profile": key} not in links(app)


def test_resume_and_forget(bare):
    job = queue.submit(bare, fake.request())
    job.write(Status(state="running"))
    app = opened()
    app.button(key=f"resume-{job.key}").click().run()
    assert queue.job(bare, job.key).state == "queued"
    app.button(key=f"cancel-{job.key}").click().run()
    app.button(key=f"forget-{job.key}").click().run()
    assert queue.jobs(bare) == []
