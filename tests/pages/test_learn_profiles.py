"""Learn: the profiles that a chapter draws, and the stops of its sliders."""

import pytest

from core.requests.measurements import measurements
from core.requests.perturbations import perturbation
from tests import synthetic
from tests.pages.learn_page import GUESSED, opened, text
from tests.pages.opening import links, live

Cache = dict[str, str]


@pytest.mark.parametrize("chapter", ["perturb", "drift"])
def test_a_chapter_asks_to_drag_the_noise_only_where_there_are_sizes(chapter, cache):
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
def test_strengths_that_lie_close_keep_a_stop_each(chapter, names, empty_cache):
    asked = measurements(map(perturbation, names))
    spec = synthetic.profile_spec(6, 8, seed=11).model_copy(update={"measurements": asked})
    app = opened(profile=synthetic.save_profile(empty_cache, spec, 6), chapter=chapter, **GUESSED)
    [slider] = live(app)["controls"]
    assert len(slider["stops"]) == len(live(app)["bars"]["values"]) == 2
    assert slider["values"] == [name.rpartition(":")[2] for name in names]


def test_a_profile_that_lacks_something_leads_to_one_that_does_not(cache):
    for chapter in ("amplify", "allocate", "prune"):
        app = opened(profile=cache["shallow"], chapter=chapter, **GUESSED)
        assert app.info
        assert links(app)[0] == {"profile": "demo", "chapter": chapter}
    assert live(opened(profile=cache["shallow"]))["controls"][0]["stops"] == ["0.3"]
