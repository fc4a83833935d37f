"""A report opened from disk, without a network: charts are drawn, nothing is asked for, nothing foreign runs."""

import pytest
from playwright.sync_api import expect

from core.show.report import html
from core.store import Store
from tests import synthetic

EVIL = "<img src=https://example.org/x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A report of a profile, whose model is called like markup."""
    root = tmp_path_factory.mktemp("reported")
    profile = synthetic.save_profile(root, synthetic.profile_spec(12, 8, prunable=True), EVIL)
    store = Store(root)
    path = root / "a report.html"
    path.write_text(html(store, store.profile(profile)), encoding="utf-8")
    return path


@pytest.fixture
def opened(file, window, request):
    """The file in a browser without a network; remembers requests and complaints."""
    page = window(offline=True, **getattr(request, "param", {}))
    page.asked, page.complaints = [], []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.on("console", lambda said: page.complaints.append(said.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(file.as_uri())
    return page


def test_every_chart_is_drawn_and_nothing_is_asked_for(opened, file):
    charts = opened.locator(".chart")
    assert charts.count() >= 7
    for index in range(charts.count()):
        expect(charts.nth(index).locator(".main-svg").first).to_be_visible()
        assert charts.nth(index).locator("path, rect").count() > 10
    assert opened.asked == [file.as_uri()]
    assert opened.complaints == []
    assert opened.title() == "Absorption report"
