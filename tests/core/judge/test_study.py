"""Studies: settings evaluated point by point, found again, stopped anywhere, always beside dense and uniform."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import Broken
from core.jobs import execute
from core.models.losses import evaluate, reference
from core.models.progress import Cancelled
from core.models.windows import windows
from core.plan.allocation import spread_budget
from core.prune import pruned_model
from core.prune.pruned_model import restored
from core.prune.walk import prune_layers
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.export_and_search import ExportRequest
from core.requests.inputs import WindowRequest
from core.requests.measurements import MeasureRequest, measurements
from core.requests.perturbations import perturbation
from core.requests.recipes import Recipe
from core.requests.studies import EvaluationRequest, StudyRequest
from core.results import study_results
from core.results.candidates import choose, ranked
from core.store.cache import Store
from tests import tiny
from tests.builders.recipes import exact
from tests.core.breaking import spoiling
from tests.core.judge.test_zeroshot import folder as tasks_in

LENGTH = 12


def setting(words="uniform", target=0.5, **more):
    return Recipe(allocation=grammar.method(words, target), **more)


def with_tasks(asked, folder, examples):
    """The same study, asked a task of 12 questions too."""
    evaluation = {"tasks": ("local_birds",), "tasks_from": str(tasks_in(folder)), "examples": examples}
    return asked.model_copy(update={"evaluation": asked.evaluation.model_copy(update=evaluation)})


def request(text, *asked, windows=20, **more):
    return StudyRequest(
        model=str(tiny.folder("llama")),
        calibration=WindowRequest(source=text, sequences=4, length=LENGTH),
        settings=asked,
        evaluation=EvaluationRequest(text=WindowRequest(source=text, sequences=windows, length=LENGTH, seed=1)),
        **more,
    )


def test_a_uniform_twin_has_room_for_its_target():
    usual, high = setting("owl low=0.1 high=0.9", 0.7), setting("owl high=0.99", 0.97)
    assert usual.uniform.allocation == AllocationRequest(target=0.7)
    assert usual.uniform.key == Recipe(allocation=AllocationRequest(target=0.7)).key
    for twin in (high.uniform, high.uniform.uniform):
        assert np.all(spread_budget(twin.allocation, np.ones((4, 7))).exact == 0.97)


def test_a_study_measures_what_a_plain_walk_and_loop_give(empty, text):
    """Dense and uniform, which nobody asked for, stand beside what was; the model comes out as it was."""
    models = {}
    asked = request(text, setting("depth_ramp beta=0.05"))
    found = study_results.load(empty, execute.get(asked, empty, models=models))
    assert [each.name for each in found.singles] == ["dense", "uniform:0.5", "depth_ramp beta=0.05:0.5"]
    assert found.complete and found.singles[2].uniform is found.singles[1]
    [used] = models.values()
    tiny.assert_untouched(used.model, tiny.state(tiny.built("llama")))
    loaded = tiny.loaded("llama")
    calibration = windows(asked.calibration, loaded).tokens
    read = windows(asked.evaluation.text, loaded).tokens
    dense = reference(loaded, read)
    assert np.allclose(found.dense.result.evaluated.nll, evaluate(loaded, read, dense).nll, rtol=1e-5)
    assert abs(found.dense.kl) < 1e-6 and found.dense.agreement == 1
    with restored(loaded):
        achieved = prune_layers(loaded, calibration, exact("wanda", 0.5 + 0.05 * (np.arange(4) - 1.5)))
        plain = evaluate(loaded, read, dense).nll
    assert np.allclose(found.singles[2].result.evaluated.nll, plain, rtol=1e-5)
    assert np.allclose(found.singles[2].result.evaluated.zeros, achieved, atol=1e-6)


def test_what_is_measured_is_found_again_and_shared(empty, text, monkeypatch):
    first = execute.get(request(text, setting()), empty)
    assert execute.get(request(text, setting()), empty).key == first.key
    walks = []
    real = pruned_model.prune_layers
    monkeypatch.setattr(pruned_model, "prune_layers", lambda *args: walks.append("walk") or real(*args))
    more = execute.get(request(text, setting(), setting("depth_ramp beta=0.05")), empty)
    assert more.key != first.key
    assert walks == ["walk"]  # only the new setting is pruned


def test_a_stopped_study_goes_on_from_its_pieces(empty, text):
    asked = request(text, setting())
    seen = []

    def stop_after_pieces(count):
        def report(progress):
            seen.append(progress)
            if progress.parts >= count:
                raise Cancelled

        return report

    with pytest.raises(Cancelled):
        execute.get(asked, empty, report=stop_after_pieces(4))  # three pieces of the dense model, one of the other
    assert empty.find(asked) is None
    kept = [len(list((empty.root / "parts").glob("*/*-*")))]
    assert kept == [1]
    lines = []
    entry = execute.get(asked, empty, report=lambda progress: lines.append(progress.line))
    assert not any(line.startswith("dense: window") for line in lines)  # the dense model is measured twice
    whole = study_results.load(empty, entry)
    other = Store(empty.root.parent / "other")
    apart = study_results.load(other, execute.get(asked, other))
    for one, two in zip(whole.singles, apart.singles, strict=True):
        assert np.array_equal(one.result.evaluated.nll, two.result.evaluated.nll)


def test_progress_never_passes_its_total_and_ends_near_it(empty, text):
    seen = []
    execute.get(request(text, setting(), setting("depth_ramp beta=0.02")), empty, report=seen.append)
    told = [each for each in seen if each.total]
    assert all(each.done <= each.total * 1.001 for each in told)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1].done > 0.95 * told[-1].total


def test_other_seeds_calibrate_on_other_windows_and_magnitude_on_none(empty, text):
    asked = request(
        text,
        setting(calibration_seed=0),
        setting(calibration_seed=1),
        setting(pruner="magnitude"),
        setting(pruner="magnitude", calibration_seed=1),
    )
    found = study_results.load(empty, execute.get(asked, empty))
    pruned = [each.pruned for each in found.points[1:]]
    assert len({each.key for each in pruned}) == 3
    assert pruned[2].calibration is None and pruned[2] == pruned[3]
    assert len(found.spec.units) == 4


def test_a_stopped_study_knows_the_first_broken_layer(empty, text, monkeypatch):
    """The pieces that tell of it were saved by the run that was stopped."""

    def stop(progress):
        if progress.line.startswith("Uniform") and progress.line.endswith("saved 20 of 20 windows"):
            raise Cancelled

    monkeypatch.setattr(pruned_model, "prune_layers", spoiling(pruned_model.prune_layers, layer=2))
    asked = request(text, setting())
    with pytest.raises(Cancelled):
        execute.get(asked, empty, report=stop)
    assert len(list((empty.root / "parts").glob("*/*-*"))) == 3  # every piece is there, and the whole is not
    found = study_results.load(empty, execute.get(asked, empty))
    assert np.isnan(found.singles[1].perplexity)
    assert found.singles[1].broken == 2 and found.singles[1].trouble == "not a number, from layer 2 on"
    assert found.dense.broken is None and np.isfinite(found.dense.perplexity)


# --- settings that break the model while it is pruned --------------------------------------------------------------


@pytest.fixture
def breaking(monkeypatch):
    """At 60% the linears of layer 1 get inputs that are not finite."""
    real = pruned_model.prune_layers

    def broken(loaded, tokens, plan, step, warn, *rest):
        def spoil(layer):
            if layer == 0 and np.allclose(plan.sparsity, 0.6):
                loaded.layers[1].input_layernorm.weight.fill_(float("inf"))
            step(layer)

        warn("layer 0, mlp.up_proj: the damping was raised")
        return real(loaded, tokens, plan, spoil, warn, *rest)

    monkeypatch.setattr(pruned_model, "prune_layers", broken)


def test_what_cannot_be_pruned_is_no_number_and_the_others_go_on(empty, text, breaking):
    asked = request(text, *(setting(target=each) for each in (0.6, 0.5)))
    found = study_results.load(empty, execute.get(asked, empty))
    broken, sound = found.singles[1:]
    assert found.complete and np.isfinite(sound.perplexity) and len(sound.warnings) == 1
    for name in ("nll", "kl", "agreement"):
        values = getattr(broken.result.evaluated, name)
        assert len(values) == 20 and np.isnan(values).all()
    assert broken.trouble == "not a number, from layer 1 on"
    assert len(broken.warnings) == 2 and "inputs are not finite" in broken.warnings[1]
    assert broken.result.about["stopped"] == broken.warnings[1]
    zeros = broken.result.evaluated.zeros
    assert np.allclose(zeros[0], 0.6, atol=0.05) and (zeros[1:] == 0).all()
    assert [each.setting.allocation.target for each in ranked(found)] == [0.5]  # it is no candidate for the best
    assert choose(found).allocation.target == 0.5


def test_its_tasks_are_no_numbers_on_the_drawn_rows(empty, text, tmp_path, breaking):
    asked = request(text, *(setting(target=each) for each in (0.6, 0.5)), windows=8)
    asked = with_tasks(asked, tmp_path / "tasks", 7)
    found = study_results.load(empty, execute.get(asked, empty))
    broken, sound = (next(iter(each.tasks.values())) for each in found.points[1:])
    assert np.array_equal(broken.document, sound.document) and len(sound.document) == 7
    assert np.isnan(broken.acc).all() and np.isnan(broken.acc_norm).all() and np.isfinite(sound.acc).all()


def test_what_breaks_is_not_exported(empty, text, tmp_path, breaking, refused):
    asked = exporting(text, tmp_path / "out").model_copy(update={"setting": setting(target=0.6)})
    with refused("layer 1", "not finite", error=Broken):
        execute.get(asked, empty)
    assert not (tmp_path / "out").exists()


def test_a_profile_of_another_model_is_refused(empty, text, refused):
    measured = execute.get(
        MeasureRequest(
            model=str(tiny.folder("qwen2")),
            text=WindowRequest(source=text, sequences=2, length=LENGTH),
            measurements=measurements([perturbation("gaussian:0.3")]),
        ),
        empty,
    )
    with refused(measured.key):
        execute.get(request(text, setting("owl"), profile=measured.key), empty)


# --- exported ------------------------------------------------------------------------------------------------------


def exporting(text, folder, **more):
    return ExportRequest(
        model=str(tiny.folder("llama")),
        calibration=WindowRequest(source=text, sequences=4, length=LENGTH),
        setting=setting("depth_ramp beta=0.05"),
        folder=str(folder),
        **more,
    )


def test_an_export_is_the_evaluated_model_and_its_card_has_the_numbers(empty, text, tmp_path):
    asked = request(text, setting("depth_ramp beta=0.05"))
    entry = execute.get(asked, empty)
    measured = study_results.load(empty, entry).singles[2]
    made = execute.get(exporting(text, tmp_path / "out", study=entry.key), empty)
    assert made.provenance["folder"] == str(tmp_path / "out")
    assert made.provenance["sparsity"] == pytest.approx(np.nanmean(measured.result.evaluated.zeros), abs=0.02)
    again = StudyRequest(model=str(tmp_path / "out"), evaluation=asked.evaluation)
    dense = study_results.load(empty, execute.get(again, empty)).dense
    assert np.allclose(dense.result.evaluated.nll, measured.result.evaluated.nll, rtol=1e-6)
    assert np.allclose(dense.result.evaluated.zeros, measured.result.evaluated.zeros)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"{measured.perplexity:.4g}" in card


def test_an_export_gives_no_numbers_that_are_not_its_own(empty, text, tmp_path, monkeypatch, refused):
    """The study measured on another calibration text than lies there now."""
    entry = execute.get(request(text, setting("depth_ramp beta=0.05")), empty)
    path = Path(text.removeprefix("file:"))
    path.write_text(path.read_text()[7:])
    monkeypatch.setattr(pruned_model, "prune_layers", lambda *_: pytest.fail("the model was pruned"))
    with refused(entry.key, "calibration text"):
        execute.get(exporting(text, tmp_path / "out", study=entry.key), empty)


def of_dense(model, text, folder, task):
    """All questions of a task of a folder, put to a model as it is."""
    window = WindowRequest(source=text, sequences=2, length=16)
    asked = EvaluationRequest(text=window, tasks=(task,), tasks_from=str(folder), examples=None)
    return StudyRequest(model=str(model), evaluation=asked)


def test_a_task_file_that_came_with_a_tag_that_was_asked_for_is_asked_too(empty, tmp_path, text):
    model, where = tiny.save_tiny(tmp_path / "model", "llama"), tasks_in(tmp_path / "tasks")
    (where / "below").mkdir()
    own = (where / "birds.yaml").read_text(encoding="utf-8")
    (where / "birds.yaml").write_text(own + "\ntag: feathered\n", encoding="utf-8")
    asked = of_dense(model, text, where, "feathered")
    first = execute.get(asked, empty)
    assert len(first.spec.tasks) == 1 and execute.get(asked, empty).key == first.key
    more = own.replace("task: local_birds", "task: more_birds").replace("birds.jsonl", "../birds.jsonl")
    (where / "below" / "more.yaml").write_text(more + "\ntag: feathered\n", encoding="utf-8")
    assert {each.name for each in execute.get(asked, empty).spec.tasks} == {"local_birds", "more_birds"}


def test_a_task_file_that_was_edited_is_asked_anew_and_a_tokenizer_is_part_of_an_answer(empty, tmp_path, text):
    model, where = tiny.save_tiny(tmp_path / "model", "llama"), tasks_in(tmp_path / "tasks")
    asked = of_dense(model, text, where, "local_birds")
    first = execute.get(asked, empty)
    assert execute.get(asked, empty).key == first.key
    (where / "birds.jsonl").write_text((where / "birds.jsonl").read_text().replace('"gold": 0', '"gold": 1'))
    second = execute.get(asked, empty)
    assert second.key != first.key and "birds.jsonl" in second.provenance["files"]
    told = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    told["model"]["merges"] = []
    (model / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
    third = execute.get(asked, empty)
    assert third.spec.model == second.spec.model and not set(third.spec.units) & set(second.spec.units)
