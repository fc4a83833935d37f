"""Learn: which profiles a chapter shows, and the one that a reader measures again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.ask.measurements import measurements
from core.ask.perturbations import perturbation
from core.jobs import processes, queue
from core.jobs.status import Status
from core.show import lessons
from core.store.cache import Store
from pages.ui.tour import CHAPTERS, measured_again
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.learn_page import GUESSED, opened, stored, text
from tests.pages.opening import links, live, pictures

Cache = dict[str, str]


def test_the_absorb_chapter_draws_what_it_names(empty_cache: Path) -> None:
    """The profile in view, and a pair on another text beside it; sentences are of what is drawn."""
    spec = synthetic.profile_spec(8, seed=7)
    other = spec.model_copy(update={"text": spec.text.model_copy(update={"length": 32})})
    random = other.model_copy(update={"model": spec.model.model_copy(update={"initialised": 0})})
    key, trained, twin = (synthetic.save_profile(empty_cache, each, 8, "a model") for each in (spec, other, random))

    def shown(key: str, **more: str) -> AppTest:
        return opened(profile=key, chapter="absorb", **more)

    def said(key: str) -> str:
        return lessons.plain(lessons.absorb(stored(key)).said)

    app = shown(key)
    assert live(app)["controls"][0]["stops"] == ["trained, 16 × 64", "trained, 16 × 32", "untrained, 16 × 32"]
    assert live(app)["controls"][0]["index"] == 0
    for frame, each in zip(live(app)["lines"][0]["values"], (key, trained, twin), strict=True):
        assert frame == pytest.approx(lessons.absorb(stored(each)).stream, rel=1e-4)
    assert said(key) in text(app) and live(app)["finding"] == said(key)
    assert links(app)[0]["profile"] == key and "compare" not in links(app)[0]
    app = shown(key, weights="untrained")
    assert said(twin) in text(app) and live(app)["finding"] == said(twin)
    assert "untrained" in live(app)["slots"]["what"]["table"][2] and "32" in live(app)["slots"]["what"]["table"][2]
    assert links(app)[0].items() >= {"profile": twin, "compare": trained}.items()
    app = shown(twin)
    assert live(app)["controls"][0]["stops"] == ["untrained, 16 × 32", "trained, 16 × 32"]
    assert said(twin) in text(app)


def test_the_absorb_chapter_names_the_text_where_nothing_else_tells_its_profiles_apart(empty_cache: Path) -> None:
    spec = synthetic.profile_spec(8, seed=7)
    other = spec.model_copy(update={"text": spec.text.model_copy(update={"content": "e" * 64})})
    random = other.model_copy(update={"model": spec.model.model_copy(update={"initialised": 0})})
    key = synthetic.save_profile(empty_cache, spec, 8, "a model", "one text")
    for each in (other, random):
        synthetic.save_profile(empty_cache, each, 8, "a model", "another text")
    stops = live(opened(profile=key, chapter="absorb"))["controls"][0]["stops"]
    assert stops == ["trained, 16 × 64, one text", "trained, 16 × 64, another text", "untrained, 16 × 64, another text"]


@pytest.mark.parametrize("bundled", [True, False])
def test_a_chapter_falls_back_to_a_profile_that_can_show_it(bundled: bool, empty_cache: Path) -> None:
    """To a fuller one of the same model, or to the bundled one; the profile in view stays as it is."""
    full = synthetic.profile_spec(6, seed=9, prunable=True)
    if bundled:
        full = full.model_copy(update={"model": full.model.model_copy(update={"content": "b" * 64})})
    quick = synthetic.profile_spec(6, 8, "quick", seed=9)
    able = synthetic.save_profile(empty_cache / "home" / "demo" if bundled else empty_cache, full, 6, "whole")
    lacking = synthetic.save_profile(empty_cache, quick, 6, "quick")
    for chapter in CHAPTERS:
        app = opened(profile=lacking, chapter=chapter, **GUESSED)
        assert not app.exception
        falls = chapter in ("amplify", "allocate", "prune")
        notes = [each for each in app.caption if "This profile lacks" in each.value]
        assert len(notes) == falls and not app.info
        for note in notes:
            assert CHAPTERS[chapter].needs in note.value and "whole" in note.value
            assert "measure" in note.proto.help  # what to measure is told to who asks
            names = re.findall(r"[a-z_]+:[a-z0-9]+", note.value.removeprefix(":material/info:"))
            assert not names, "no names of commands"
        assert links(app)[0]["profile"] == (able if falls else lacking)
        assert app.session_state["profile"] == lacking


def test_a_twin_that_cannot_show_a_chapter_gives_way_to_the_trained_model(empty_cache: Path) -> None:
    full, quick = synthetic.profile_spec(6, seed=9, prunable=True), synthetic.profile_spec(6, 8, "quick", seed=9)
    twin = quick.model_copy(update={"model": quick.model.model_copy(update={"initialised": 0})})
    synthetic.save_profile(empty_cache / "home" / "demo", full, 6, "whole", "a text, half of it")
    key = synthetic.save_profile(empty_cache, twin, 6, "random: whole")
    app = opened(profile=key, chapter="prune")
    assert any("the trained model" in each.value and "on a text." in each.value for each in app.caption)


def test_a_model_of_one_layer_gives_way_where_layers_are_compared(empty_cache: Path) -> None:
    synthetic.save_profile(empty_cache / "home" / "demo", synthetic.profile_spec(6, seed=9, prunable=True), 6, "whole")
    key = synthetic.save_profile(empty_cache, synthetic.profile_spec(1, seed=9, prunable=True), 1, "one layer")
    for chapter in (*CHAPTERS, "summary"):
        app = opened(profile=key, chapter=chapter, **GUESSED)
        notes = [each.value for each in app.caption if "lacks a second layer" in each.value]
        assert not app.exception and len(notes) == (chapter in ("amplify", "prune"))


@pytest.mark.parametrize("chapter", ["perturb", "drift"])
def test_a_chapter_asks_to_drag_the_noise_only_where_there_are_sizes(chapter: str, cache: Cache) -> None:
    assert "drag the noise size" in text(opened(profile=cache["deep"], chapter=chapter))
    asked = text(opened(profile=cache["shallow"], chapter=chapter))
    assert "Try: click" in asked and "drag" not in asked


@pytest.mark.parametrize(
    ("chapter", "names"),
    [
        ("perturb", ("gaussian:0.25", "gaussian:0.3")),
        ("prune", ("residual:wanda:0.65", "residual:wanda:0.7")),
        ("prune", ("residual:wanda:0.7", "residual:wanda:0.75")),
    ],
)
def test_strengths_that_lie_close_keep_a_stop_each(chapter: str, names: tuple[str, ...], empty_cache: Path) -> None:
    asked = measurements(map(perturbation, names))
    spec = synthetic.profile_spec(6, 8, seed=11).model_copy(update={"measurements": asked})
    app = opened(profile=synthetic.save_profile(empty_cache, spec, 6), chapter=chapter, **GUESSED)
    assert not app.exception
    [slider] = live(app)["controls"]
    assert len(slider["stops"]) == len(set(slider["values"])) == len(live(app)["bars"]["values"]) == 7
    assert [at for at, _ in slider["marks"]] == [0, 6]
    assert [slider["values"][at] for at in (0, 6)] == [name.rpartition(":")[2] for name in names]


def test_a_profile_that_lacks_something_leads_to_one_that_does_not(cache: Cache) -> None:
    for chapter in ("amplify", "allocate", "prune"):
        app = opened(profile=cache["shallow"], chapter=chapter, **GUESSED)
        assert app.info and not app.exception
        assert links(app)[0] == {"profile": "demo", "chapter": chapter}
    assert live(opened(profile=cache["shallow"]))["controls"][0]["stops"] == ["0.3"]


# --- measured again ------------------------------------------------------------------------------------------------


@pytest.fixture
def apart(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A cache with one profile, where no worker starts."""
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    fake.get(measured_again.REQUEST, Store(empty_cache))
    return Store(empty_cache)


