"""The server ends in the middle of a run and starts again: the run goes on, and the page follows it again."""

from playwright.sync_api import expect

from core.jobs import queue
from core.store import Store
from tests import fake_experiment as fake
from tests.e2e.conftest import free_port, serving, working


def test_a_run_outlives_the_machine_and_then_the_server_alone(tab, tmp_path):
    store, port = Store(tmp_path), free_port()
    (store.root / "hold").touch()
    run = queue.submit(store, fake.request())
    worker = ("tests/fake_experiment.py", str(store.root), "cpu", "60")
    with working(store.root, *worker), serving(store.root, port) as address:
        page = tab(f"{address}/measure?job={run.key}")
        expect(page.get_by_text("17 %").first).to_be_visible()
    with working(store.root, *worker):
        with serving(store.root, port):
            expect(page.get_by_text("Interrupted at 17 %")).to_be_visible()
            page.get_by_role("button", name="Resume").click()
            expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        with serving(store.root, port):
            (store.root / "hold").unlink()
            expect(page.get_by_text("Done in")).to_be_visible()
    assert len((store.root / "measured.txt").read_text().splitlines()) == 6, "every part was measured once"
