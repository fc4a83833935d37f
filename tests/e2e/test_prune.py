"""In a real browser: a study is run and watched from two tabs, one reloaded; its verdict read; links, phones."""

import re

from playwright.sync_api import expect

from tests import synthetic
from tests.e2e.conftest import query, serving, working


def test_a_study_is_run_watched_and_read(tab, tmp_path):
    """The queue is served with invented numbers, while nothing holds it."""
    key = synthetic.save_profile(tmp_path, synthetic.profile_spec(6, prunable=True), "deep model")
    (hold := tmp_path / "hold").touch()
    worker = "tests/fake_experiment.py", str(tmp_path), "cpu", "60"
    with serving(tmp_path) as address, working(tmp_path, *worker):
        prune = f"{address}/prune?profile={key}"
        page = tab(f"{prune}&base=dlp&part=evaluate&windows=16&device=cpu")
        expect(page.get_by_text("3 points")).to_be_visible()
        page.get_by_role("button", name="Run evaluation").click()
        expect(page.get_by_text("1 of 3 points finished")).to_be_visible()
        page.get_by_role("button", name="Numbers").click()
        numbers = page.get_by_test_id("stPopoverBody")
        for _ in range(8):  # the panel asks again every second, and an answer has three messages and more
            page.sockets[-1].wait_for_event("framereceived")
        expect(numbers.get_by_test_id("stDataFrame")).to_be_visible()
        other = tab(f"{prune}&job={query(page)['job']}")
        expect(other.get_by_text("1 of 3 points finished")).to_be_visible()
        page.reload()
        expect(page.get_by_text("1 of 3 points finished")).to_be_visible()
        hold.unlink()
        link = page.get_by_role("link", name="Open the results")
        expect(link).to_be_visible()
        link.click()
        answer = page.get_by_test_id("stMetric").first
        expect(answer).to_contain_text(re.compile(r"70 % zeros.*8\.3.* % against uniform"))
        page.wait_for_url(lambda url: "job=" not in url)
        expect(page.get_by_text("16 passages of").first).to_be_visible()
        expect(other.get_by_role("link", name="Open the results")).to_be_visible()
