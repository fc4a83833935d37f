"""What a copy of the program shows of each kind that was added to it: `python -m pytest tests/extending/probe.py`."""

from types import SimpleNamespace

import numpy as np
import pytest
from core.requests.count import CountRequest

from core.jobs import queue, worker
from core.methods import BASES
from core.plan import spread_budget
from core.requests import AllocationRequest, read_allocation, write
from core.store import Store
from pages.ui.glossary import TERMS
from tests import tiny
from tests.pages.opening import ROOT, opened_at
from tests.replay.probe.plain import ask

MEASURED = ("gaussian:0.3", "residual:wanda:0.5", "shrink:0.1", "residual:diagonal:0.5")
SHORT = ("--sequences", "3", "--length", "12", "--device", "cpu")
SETTING = "teeth bite=0.1:0.5"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A tiny model and a text, and the key of what was measured with them."""
    cache = tmp_path_factory.mktemp("cache")
    assert ROOT.samefile(".")  # this looks at the copy that it lies in
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABSORPTION_CACHE", str(cache))
        model, text = str(tiny.folder("llama")), tiny.text_file(cache)
        perturb = [word for name in MEASURED for word in ("--perturb", name)]
        key = ask("measure", "--model", model, "--text", text, *perturb, "--sequences", "8", "--length", "16")["key"]
        yield SimpleNamespace(model=model, text=text, key=key)


def page(name, **view):
    """A page of the app with a view in its URL."""
    app = opened_at(name, **view)
    assert not app.exception
    return app


def test_an_allocator(here):
    app = page("allocate", profile=here.key, allocation=SETTING)
    told = ask("allocate", "--profile", here.key, "--allocation", "teeth:0.5")
    assert told["sparsity"] == pytest.approx([0.45, 0.55, 0.45, 0.55])
    assert "Teeth" in app.selectbox(key="base").options and app.select_slider(key="bite").value == 0.1
    every = {write(AllocationRequest(base=base, target=0.5)) for form in BASES.values() for base in form.grid(0.5, 4)}
    assert {"teeth bite=0.05:0.5", "teeth bite=0.1:0.5"} <= every


def test_a_pruner_that_needs_second_moments(here):
    where = ("--model", here.model, "--calibration", here.text, "--evaluate", here.text, "--windows", "8", *SHORT)
    pruned = ask("prune", *where, "--pruner", "diagonal", "--allocation", SETTING)
    judged = pruned["evaluation"]
    assert np.mean(pruned["achieved"]) == pytest.approx(0.5, abs=0.03) and judged["perplexity"] > 1
    assert judged["protocol"]["calibration"] and pruned["warnings"] == []
    app = page("prune", profile=here.key, base="teeth", part="evaluate", by="diagonal")
    assert app.session_state["by"] == "diagonal"


def test_perturbations(here):
    app = page("absorption", profile=here.key, perturbation="shrink:0.1")
    gains = {each["name"]: each["gains"] for each in ask("show", here.key)["perturbations"]}
    assert len(gains["shrink:0.1"]) == len(gains["residual:diagonal:0.5"]) == 4
    assert gains["shrink:0.1"][-1] == pytest.approx(1)
    assert {"Stream shortened by 0.1", "Pruned by Diagonal, 50 % zeros"} <= {*app.selectbox(key="perturbation").options}
    assert app.header[0].value.endswith(": Stream shortened by 0.1.")


def test_a_currency():
    """A budget between its two levels gives each layer one of them."""
    found = spread_budget(read_allocation("uniform currency=bytes:12"), np.ones((4, 1)))
    assert sorted(found.exact) == [0, 0, 0.5, 0.5]


def test_a_chart(here):
    app = page("absorption", profile=here.key)
    assert "How much does each layer change the stream?" in [each.value for each in app.subheader]


def test_a_kind_of_job(here):
    store, request = Store(), CountRequest(model=here.model)
    entry = worker.run(store, queue.submit(store, request), {})
    assert entry.provenance["weights"] > 1000 and store.find(request).key == entry.key
    assert [each["key"] for each in ask("runs")["counts"]] == [entry.key]
    app = page("runs")
    for shown, said in ((app.markdown, "Count of the weights"), (app.caption, entry.key)):
        assert len([each for each in shown if said in each.value]) == 1


def test_the_glossary_explains_each(here):
    page("glossary")
    assert TERMS["teeth"].sentence == "An allocation that prunes every second layer less."
    assert TERMS["shrink"].sentence == "The stream made shorter by a given share."
    assert TERMS["Diagonal"].sentence == "Least squares."
