"""Studies: recipes evaluated point by point, found again, stopped anywhere, always beside dense and uniform."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.jobs import execute
from core.models import Cancelled, evaluate, reference, windows
from core.plan import spread_budget
from core.prune import prune_layers, pruned_model, restored
from core.requests import AllocationRequest, EvaluationRequest, Recipe, StudyRequest, WindowRequest
from core.results import choose, ranked, study_results
from core.store import Store
from tests import tiny
from tests.builders import task_folder
from tests.builders.recipes import exact
from tests.builders.requests import export, measurement, recipe, study
from tests.core.breaking import no_pruning, spoiling

RAMP = recipe("depth_ramp beta=0.05")
HALF_AND_MORE = [recipe(target=each) for each in (0.6, 0.5)]


def results(store, request, **how):
    return study_results.load(store, execute.get(request, store, **how))


def test_a_uniform_twin_has_room_for_its_target():
    usual, high = recipe("owl low=0.1 high=0.9", 0.7), recipe("owl high=0.99", 0.97)
    assert usual.uniform.allocation == AllocationRequest(target=0.7)
    assert usual.uniform.key == Recipe(allocation=AllocationRequest(target=0.7)).key
    for twin in (high.uniform, high.uniform.uniform):
        assert np.all(spread_budget(twin.allocation, np.ones((4, 7))).exact == 0.97)


def test_a_study_measures_what_a_plain_walk_and_loop_give(empty, text):
    """Dense and uniform, which nobody asked for, stand beside what was; the model comes out as it was."""
    models, seen = {}, []
    request = study(text, RAMP)
    found = results(empty, request, models=models, report=seen.append)
    assert [each.name for each in found.singles] == ["dense", "uniform:0.5", "depth_ramp beta=0.05:0.5"]
    assert found.complete and found.singles[2].uniform is found.singles[1]
    [used] = models.values()
    tiny.assert_untouched(used.model, tiny.state(tiny.built("llama")))
    loaded = tiny.loaded("llama")
    calibration = windows.windows(request.calibration, loaded).tokens
    read = windows.windows(request.evaluation.text, loaded).tokens
    dense = reference(loaded, read)
    assert np.allclose(found.dense.result.evaluated.nll, evaluate(loaded, read, dense).nll, rtol=1e-5)
    assert abs(found.dense.mean("kl")) < 1e-6 and found.dense.mean("agreement") == 1
    with restored(loaded):
        achieved = prune_layers(loaded, calibration, exact("wanda", 0.5 + 0.05 * (np.arange(4) - 1.5)))
        plain = evaluate(loaded, read, dense).nll
    assert np.allclose(found.singles[2].result.evaluated.nll, plain, rtol=1e-5)
    assert np.allclose(found.singles[2].result.evaluated.zeros, achieved, atol=1e-6)
    done = [each.done for each in seen if each.total]
    assert done == sorted(done) and all(each.done <= each.total * 1.001 for each in seen if each.total)
    assert done[-1] > 0.95 * seen[-1].total


def test_what_is_measured_is_found_again_and_shared(empty, text, monkeypatch):
    first, walks, walk = execute.get(study(text, recipe()), empty), [], pruned_model.prune_layers
    assert execute.get(study(text, recipe()), empty).key == first.key
    monkeypatch.setattr(pruned_model, "prune_layers", lambda *args: walks.append("walk") or walk(*args))
    assert execute.get(study(text, recipe(), RAMP), empty).key != first.key
    assert walks == ["walk"]  # only the new recipe is pruned


def test_a_stopped_study_goes_on_from_its_pieces(empty, text):
    def stop(progress):
        if progress.parts >= 4:  # three pieces of the dense model, one of the other
            raise Cancelled

    request, lines = study(text, recipe()), []
    with pytest.raises(Cancelled):
        execute.get(request, empty, report=stop)
    assert empty.find(request) is None and len([*(empty.root / "parts").glob("*/*-*")]) == 1
    whole = results(empty, request, report=lambda progress: lines.append(progress.line))
    assert not any(line.startswith("dense: window") for line in lines), "the dense model is measured twice"
    apart = results(Store(empty.root.parent / "other"), request)
    for one, two in zip(whole.singles, apart.singles, strict=True):
        assert np.array_equal(one.result.evaluated.nll, two.result.evaluated.nll)


def test_a_stopped_study_knows_the_first_broken_layer(empty, text, monkeypatch):
    """The pieces that tell of it were saved by the run that was stopped."""

    def stop(progress):
        if progress.line.startswith("Uniform") and progress.line.endswith("saved 20 of 20 windows"):
            raise Cancelled

    monkeypatch.setattr(pruned_model, "prune_layers", spoiling(pruned_model.prune_layers, layer=2))
    request = study(text, recipe())
    with pytest.raises(Cancelled):
        execute.get(request, empty, report=stop)
    assert len([*(empty.root / "parts").glob("*/*-*")]) == 3  # every piece is there, and the whole is not
    found = results(empty, request)
    assert np.isnan(found.singles[1].perplexity)
    assert found.singles[1].broken == 2 and found.singles[1].trouble == "not a number, from layer 2 on"
    assert found.dense.broken is None and np.isfinite(found.dense.perplexity)


# --- recipes that break the model while it is pruned ---------------------------------------------------------------


@pytest.fixture
def breaking(monkeypatch):
    """At 60% the linears of layer 1 get inputs that are not finite."""
    real = pruned_model.prune_layers

    def broken(loaded, tokens, plan, step, warn, *rest):
        def spoil(finished):
            if finished == 1 and np.allclose(plan.sparsity, 0.6):
                loaded.layers[1].input_layernorm.weight.fill_(float("inf"))
            step(finished)

        warn("layer 0, mlp.up_proj: the damping was raised")
        return real(loaded, tokens, plan, spoil, warn, *rest)

    monkeypatch.setattr(pruned_model, "prune_layers", broken)


def test_what_cannot_be_pruned_is_no_number_and_the_others_go_on(empty, text, tmp_path, breaking):
    request = study(text, *HALF_AND_MORE, windows=8)
    tasks = {"tasks": ("local_birds",), "tasks_from": str(task_folder.folder(tmp_path / "tasks")), "examples": 7}
    found = results(empty, request.replace(evaluation=request.evaluation.replace(**tasks)))
    broken, sound = found.singles[1:]
    assert found.complete and np.isfinite(sound.perplexity) and len(sound.warnings) == 1
    for name in ("nll", "kl", "agreement"):
        values = getattr(broken.result.evaluated, name)
        assert len(values) == 8 and np.isnan(values).all()
    assert broken.trouble == "not a number, from layer 1 on"
    assert len(broken.warnings) == 2 and "inputs are not finite" in broken.warnings[1]
    assert broken.result.about["stopped"] == broken.warnings[1]
    zeros = broken.result.evaluated.zeros
    assert np.allclose(zeros[0], 0.6, atol=0.05) and (zeros[1:] == 0).all()
    assert [each.setting.allocation.target for each in ranked(found)] == [0.5]  # it is no candidate for the best
    assert choose(found).allocation.target == 0.5
    broken, sound = (next(iter(each.tasks.values())) for each in found.points[1:])
    assert np.array_equal(broken.document, sound.document) and len(sound.document) == 7
    assert np.isnan(broken.acc).all() and np.isnan(broken.acc_norm).all() and np.isfinite(sound.acc).all()


def test_a_profile_of_another_model_is_refused(empty, text, refused):
    measured = execute.get(measurement(text, "gaussian:0.3", family="qwen2", sequences=2), empty)
    with refused(measured.key):
        execute.get(study(text, recipe("owl"), profile=measured.key), empty)


# --- exported ------------------------------------------------------------------------------------------------------


def test_an_export_gives_no_numbers_that_are_not_its_own(empty, text, tmp_path, monkeypatch, refused):
    """The study measured on another calibration text than lies there now."""
    entry = execute.get(study(text, RAMP), empty)
    path = Path(text.removeprefix("file:"))
    path.write_text(path.read_text()[7:])
    no_pruning(monkeypatch)
    with refused(entry.key, "calibration text"):
        execute.get(export(text, tmp_path / "out", study=entry.key), empty)


# --- tasks that change ---------------------------------------------------------------------------------------------


def test_a_task_file_that_was_edited_is_asked_anew_and_a_tokenizer_is_part_of_an_answer(empty, tmp_path, text):
    model, where = tiny.save_tiny(tmp_path / "model", "llama"), task_folder.folder(tmp_path / "tasks")
    judged = WindowRequest(source=text, sequences=2, length=16)
    asked = EvaluationRequest(text=judged, tasks=("local_birds",), tasks_from=str(where), examples=None)
    request = StudyRequest(model=str(model), evaluation=asked)
    first = execute.get(request, empty)
    assert execute.get(request, empty).key == first.key
    (where / "birds.jsonl").write_text((where / "birds.jsonl").read_text().replace('"gold": 0', '"gold": 1'))
    second = execute.get(request, empty)
    assert second.key != first.key and "birds.jsonl" in second.provenance["files"]
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"] = []
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    third = execute.get(request, empty)
    assert third.spec.model == second.spec.model and not set(third.spec.units) & set(second.spec.units)
