"""What a copy of the program shows of each kind: run in its root, it prints one JSON object.

python -m tests.extending.probe
"""

import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from pages.ui import places

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("gaussian:0.3", "residual:wanda:0.5", "shrink:0.1", "residual:diagonal:0.5")
SHORT = ("--sequences", "3", "--length", "12", "--device", "cpu")
SETTING = "teeth bite=0.1:0.5"


def main():
    """Measure, prune and count with a tiny model, then look wherever the kinds should be."""
    assert Path.cwd() == ROOT  # this looks at the copy that it lies in
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ABSORPTION_CACHE"] = folder
        print(json.dumps(_seen(Path(folder))))


def _seen(cache):
    from tests import tiny

    model, text = str(tiny.folder("llama")), tiny.text_file(cache)
    perturb = [word for name in MEASURED for word in ("--perturb", name)]
    key = say("measure", "--model", model, "--text", text, *perturb, "--sequences", "8", "--length", "16")["key"]
    return {
        "allocator": _allocator(key),
        "pruner": _pruner(model, text, key),
        "perturbation": _perturbation(key),
        "chart": [each.value for each in page("absorption", profile=key).subheader],
        "job": _job(model),
        "currency": _currency(),
        "candidates": _candidates(),
        "glossary": _glossary(),
    }


def say(*words):
    """What a command answers with `--json`."""
    from core.cli import main as command

    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = command([*words, "--json"])
    if code:
        raise RuntimeError(f"{' '.join(words)}: {told.getvalue()}")
    return json.loads(said.getvalue())


def page(name, **view):
    """A page of the app with a view in its URL."""
    app = AppTest.from_file(str(ROOT / "pages" / "shell.py"), default_timeout=120)
    app.session_state["painted"] = {"", "model", "compress"}
    app.run()
    name, view = places.opened(name, view)
    app.query_params.update(view)
    app.switch_page(f"{name}.py").run()
    if app.exception:
        raise RuntimeError(app.exception[0].value)
    return app


def _allocator(key):
    app = page("allocate", profile=key, allocation=SETTING)
    return {
        "command": say("allocate", "--profile", key, "--allocation", "teeth:0.5")["sparsity"],
        "options": app.selectbox(key="base").options,
        "slider": app.select_slider(key="bite").value,
    }


def _pruner(model, text, key):
    where = ("--model", model, "--calibration", text, "--evaluate", text, "--windows", "8", *SHORT)
    pruned = say("prune", *where, "--pruner", "diagonal", "--allocation", SETTING)
    app = page("prune", profile=key, base="teeth", part="evaluate", by="diagonal")
    return {
        "achieved": float(np.mean(pruned["achieved"])),
        "perplexity": pruned["evaluation"]["perplexity"],
        "warnings": pruned["warnings"],
        "page": app.session_state["by"],
        "calibrated": pruned["evaluation"]["protocol"]["calibration"] is not None,
    }


def _perturbation(key):
    app = page("absorption", profile=key, perturbation="shrink:0.1")
    rows = say("show", key)["perturbations"]
    return {
        "command": {each["name"]: each["gains"] for each in rows},
        "options": app.selectbox(key="perturbation").options,
        "said": app.header[0].value,
    }


def _job(model):
    from core.requests.count import CountRequest

    from core.jobs import queue, worker
    from core.store import Store

    store = Store()
    request = CountRequest(model=model)
    entry = worker.run(store, queue.submit(store, request), {})
    app = page("runs")
    return {
        "weights": entry.provenance["weights"],
        "found": store.find(request).key == entry.key,
        "command": [each["key"] for each in say("runs")["counts"]] == [entry.key],
        "page": [each.value for each in app.markdown if "Count of the weights" in each.value],
        "stored": [each.value for each in app.caption if entry.key in each.value],
    }


def _currency():
    from core.plan import spread_budget
    from core.requests import read_allocation

    return spread_budget(read_allocation("uniform currency=bytes:12"), np.ones((4, 1))).exact.tolist()


def _candidates():
    from core.methods import BASES
    from core.requests import AllocationRequest, write

    every = (base for form in BASES.values() for base in form.grid(0.5, 4))
    return [write(AllocationRequest(base=base, target=0.5)) for base in every]


def _glossary():
    from pages.ui.glossary import TERMS

    page("glossary")
    return {name: term.sentence for name, term in TERMS.items() if name in ("teeth", "shrink", "Diagonal")}


if __name__ == "__main__":
    sys.exit(main())
