"""Numbers that came in a pack are called imported on every page that shows them; one's own are nowhere."""

import pytest

from core.models import run_cost
from core.show.report import reports
from core.store.cache import Store
from core.store.packs import pack, unpack
from tests import synthetic
from tests.pages.opening import opened_at
from tests.pages.prune_page import EXPECTED, LAYERS, PROFILE, family, save
from tests.pages.test_strangers import read

OF_STUDY = (("prune", {"part": "results"}), ("runs", {"show": "evaluations"}))
VIEWS = (
    *((page, {}) for page in ("learn", "absorption", "allocate")), ("prune", {"part": "evaluate"}),
    ("runs", {"show": "profiles"}), *OF_STUDY,
)  # fmt: skip
CASES = [
    *((page, view, "own", False) for page, view in VIEWS),
    *((page, view, "both", True) for page, view in VIEWS),
    *((page, view, "study", True) for page, view in OF_STUDY),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A profile and a study of it: measured here, both imported, and the study alone imported."""
    own, both, alone = (Store(tmp_path_factory.mktemp(name)) for name in ("own", "both", "study"))
    for store in (own, alone):
        synthetic.save_profile(store.root, PROFILE, LAYERS, "deep model")
    save(own, family()[:6])
    for kind in ("profile", "study"):
        for entry in (each for each in own.entries(kind) if not each.committed):
            content = pack(own, entry)
            unpack(both, content)
            unpack(alone, content)
    return {"own": own.root, "both": both.root, "study": alone.root}


@pytest.mark.parametrize(("page", "view", "came", "imported"), CASES)
def test_a_page_says_so(page, view, came, imported, bare, made, monkeypatch):
    monkeypatch.setenv("ABSORPTION_CACHE", str(made[came]))
    monkeypatch.setattr(run_cost, "estimate", lambda *_: EXPECTED)
    app = opened_at(page, profile=PROFILE.key, **view)
    assert any("imported" in each for each in said(app)) == imported


@pytest.mark.parametrize(("kind", "came"), [("profile", "both"), ("study", "study"), ("study", "own")])
def test_a_report_says_so(kind, came, bare, made):
    store = Store(made[came])
    [entry] = store.entries(kind)
    assert ("imported" in reports.html(store, entry)) == (came != "own")


def said(app):
    """Whatever is read on a page, in its tables and choices too."""
    tables = [each.value.to_csv() for each in app.dataframe]
    choices = [option for each in app.selectbox for option in each.options]
    return [*(text for node in app._tree for text in read(node)), *tables, *choices]
