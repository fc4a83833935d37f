"""A server that others use: a class that may only look, and a group that a proxy lets in."""

import re
from http.client import HTTPConnection
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect

from core.jobs import queue
from core.store import Store
from tests import fake_experiment as fake
from tests import synthetic
from tests.e2e.conftest import READY, serving, still

pytestmark = pytest.mark.timeout(900)
SLOW = 240_000  # ms: a server that starts beside others


def sharing(cache, *options):
    """`python -m core serve` with a cache."""
    return serving(cache, command=("core", "serve", "--cache", str(cache), *options, "--port"))


def test_a_class_may_only_look(tab, tmp_path):
    store = Store(tmp_path)
    synthetic.save_small(store.root)
    queue.submit(store, fake.request())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    with sharing(tmp_path, "--share", "lab.example.org", "--read-only") as address:
        connection = HTTPConnection(urlparse(address).netloc, timeout=60)
        connection.request("GET", "/", headers={"Host": "lab.example.org"})
        assert connection.getresponse().status == 200
        one, other = tab(f"{address}/play", until=READY), tab(f"{address}/runs", until=READY)
        for label in ("Delete", "Cancel"):
            expect(other.get_by_role("button", name=label, exact=True).first).to_be_disabled(timeout=SLOW)
        field = one.get_by_role("textbox").first
        field.fill("A sentence of one reader.")
        field.press("Enter")
        taken = re.compile("The model is loading|Measuring layer|Layer \\d+ is measured|Measured live")
        expect(one.get_by_text(taken).first).to_be_visible(timeout=SLOW)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_all_whom_the_proxy_lets_in_may_do_the_same(tab, tmp_path):
    store = Store(tmp_path / "cache")
    key = synthetic.save_small(store.root)
    run = queue.submit(store, fake.request())
    with sharing(store.root, "--share", "lab.example.org", "--root", str(tmp_path)) as address:
        page = tab(f"{address}/measure?job={run.key}", until=READY)
        page.get_by_role("button", name="Cancel", exact=True).click(timeout=SLOW)
        expect(page.get_by_text("Cancelled at")).to_be_visible(timeout=SLOW)
        page.goto(f"{address}/runs?profile={key}")
        expect(delete := page.get_by_role("button", name="Delete", exact=True)).to_be_visible(timeout=SLOW)
        still(delete)  # pictures that come later would push what it opens out of sight
        delete.click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.locator(f".st-key-card-{key}")).to_have_count(0, timeout=SLOW)
    assert key not in [entry.key for entry in store.entries()]
