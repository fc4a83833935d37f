"""Learn: every chapter opens, predictions come before what was measured, links carry the view."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core import lessons, specs
from core.allocation.depth_ramp import DepthRamp
from core.analysis import findings
from core.jobs import queue
from core.jobs.records import Status
from core.lessons.marks import REFERENCE
from core.specs.allocations import AllocationRequest
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import glossary
from pages.ui.live import tour
from pages.ui.tour import CHAPTERS, measured_again
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import links, live, opened_at, paint, pictures, url

Cache = dict[str, str]
SAID = {
    "perturb": lessons.perturb,
    "drift": lessons.drift,
    "amplify": lessons.amplify,
    "absorb": lessons.absorb,
    "allocate": lessons.correction,
    "prune": lessons.prune,
}
GUESSED = {"sink": "stay", "worst": "3"}


def opened(**view: str) -> AppTest:
    """The page with a view in its URL."""
    return opened_at("learn", **view)


def stored(key: str) -> Profile:
    return profiles.load(Store(), Store().profile(key))


def text(app: AppTest) -> str:
    """What Streamlit draws and what stands beside the live picture as it opens, without references."""
    told = [each.value for each in app.markdown]
    for picture in (json.loads(each.proto.json) for each in pictures(app)):
        asked = picture["ask"]["question"] if picture["ask"] else ""
        told += map(lessons.plain, (picture["lead"], asked, *(opening(picture, slot) for slot in picture["notes"])))
    return "\n".join(told)


def opening(picture: dict, slot: dict) -> str:
    """What a note says in the frame that the picture opens with."""
    frame = 0
    for control in picture["controls"]:
        frame = frame * len(control["stops"]) + control["index"]
    return slot["table"][frame if slot["by"] == "frame" else 0]


def answer(app: AppTest, **changes: object) -> AppTest:
    """As the live picture's callback does once a button of its question is pressed."""
    for key, value in changes.items():
        app.session_state[key] = value
    return app.run()


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_chapter_is_a_sentence_a_figure_a_task_and_a_way_on(chapter: str, cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter=chapter, **GUESSED)
    assert not app.exception and not app.info and not app.error
    said = SAID[chapter](stored(cache["deep"])).said
    figure = live(app)
    assert figure["title"] and figure["layers"] == 30 and figure["finding"] == lessons.plain(said)
    assert "Try:" in text(app) and lessons.plain(said) in text(app)
    assert links(app)[0]["profile"] == cache["deep"]
    assert next(each.label for each in app.expander) == "Numbers" and app.get("download_button")
    assert any(each.key == "again" for each in app.button) == (chapter == "perturb")  # measured again
    for each in (figure, live(opened(profile=cache["deep"], chapter=chapter))):  # after a guess and before it
        assert_every_frame_has_its_words_and_numbers(each)
        assert_every_number_refers_to_a_mark(each)


def assert_every_number_refers_to_a_mark(figure: dict) -> None:
    """In the frames of every note too; the key alone, which names what is drawn, refers to nothing."""
    words = [figure["lead"], figure["says"], figure["ask"]["question"] if figure["ask"] else ""]
    said = REFERENCE.sub("", figure["says"])
    spoken = [slot for name, slot in figure["slots"].items() if f"{{{name}}}" in said]
    words += np.concatenate([np.ravel(slot["table"]) for slot in (*spoken, *figure["notes"])] or [[]]).tolist()
    alone = [each for each in words if re.search(r"\d", REFERENCE.sub("", each))]
    assert alone == [] and any(REFERENCE.search(each) for each in words)


def assert_every_frame_has_its_words_and_numbers(figure: dict) -> None:
    frames, layers = math.prod(len(each["stops"]) for each in figure["controls"]), figure["layers"]
    names = [slot for said in (figure["says"], *(said for *_, said in figure["key"])) for slot in slots_in(said)]
    assert figure["pick"] or "layer" not in names
    for slot in (figure["slots"][name] for name in names if name != "layer"):
        assert len(slot["table"]) == (layers if slot["by"] == "layer" else frames)
        assert slot["by"] != "both" or all(len(row) == layers for row in slot["table"])
    tables = [line["values"] for line in figure["lines"]] + ([figure["bars"]["values"]] if figure["bars"] else [])
    assert tables and all(len(table) == frames for table in tables)
    assert isinstance(figure["y"], dict) or len(figure["y"]) == frames
    tones = {tone for row in (figure["bars"] or {}).get("tones") or [] for tone in row}
    tones |= {line["tone"] for line in figure["lines"]} | {key[0] for key in figure["key"]}
    assert tones <= set(figure["colours"])