def finish(job: queue.Job, store: Store) -> None:
    """What a worker would do."""
    key = fake.get(job.request, store).key
    job.write(Status(state="done", result=key, started=1.0, updated=48.0))


def test_the_button_measures_apart_from_the_cache_and_lays_the_result_over_it(apart: Store) -> None:
    app = opened()
    app.button(key="again").click().run()
    [job] = queue.jobs(measured_again.place())
    assert job.request == measured_again.REQUEST and not queue.jobs(apart)
    assert "Measuring on" in app.get("progress")[0].proto.text
    line = "residual:wanda:0.7 (2 of 3), sequences 0 to 7: layer 4"
    with processes.take(job.lock):
        job.write(Status(state="running", total=3, done=1, line=line))
        app.run()
    told = app.get("progress")[0].proto.text
    assert "residual" not in told and all(part in told for part in ("Wanda", "70 %", "2 of 3", "0 to 7", "layer 4"))
    finish(job, measured_again.place())
    app.run()
    assert "to the last digit" in text(app) and "47 s" in text(app)
    shown = [json.loads(each.proto.json) for each in pictures(app)][-1]
    old, new = (line["values"] for line in shown["lines"])
    assert np.allclose(old, new) and len(old) == 3
    app.button(key="again").click().run()
    [job] = queue.jobs(measured_again.place())
    assert job.state == "queued" and not measured_again.place().find(job.request), "measured anew, not looked up"


def test_the_button_waits_for_another_run_and_a_failed_one_says_why(apart: Store) -> None:
    other = queue.submit(apart, fake.request(seed=3))
    assert opened().button(key="again").disabled
    queue.cancel(other)
    job = queue.submit(measured_again.place(), measured_again.REQUEST)
    job.write(Status(state="failed", error="no model", bad_request=True))
    app = opened()
    assert app.warning[0].value == "no model"
    assert not app.button(key="again").disabled
