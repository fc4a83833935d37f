"""The newcomer's way through the product, in a real browser, with a real worker and a real, tiny model."""

import pytest
import torch
from playwright.sync_api import expect
from transformers import AutoModelForCausalLM

from core.models import anatomy
from tests import tiny
from tests.e2e.conftest import serving, settle, still, working

SLOW = 120_000  # ms; the worker loads torch first
TINY_EVALUATION = "windows=8&length=32&calibration_windows=4&calibration_length=32&device=cpu"


def go(page, name, part, title):
    """A part of another page, by the sidebar."""
    page.get_by_test_id("stSidebarNav").get_by_text(name, exact=True).click()
    settle(page)
    page.get_by_test_id("stMain").get_by_role("radio", name=part, exact=True).click()
    expect(page.locator("h1")).to_have_text(title)
    settle(page)


def type_into(page, key, text):
    """Type over what a field holds."""
    field = page.locator(f".st-key-{key} input").first
    field.click()
    field.fill(text)
    field.press("Enter")
    settle(page)
    expect(field).to_have_value(text)


def test_from_the_tour_to_a_pruned_model_that_loads_elsewhere(tab, tmp_path):
    cache, model, folder = tmp_path / "cache", tiny.folder("llama"), tmp_path / "pruned"
    with serving(cache) as address, working(cache):
        page = tab(f"{address}/learn")
        read_and_drag(page)
        measure(page, model)
        go(page, "Compress", "Tune", "How is a budget spread over layers?")
        prune(page)
        export(page, folder)
        page.reload()
        expect(page.locator("h1")).to_have_text("What does pruning cost?")
        expect(page.get_by_test_id("stException")).to_have_count(0)
    reload(folder)


def read_and_drag(page):
    """The tour's first chapter: read a sentence, drag the noise, go on to the real thing."""
    expect(page.locator("h1")).to_have_text("What happens when a layer is disturbed?")
    said = page.locator(".figure .says")
    before = said.inner_text()
    size = page.locator(".figure input[type=range]").last
    box = still(size)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    expect(said).not_to_have_text(before)
    page.get_by_role("link", name="See every layer and size on Model").click(delay=80)  # as long as a person presses
    expect(page.locator("h1")).to_have_text("Which layers amplify, which absorb?")
    expect(page.locator(".st-key-curves .main-svg").first).to_be_visible(timeout=SLOW)


def measure(page, model):
    """The quick measurement of a model in a local folder, followed to its chart."""
    go(page, "Model", "Measure", "Measure a model")
    type_into(page, "measure-model", str(model))
    page.get_by_role("button", name="Run measurement").click()
    link = page.get_by_role("link", name="See which layers absorb")
    expect(link).to_be_visible(timeout=SLOW)
    link.click()
    expect(page.get_by_text("demo text 8 × 64").first).to_be_visible()
    expect(page.locator(".st-key-curves .main-svg").first).to_be_visible(timeout=SLOW)


def prune(page):
    """A tiny evaluation of the allocation in view, read to its verdict."""
    page.goto(f"{page.url}{'&' if '?' in page.url else '?'}{TINY_EVALUATION}")
    run = page.get_by_role("button", name="Run evaluation")
    expect(run).to_be_enabled(timeout=SLOW)
    settle(page)
    run.scroll_into_view_if_needed()
    run.click()
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 0")  # where the run is shown
    link = page.get_by_role("link", name="Open the results")
    expect(link).to_be_visible(timeout=SLOW)
    link.click()
    expect(page.get_by_test_id("stMetricDelta").first).to_contain_text("% against uniform", timeout=SLOW)
    settle(page)


def export(page, folder):
    """The pruned model as a folder."""
    expect(page.locator("h1")).to_have_text("What does pruning cost?")
    type_into(page, "export-folder", str(folder))
    button = page.locator(".st-key-export button")
    expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_text("reloaded and compared")).to_be_visible(timeout=SLOW)


def reload(folder):
    """What any other program does with it."""
    found = AutoModelForCausalLM.from_pretrained(folder)
    layers = [layer for layer in found.model.layers]
    weights = [linear.weight for layer in layers for linear in anatomy.prunable_linears(layer)]
    zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    assert zeros == pytest.approx(0.7, abs=0.02)
    assert found(input_ids=torch.arange(8)[None]).logits.isfinite().all()