def slots_in(said: str) -> list[str]:
    """The names in braces."""
    return said.replace("}", "{").split("{")[1::2]


def test_the_chapters_follow_one_another(cache: Cache) -> None:
    app = opened(profile=cache["deep"])
    seen = []
    for _ in CHAPTERS:
        seen.append(app.session_state["chapter"])
        app.button(key="next").click().run()
    assert seen == list(CHAPTERS)
    assert app.session_state["chapter"] == "summary" and app.button(key="next").disabled
    app.button(key="back").click().run()
    assert app.session_state["chapter"] == "prune" and not app.button(key="next").disabled
    assert url(app)["chapter"] == "prune"


def test_the_tour_ends_with_what_each_chapter_taught_and_the_ways_back(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="summary")
    assert not app.exception
    for said in lessons.closing(stored(cache["deep"])).values():
        assert said.replace(" %", "\u00a0%") in text(app)
    assert {each["profile"] for each in links(app)} == {cache["deep"]}
    app.button(key="again-absorb").click().run()
    assert app.session_state["chapter"] == "absorb" and live(app)["name"].startswith("absorb")


def test_before_a_room_a_chapter_is_its_picture_alone(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="drift", present="on")
    assert live(app)["large"] and not app.title and not app.expander and not links(app)
    app.button(key="next").click().run()
    assert live(app)["large"] and app.session_state["chapter"] == "amplify"
    app.toggle(key="present").set_value(False).run()
    assert not live(app)["large"] and app.title and links(app) and "present" not in app.query_params


def test_the_sink_is_shown_after_a_prediction_only(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="amplify")
    found = lessons.amplify(stored(cache["deep"]))
    assert len(live(app)["bars"]["values"]) == 1 and not live(app)["controls"]
    assert lessons.plain(found.said) not in text(app) and live(app)["finding"] == findings.finding(found.without)
    assert "by definition" in live(app)["slots"]["verdict"]["table"][0][-1]
    assert any("undecided" in text and "5 %" in text for *_, text in live(app)["key"])
    assert list(live(app)["ask"]["options"]) == list(lessons.GUESSES)
    assert "gain with it" not in app.dataframe[0].value
    answer(app, sink="rise")
    assert live(app)["bars"]["values"][1] == pytest.approx(found.including.value, rel=1e-4)
    assert live(app)["controls"][0]["index"] == 1
    assert live(app)["bars"]["values"][2] == pytest.approx(found.skipped.value, rel=1e-4)
    assert lessons.plain(found.said) in text(app) and not live(app)["ask"]
    assert lessons.plain(lessons.judged("rise", found)) in text(app)
    assert {"gain with it", "gain skipped"} <= set(app.dataframe[0].value)


def test_the_worst_layer_is_shown_after_a_prediction_only(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="prune")
    found = lessons.prune(stored(cache["deep"]))
    assert set(live(app)["bars"]["values"][0]) == {None}
    assert not app.dataframe and lessons.plain(found.said) not in text(app) and not live(app)["finding"]
    assert live(app)["ask"]["waiting"]  # the marker in the middle is no guess
    middle = live(app)["pick"]["index"]
    said = live(app)["slots"]["guess"]["table"]
    assert str(middle) not in said[middle] and "layer 7" in lessons.plain(said[7])
    app.session_state["layer of the guess"] = 7
    app.run()
    assert f"layer {middle}" in lessons.plain(live(app)["slots"]["guess"]["table"][middle])
    assert not live(app)["ask"]["waiting"]
    answer(app, worst=7, layer=found.worst)
    figure = live(app)
    step = figure["controls"][0]["index"]
    assert figure["bars"]["values"][step] == pytest.approx(found.harm[found.at], rel=1e-4)
    assert lessons.plain(found.judged(7)[found.at]) in text(app)
    assert figure["pick"]["index"] == found.worst
    app.switch_page("runs.py").run().switch_page("learn.py").run()
    assert lessons.plain(found.said) in text(app), "the answer is remembered"


def test_a_table_holds_all_that_its_figure_shows(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="drift")
    assert_the_axis_shows_the_fall(live(app))
    drift = app.dataframe[0].value
    assert len(drift) == 30 * 31 // 2 and drift["noise after layer"].nunique() == 30
    amplify = opened(profile=cache["deep"], chapter="amplify", **GUESSED).dataframe[0].value
    assert set(amplify["verdict with it"].dropna()) <= {"amplifies", "absorbs", "undecided"}
    assert amplify["verdict without first token"].isna().sum() == 1


