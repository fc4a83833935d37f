"""Every page, part and stored profile is opened once and says what was approved.

`APPROVE=1 python -m pytest tests/pages/test_crawler.py` approves what they say now; read the difference before it is
committed.
"""

from pathlib import Path

import pytest
from streamlit.elements.lib.mutable_popover_container import PopoverContainer

from core.show.figures import COMPARED, GROUPS
from core.show.figures.charts import GLANCE
from core.show.report import BENCHES, claims, questions
from core.store import Store
from tests import approved
from tests.pages import reading
from tests.pages.opening import CHAPTERS, opened_at

APPROVED = Path(__file__).parent / "approved"
OWL = "owl strength=0.04 driver=gaussian:0.3:0.7"
VIEWS = [
    *((page, {}) for page in ("play", "measure", "compare", "goal", "reference", "glossary")),
    *(("learn", {"chapter": chapter}) for chapter in CHAPTERS),
    *(("absorption", {"group": group}) for group in GROUPS if group not in (GLANCE, COMPARED)),
    *(("tune", {"currency": unit}) for unit in ("zeros", "bits", "integers", "gguf", "layers")),
    *(("tune", {"allocation": OWL, "hand": hand}) for hand in ("", "3:0.55")),
    *(("tune", {"evaluate": kind}) for kind in ("family", "methods")),
    *(("results", {"detail": detail}) for detail in ("verdicts", "correction", "all")),
    *(("runs", {"show": view}) for view in ("profiles", "evaluations")),
    *(("evidence", {"question": name}) for name in (claims.PAPER, *questions.QUESTIONS, *BENCHES)),
]


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch, tmp_path_factory):
    """A home without a folder that a page would propose."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def numbers_opened(monkeypatch):
    """Every popover stands open, so that the numbers of pictures are read too."""
    monkeypatch.setattr(PopoverContainer, "open", property(lambda self: True, lambda self, value: None))


def check(name, app):
    approved.check(APPROVED / f"{name}.txt", reading.text(app).splitlines())


def name(page, view):
    return "-".join([page, *view.values()]).replace(":", "").replace(" ", "_").replace("=", "").replace(".", "")


@pytest.mark.parametrize(("page", "view"), VIEWS, ids=[name(*each) for each in VIEWS])
@pytest.mark.usefixtures("committed")
def test_a_page_of_the_committed_results_says_what_was_approved(page, view):
    check(name(page, view), opened_at(page, **view))


@pytest.mark.parametrize("page", ["learn", "absorption", "tune"])
@pytest.mark.parametrize("key", [entry.key for entry in Store().entries("profile") if entry.committed])
@pytest.mark.usefixtures("committed")
def test_a_page_shows_every_committed_profile(page, key):
    app = opened_at(page, profile=key)
    check(f"{page}-{key[:6]}", app)


@pytest.mark.parametrize("page", ["learn", "absorption", "tune", "results"])
@pytest.mark.parametrize("kind", ["deep", "twin", "shallow", "linear"])
def test_a_page_shows_every_kind_of_profile(page, kind, cache):
    check(f"{page}-{kind}", opened_at(page, profile=cache[kind]))


@pytest.mark.parametrize("page", ["learn", "measure", "absorption", "tune", "runs"])
@pytest.mark.usefixtures("empty_cache")
def test_a_page_without_results_says_what_to_do(page):
    check(f"{page}-empty", opened_at(page))
