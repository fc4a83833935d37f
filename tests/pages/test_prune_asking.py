"""Asking on the prune page: exactly the request described, its cost before it runs, and the view in the URL."""

import pytest

from core.base import UserError
from core.jobs import queue
from core.requests import AllocationRequest, Correction, EvaluationRequest, Recipe, WindowRequest, grammar, recipe_names
from core.results import candidates
from pages.ui import best_setting
from tests.pages.opening import url
from tests.pages.prune_page import OWL, opened, submitted


def test_run_queues_what_was_chosen(store, tmp_path):
    text = f"file:{tmp_path / 'x.txt'}"
    (tmp_path / "x.txt").write_text("words")
    chosen = {
        "base": "dlp", "target": "0.6", "strength": "0.03", "control": "reversed", "by": "sparsegpt",
        "calibration": "allenai/c4", "calibration_documents": "0-9", "calibration_windows": "4",
        "calibration_length": "32", "seeds": "0,1", "sequential": "True", "text": text, "windows": "9",
        "length": "64", "tasks": "boolq, rte", "examples": "50", "part": "evaluate",
    }  # fmt: skip
    found = submitted(opened(**chosen), store)
    base = grammar.read_allocation("dlp:0.6")
    fix = Correction(strength=0.03, control="reversed")
    both = (base, base.replace(correction=fix))
    assert found.settings == candidates.combined(both, "sparsegpt", (0, 1), true_sequential=True)
    assert found.calibration == WindowRequest(source="allenai/c4", documents=(0, 9), sequences=4, length=32)
    assert found.evaluation == EvaluationRequest(
        text=WindowRequest(source=text, sequences=9, length=64), tasks=("boolq", "rte"), examples=50
    )


@pytest.mark.parametrize(
    ("view", "training"),
    [
        (
            {"repair": "refit+distill", "minutes": "5", "bfloat16": "True", "own": "True", "pruner_windows": "8",
             "recover_until": "20480"},
            {"recover_minutes": 5, "recover_dtype": "bfloat16", "recover_text": "own", "pruner_windows": 8,
             "recover_until": 20480},
        ),
        ({"repair": "distill", "recover_tokens": "40960"}, {"recover_tokens": 40960}),
    ],
)  # fmt: skip
def test_run_queues_a_training_as_it_was_chosen_and_a_link_brings_it_back(store, view, training):
    [recipe] = submitted(opened(part="evaluate", **view), store).settings
    assert recipe == Recipe(allocation=OWL, repair=view["repair"], **training)
    assert best_setting.in_view(recipe, None, None, None).items() >= view.items()
    with pytest.raises(UserError, match="norms and biases"):
        best_setting.in_view(recipe.replace(recover_norms=True), None, None, None)


def test_run_queues_a_family(store):
    app = opened(evaluate="family", controls="reversed", strengths="0.05, 0.1", part="evaluate")
    found = submitted(app, store)
    assert [recipe_names.allocation(each.allocation) for each in found.settings] == [
        "OWL",
        "OWL, corrected 0.05", "OWL, reversed 0.05", "OWL, corrected 0.1", "OWL, reversed 0.1",
    ]  # fmt: skip


def test_run_queues_all_allocators(store):
    app = opened(evaluate="methods", targets="0.5, 0.7", part="evaluate")
    kinds = [(each.allocation.target, each.allocation.base.kind) for each in submitted(app, store).settings]
    assert kinds == [(target, kind) for target in (0.5, 0.7) for kind in candidates.METHODS if kind != "lsa"]
    assert ["LSA" in each.value for each in app.warning] == [True]  # its profile lacks what that looks at


def test_a_pattern_takes_the_place_of_the_allocation(store):
    found = submitted(opened(pattern="2:4", strength="0.04", evaluate="family", part="evaluate"), store)
    assert found.settings == (Recipe(allocation=AllocationRequest(target=0.5), pattern="2:4"),)


VIEWS = [
    {"evaluate": "family", "strengths": "0.01,0.05", "controls": "ramp"},
    {"evaluate": "methods", "targets": "0.55", "text": "Salesforce/wikitext", "windows": "64"},
    {"pattern": "4:8", "calibration_documents": "0-5", "tasks": "rte", "examples": "20"},
    {"hand": "3:0.55", "device": "cpu", "length": "128", "documents": "800-999"},
]


@pytest.mark.parametrize("chosen", VIEWS)
def test_the_url_restores_the_view(chosen, store):
    app = opened(**chosen, part="evaluate")
    assert not app.error
    assert url(app).items() >= chosen.items()
    request = submitted(app, store)
    for job in queue.jobs(store):
        queue.cancel(job)
        queue.delete(queue.job(store, job.key))
    assert submitted(opened(**url(app) | {"job": ""}), store) == request