def assert_the_axis_shows_the_fall(figure: dict) -> None:
    """What the lines of all sizes span takes most of the height, and none of it is cut."""
    shown = np.array([each for frame in figure["lines"][0]["values"] for row in frame for each in row], float)
    low, high = np.nanmin(shown), np.nanmax(shown)
    assert figure["y"]["low"] <= low and high <= figure["y"]["high"]
    assert np.log(high / low) > 0.8 * np.log(figure["y"]["high"] / figure["y"]["low"])


def test_the_last_lesson_names_its_target_and_its_table_has_one_format_a_column(empty_cache: Path) -> None:
    spec = synthetic.profile_spec(8, seed=7, prunable=True)
    key = synthetic.save_profile(empty_cache, spec, 8, "a model")
    ramp = specs.Setting(allocation=AllocationRequest(base=DepthRamp(beta=0.002)))
    synthetic.save_study(empty_cache, synthetic.study_spec(spec, [ramp], 8), 8)
    app = opened(profile=key, chapter="prune", **GUESSED)
    assert "at 70 % zeros, “" in text(app)
    assert any("Protocol" in each.value and "70 %" in each.value for each in app.caption)
    shown = app.dataframe[1]
    assert set(shown.value["zeros"]) == {"70 %"}
    columns = json.loads(shown.proto.columns)
    formats = {name: column.get("type_config", {}).get("format") for name, column in columns.items()}
    wanted = {"perplexity": "%,.1f", "against uniform, %": "%+.1f", "estimated harm, nats": "%.3f"}
    assert formats.items() >= wanted.items()


def test_a_turn_of_chapter_goes_to_the_top_and_nothing_else_does(cache: Cache) -> None:
    def scrolls(app: AppTest) -> bool:
        return any("scrollTo" in each.proto.body for each in app.get("html"))

    app = opened(profile=cache["deep"], chapter="drift").run()
    assert not scrolls(app)
    assert scrolls(app.button(key="next").click().run())
    assert not scrolls(answer(app, sink="rise"))
    assert scrolls(app.button(key="next").click().run())
    assert not scrolls(app.run())


def test_links_lead_to_the_same_view(cache: Cache) -> None:
    view = {"profile": cache["deep"], "layer": "17"}
    there = view | {"statistic": "geometric"}
    asked = links(opened(chapter="drift", noise="0.12", **view))[0]
    assert asked == there | {"perturbation": "gaussian:0.1", "positions": "after_first"}
    asked = links(opened(chapter="amplify", sink="stay", **view))[0]
    assert asked == there | {"perturbation": "gaussian:0.3", "positions": "all"}
    asked = links(opened(chapter="amplify", sink="stay", **view, **{"noise-at": "skip"}))[0]
    assert asked == there | {"perturbation": "skip"}
    asked = links(opened(chapter="absorb", **view))[0]
    assert asked.items() >= {**view, "compare": cache["twin"]}.items()
    asked = links(opened(chapter="prune", zeros="0.58", **view, worst="2"))[0]
    assert asked == there | {"perturbation": "residual:wanda:0.6"}
    app = opened(chapter="prune", zeros="0.58", **view, worst="2")
    assert links(app)[1]["allocation"] == "response objective=kl:0.58"
    assert "58 %" in app.main.get("page_link")[1].proto.label
    asked = links(opened(chapter="allocate", push="-0.06", **view))[0]
    words = "owl m=5 lam=0.08 strength=0.06 driver=gaussian:0.3 control=reversed:0.7"
    assert asked["allocation"] == words
    assert links(opened(chapter="allocate", push="-0.06", **view))[1].items() == (asked.items() - {("judge", "kl")})


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_link_stays_in_the_address_as_it_is(chapter: str, cache: Cache) -> None:
    """A page that wrote it anew would put another entry between the reader and the way back."""
    tour = opened(profile=cache["deep"], chapter=chapter, **GUESSED)
    for element, link in zip(tour.main.get("page_link"), links(tour), strict=True):
        assert url(opened_at(element.proto.page, **link)) == link, element.proto.page


def test_the_layer_stays_with_other_pages(cache: Cache) -> None:
    app = opened(profile=cache["deep"], chapter="drift", layer="17")
    app.switch_page("absorption.py").run()
    assert live(app)["pick"]["index"] == 17


