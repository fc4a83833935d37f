"""Learn: the profiles that a chapter draws, and the stops of its sliders."""

from tests.pages.learn_page import GUESSED, opened
from tests.pages.opening import links, live


def test_a_profile_that_lacks_something_leads_to_one_that_does_not(cache):
    for chapter in ("amplify", "prune"):
        app = opened(profile=cache["shallow"], chapter=chapter, **GUESSED)
        assert app.info
        assert links(app)[0] == {"profile": "demo", "chapter": chapter}
    assert live(opened(profile=cache["shallow"]))["controls"][0]["stops"] == ["0.3"]
