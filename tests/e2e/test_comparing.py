"""In a real browser: another checkpoint is named on the page, compared by the worker, and its fault read there."""

import json

import pytest
from playwright.sync_api import expect

from core.cli import main
from core.show.figures.charts import COMPARED
from tests import tiny
from tests.e2e.conftest import PATIENCE, serving, settle, wait_for_query, working
from tests.faulty import rewritten

SLOW = 600  # s: a worker that begins reads torch first
FAULTY = "layers.2.mlp.up_proj.weight"


@pytest.mark.timeout(SLOW)
def test_a_checkpoint_is_compared_from_the_page(tab, tmp_path, capsys):
    cache, text = tmp_path / "cache", tiny.text_file(tmp_path)
    other = rewritten(tmp_path / "other", lambda name, each: 1.05 * each if name.endswith(FAULTY) else each)
    read = ("--model", str(tiny.folder("llama")), "--text", text, "--sequences", "8", "--length", "16")
    assert main(["measure", *read, "--perturb", "gaussian:0.3", "--cache", str(cache), "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["key"]
    with serving(cache) as address, working(cache):
        page = tab(f"{address}/absorption?profile={key}&group={COMPARED}")
        place = page.get_by_role("textbox", name="Checkpoint to compare with this model")
        place.fill(str(other))
        place.press("Enter")
        wait_for_query(page, other=str(other))
        page.get_by_role("button", name="Run comparison").click()
        page.get_by_role("link", name="Open the comparison").first.click(timeout=4 * PATIENCE)
        expect(page.get_by_text("Layer 2 stands out: its mlp.up_proj.weight differs by 5 %")).to_be_visible()
        expect(page.locator(".st-key-checkpoint-weights .js-plotly-plot .main-svg").first).to_be_visible()
        settle(page)
        wait_for_query(page, group=COMPARED)
