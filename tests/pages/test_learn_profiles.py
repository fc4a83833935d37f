"""Learn: the profiles that a chapter draws, and the stops of its sliders."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.ask.measurements import measurements
from core.ask.perturbations import perturbation
from core.show import lessons
from tests import synthetic
from tests.pages.learn_page import GUESSED, opened, stored, text
from tests.pages.opening import links, live

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
    assert live(app)["slots"]["what"]["table"][2] == "Untrained, 16 × 32"
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
