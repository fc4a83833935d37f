"""In a real browser: a study is run and watched from two tabs, one reloaded; its verdict read; links, phones."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.requests import grammar
from core.results import candidates
from tests import synthetic
from tests.e2e.conftest import query, serving, settle, working

LAYERS = 6
OWL = grammar.method("owl", 0.7)


@dataclass(frozen=True)
class Place:
    """A server, its cache and the profile in it."""

    address: str
    root: Path
    profile: str

    @property
    def page(self):
        return f"{self.address}/prune?profile={self.profile}"


def study(root, profile, asked, **more):
    """A study of the profile in the cache."""
    spec = synthetic.profile_spec(LAYERS, prunable=True)
    points = synthetic.study_spec(spec, candidates.combined(asked, "wanda", (0, 1, 2)), LAYERS, **more)
    return synthetic.save_study(root, points, LAYERS, profile)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A served cache with a study of the correction and its controls."""
    root = tmp_path_factory.mktemp("prune")
    profile = synthetic.save_profile(root, synthetic.profile_spec(LAYERS, prunable=True), LAYERS, "deep model")
    asked = candidates.family(OWL, "gaussian:0.3", [0.0, 0.04, 0.08], candidates.CONTROLS, 5)
    study(root, profile, asked, tasks=("boolq", "rte"))
    with serving(root) as address:
        yield Place(address, root, profile)


@pytest.fixture
def worker(place):
    """A process that serves the queue with invented numbers."""
    with working(place.root, "tests/fake_experiment.py", str(place.root), "cpu", "60"):
        yield


@pytest.mark.usefixtures("worker")
def test_a_study_is_run_watched_and_read(place, tab):
    hold = place.root / "hold"
    hold.touch()
    page = tab(f"{place.page}&base=dlp&part=evaluate&windows=16&device=cpu")
    expect(page.get_by_text("3 points")).to_be_visible()
    page.get_by_role("button", name="Run evaluation").click()
    expect(page.get_by_text("1 of 3 points finished")).to_be_visible()
    page.get_by_role("button", name="Numbers").click()
    numbers = page.get_by_test_id("stPopoverBody")
    for _ in range(8):  # the panel asks again every second, and an answer has three messages and more
        page.sockets[-1].wait_for_event("framereceived")
    expect(numbers.get_by_test_id("stDataFrame")).to_be_visible()
    other = tab(f"{place.page}&job={query(page)['job']}")
    expect(other.get_by_text("1 of 3 points finished")).to_be_visible()
    page.reload()
    expect(page.get_by_text("1 of 3 points finished")).to_be_visible()
    hold.unlink()
    link = page.get_by_role("link", name="Open on the Prune page")
    expect(link).to_be_visible()
    link.click()
    answer = page.get_by_test_id("stMetric").first
    expect(answer).to_contain_text(re.compile(r"70 % zeros.*8\.3.* % against uniform"))
    page.wait_for_url(lambda url: "job=" not in url)
    expect(page.get_by_text("16 × 512").first).to_be_visible()
    expect(other.get_by_role("link", name="Open on the Prune page")).to_be_visible()


def test_one_click_uses_the_best_known_setting_as_far_as_its_export(demo, tab):
    """It needs the profile of linears, which comes into view by itself where another was picked."""
    page = tab(f"{demo}/allocate?profile=demo")
    profile = page.get_by_role("combobox", name="Profile")
    before = profile.input_value()
    card = page.locator(".st-key-best-known")
    best = card.get_by_test_id("stMetricValue")
    expect(best).to_have_css("font-size", "48px")
    perplexity = best.inner_text()
    card.get_by_role("button", name="Use this setting").click()
    page.wait_for_url(re.compile("granularity"))
    settle(page)
    expect(profile).not_to_have_value(before)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    page.get_by_role("link", name="Prune with this allocation").click()
    expect(page.locator("h1")).to_have_text("What does pruning cost?")
    answer = page.get_by_test_id("stMetric").first
    expect(answer).to_contain_text("Response per linear")
    expect(answer.get_by_test_id("stMetricValue")).to_have_text(perplexity)
    settle(page)
    page.get_by_role("link", name="Export this setting").click()
    expect(page.get_by_role("button", name="Export model")).to_be_visible()
    settle(page)
    expect(page.get_by_text("Setting in view: Response per linear")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