def test_allocate_opens_as_the_tour_left_it_whatever_was_set_there(cache: Cache) -> None:
    app = opened_at("allocate", profile=cache["deep"], hand="3:0.5", clip=str(float(np.log(1.5))), unclipped="True")
    app.query_params.update(chapter="allocate", push="0.02")
    app.switch_page("learn.py").run()
    tour = live(app)
    now = tour["bars"]["values"][tour["controls"][0]["index"]]
    app.query_params.update(links(app)[0])
    app.switch_page("allocate.py").run()
    allocate = live(app)
    assert allocate["rows"][allocate["index"]] == pytest.approx(now, abs=1e-4)
    assert allocate["told"][allocate["index"]][1][0] == tour["slots"]["harm"]["table"][tour["controls"][0]["index"]]


@pytest.mark.parametrize("chapter", list(CHAPTERS))
def test_a_tab_draws_the_figure_first_and_the_whole_chapter_once_it_stands(chapter: str, cache: Cache) -> None:
    app = opened_at("learn", painted=False, profile=cache["deep"], chapter=chapter)
    first = live(app)
    assert first["waiting"] and not app.get("page_link")
    paint(app)
    app.run()
    assert not live(app)["waiting"] and app.get("page_link")
    assert live(app) == first | {"waiting": False}
    assert not app.exception


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


@pytest.mark.parametrize("chapter", ["perturb", "drift"])
def test_a_chapter_asks_to_drag_the_noise_only_where_there_are_sizes(chapter: str, cache: Cache) -> None:
    assert "drag the noise size" in text(opened(profile=cache["deep"], chapter=chapter))
    asked = text(opened(profile=cache["shallow"], chapter=chapter))
    assert "Try: click" in asked and "drag" not in asked


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
    job.write(Status(total=3, done=1, line="residual:wanda:0.7 (2 of 3), sequences 0 to 7: layer 4"))
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


# --- axes ----------------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e3), st.floats(1.2, 1e9))
def test_a_log_axis_has_ticks_enough_to_read_it_and_none_too_near_another(low: float, spread: float) -> None:
    values = np.array([low, low * spread])
    for axis in (tour.log_axis("", values), tour.ratio_axis("", values)):
        ticks = [value for value, _ in axis.ticks]
        assert len(ticks) >= 3 and axis.low <= ticks[0] and ticks[-1] <= axis.high
        assert (np.diff(np.log(ticks)) >= 0.0999 * np.log(axis.high / axis.low)).all()
        assert all(float(said.rstrip("×").replace(",", "")) == value for value, said in axis.ticks)
    assert 1.0 in ticks, "a ratio is read against one"


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        (tour.log_axis, [0.16, 0.33], ["0.15", "0.2", "0.3"]),
        (tour.log_axis, [0.01, 20], ["0.01", "0.1", "1", "10"]),
        (tour.ratio_axis, [0.55, 1.02], ["0.6×", "0.8×", "1×", "1.25×"]),
        (tour.ratio_axis, [0.3, 5], ["0.5×", "1×", "2×", "5×"]),
    ],
)
def test_ticks_are_round(axis: Callable[..., tour.Axis], values: list[float], said: list[str]) -> None:
    assert [text for _, text in axis("", np.array(values)).ticks] == said


# --- words ---------------------------------------------------------------------------------------------------------


def test_the_glossary_has_every_word_that_results_are_told_in() -> None:
    words = (
        "layer, linear, perturbation, injection layer, positions, drift, read layer, gain, absorption, step ratio, "
        "dilution, verdict, noise floor, harm, response, budget, correction, mean of ratios, frozen-noise baseline, "
        "magnitude, Wanda, SparseGPT, uniform, OWL, DLP, AlphaPruning, depth ramp, strength, nats, perplexity, "
        "rank correlation"
    )
    assert set(words.split(", ")) <= set(glossary.TERMS)
    assert all(term.sentence.endswith(".") and term.formula for term in glossary.TERMS.values())


def test_every_word_of_a_chapter_is_in_the_glossary(cache: Cache) -> None:
    used = {term for chapter in CHAPTERS.values() for term in chapter.terms}
    assert used <= set(glossary.TERMS)
    app = opened_at("glossary")
    assert not app.exception
    assert [each.value for each in app.header] == list(glossary.TERMS)
    assert [each.proto.anchor for each in app.header] == [glossary.anchor(term) for term in glossary.TERMS]
    formulas = [each for each in app.markdown if each.value.startswith(r"$\displaystyle")]
    assert len(formulas) == len(glossary.TERMS)
    assert all(f"(#{glossary.anchor(term)})" in app.markdown[0].value for term in glossary.TERMS)
