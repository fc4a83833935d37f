"""Studies: settings evaluated point by point, found again, stopped anywhere, always beside dense and uniform."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core import experiment, settings, specs, studies
from core.allocation import written
from core.allocation.requests import AllocationRequest
from core.evaluation import study as running
from core.evaluation.perplexity import window_losses
from core.progress import Cancelled, Progress
from core.pruning.plan import Plan
from core.pruning.walk import restored, walk
from core.settings import Setting, StudyRequest
from core.store import Store, units
from core.study_file import read_study
from core.texts import windows
from tests import tiny

LENGTH = 12


@pytest.fixture
def text(tmp_path: Path) -> str:
    return tiny.text_file(tmp_path)


def setting(words: str = "uniform", target: float = 0.5, **more: object) -> Setting:
    return Setting(allocation=written.method(words, target), **more)


def request(text: str, *asked: Setting, windows: int = 20, **more: object) -> StudyRequest:
    return StudyRequest(
        model=str(tiny.folder("llama")),
        calibration=specs.WindowRequest(source=text, sequences=4, length=LENGTH),
        settings=asked,
        evaluation=settings.EvaluationRequest(
            text=specs.WindowRequest(source=text, sequences=windows, length=LENGTH, seed=1)
        ),
        **more,
    )


def test_dense_and_uniform_are_always_there(empty: Store, text: str) -> None:
    asked = request(text, setting("depth_ramp beta=0.05"))
    found = studies.load(empty, experiment.get(asked, empty))
    assert [each.name for each in found.points] == [
        "dense",
        "uniform, 50%, wanda",
        "depth_ramp beta=0.05, 50%, wanda",
    ]
    assert found.complete and found.points[2].planned.std() > 0
    assert found.twin(found.points[2]) is found.points[1]
    assert np.isfinite([each.perplexity for each in found.points]).all()


def test_a_study_measures_what_a_plain_walk_and_loop_give(empty: Store, text: str) -> None:
    asked = request(text, setting("depth_ramp beta=0.05"))
    found = studies.load(empty, experiment.get(asked, empty))
    loaded = tiny.loaded("llama")
    calibration = windows(asked.calibration, loaded).tokens
    read = windows(asked.evaluation.text, loaded).tokens
    assert np.allclose(found.dense.evaluated.nll, window_losses(loaded, read), rtol=1e-5)
    assert np.allclose(found.dense.evaluated.kl, 0, atol=1e-6) and (found.dense.evaluated.agreement == 1).all()
    with restored(loaded):
        achieved = walk(loaded, calibration, Plan("wanda", 0.5 + 0.05 * (np.arange(4) - 1.5)))
        plain = window_losses(loaded, read)
    assert np.allclose(found.points[2].evaluated.nll, plain, rtol=1e-5)
    assert np.allclose(found.points[2].evaluated.zeros, achieved, atol=1e-6)


def test_what_is_measured_is_found_again_and_shared(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = experiment.get(request(text, setting()), empty)
    assert experiment.get(request(text, setting()), empty).key == first.key
    walks: list[str] = []
    real = running.walk
    monkeypatch.setattr(running, "walk", lambda *args: walks.append("walk") or real(*args))
    more = experiment.get(request(text, setting(), setting("depth_ramp beta=0.05")), empty)
    assert more.key != first.key
    assert walks == ["walk"], "only the new setting is pruned"


def test_a_stopped_study_goes_on_from_its_pieces(empty: Store, text: str) -> None:
    asked = request(text, setting())
    seen: list[Progress] = []

    def stop_after_pieces(count: int):
        def report(progress: Progress) -> None:
            seen.append(progress)
            if progress.parts >= count:
                raise Cancelled

        return report

    with pytest.raises(Cancelled):
        experiment.get(asked, empty, report=stop_after_pieces(4))  # three pieces of the dense model, one of the other
    assert empty.find(asked) is None
    kept = [len(list((empty.root / "parts").glob("*/*-*")))]
    assert kept == [1]
    lines: list[str] = []
    entry = experiment.get(asked, empty, report=lambda progress: lines.append(progress.line))
    assert not any(line.startswith("dense: window") for line in lines), "the dense model is measured twice"
    whole = studies.load(empty, entry)
    other = Store(empty.root.parent / "other")
    apart = studies.load(other, experiment.get(asked, other))
    for one, two in zip(whole.points, apart.points, strict=True):
        assert np.array_equal(one.evaluated.nll, two.evaluated.nll)


def test_progress_never_passes_its_total_and_ends_near_it(empty: Store, text: str) -> None:
    seen: list[Progress] = []
    experiment.get(request(text, setting(), setting("depth_ramp beta=0.02")), empty, report=seen.append)
    told = [each for each in seen if each.total]
    assert all(each.done <= each.total * 1.001 for each in told)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1].done > 0.95 * told[-1].total


def test_the_model_comes_out_as_it_was(empty: Store, text: str) -> None:
    models: dict = {}
    experiment.get(request(text, setting()), empty, models=models)
    [loaded] = models.values()
    fresh = tiny.built("llama")
    tiny.assert_untouched(loaded.model, tiny.state(fresh))


def test_other_seeds_calibrate_on_other_windows_and_magnitude_on_none(empty: Store, text: str) -> None:
    asked = request(
        text,
        setting(calibration_seed=0),
        setting(calibration_seed=1),
        setting(pruner="magnitude"),
        setting(pruner="magnitude", calibration_seed=1),
    )
    found = studies.load(empty, experiment.get(asked, empty))
    pruned = [each.point.pruned for each in found.points[1:]]
    assert len({each.key for each in pruned}) == 3
    assert pruned[2].calibration is None and pruned[2] == pruned[3]
    assert len(units(found.spec)) == 4


def test_a_broken_model_is_told_with_its_first_broken_layer(
    empty: Store, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running.walk

    def breaking(loaded, *rest):
        achieved = real(loaded, *rest)
        with torch.no_grad():
            [each for each in loaded.layers[2].parameters() if each.ndim > 1][-1].fill_(float("nan"))
        return achieved

    monkeypatch.setattr(running, "walk", breaking)
    found = studies.load(empty, experiment.get(request(text, setting()), empty))
    assert np.isnan(found.points[1].perplexity) and found.points[1].broken == 2
    assert found.dense.broken is None and np.isfinite(found.dense.perplexity)


def test_a_profile_of_another_model_is_refused(empty: Store, text: str, sentence) -> None:
    measured = experiment.get(
        specs.MeasureRequest(
            model=str(tiny.folder("qwen2")),
            text=specs.WindowRequest(source=text, sequences=2, length=LENGTH),
            measurements=specs.measurements([specs.perturbation("gaussian:0.3")]),
        ),
        empty,
    )
    with pytest.raises(Exception) as error:
        experiment.get(request(text, setting("owl"), profile=measured.key), empty)
    sentence(error.value, measured.key)


def test_an_allocator_without_a_profile_says_what_to_do(empty: Store, text: str, sentence) -> None:
    with pytest.raises(Exception) as error:
        experiment.get(request(text, setting("owl")), empty)
    sentence(error.value, "owl", "profile")


def test_budgets_per_linear_reach_the_weights(empty: Store, text: str) -> None:
    rows = tuple(tuple(0.3 + 0.05 * linear for linear in range(7)) for _ in range(4))
    by_hand = AllocationRequest(base={"kind": "manual", "sparsity": rows}, target=0.45, unclipped=True)
    found = studies.load(empty, experiment.get(request(text, Setting(allocation=by_hand)), empty))
    one = found.points[2]
    assert one.planned.shape == (4, 7)
    columns = np.array([linear.weight.shape[1] for linear in running.anatomy.linears(tiny.loaded("llama").layers[0])])
    assert (np.abs(one.evaluated.zeros - one.planned) <= 1 / columns + 1e-6).all()


def test_a_pattern_needs_its_own_sparsity(sentence) -> None:
    with pytest.raises(Exception) as error:
        specs.checked(Setting, pattern="2:4", allocation=written.method("uniform", 0.7))
    sentence(error.value, "2:4", "0.5")


def test_a_pattern_reaches_the_weights(empty: Store, text: str) -> None:
    found = studies.load(empty, experiment.get(request(text, setting(pattern="2:4")), empty))
    assert np.allclose(found.points[1].evaluated.zeros, 0.5)


# --- written down --------------------------------------------------------------------------------------------------


def test_a_study_file_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f"""
        model = "{tiny.folder("llama")}"
        targets = [0.5, 0.6]
        seeds = [0, 1]
        settings = ["uniform", "depth_ramp beta=0.02"]
        [calibration]
        source = "file:text.txt"
        sequences = 4
        length = 12
        [evaluation]
        source = "file:text.txt"
        windows = 5
        length = 12
        """
    )
    asked = read_study(file)
    assert len(asked.settings) == 8
    assert asked.calibration.source == text and asked.evaluation.text.sequences == 5
    assert {each.allocation.target for each in asked.settings} == {0.5, 0.6}


def test_patterns_join_a_study_or_are_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('patterns = ["2:4", "4:8"]\npruners = ["wanda", "sparsegpt"]')
    alone = read_study(file).settings
    assert {(each.pruner, each.pattern) for each in alone} == {
        (pruner, kept) for pruner in ("wanda", "sparsegpt") for kept in ("2:4", "4:8")
    }
    file.write_text('patterns = ["1:4"]\ntargets = [0.75]\nseeds = [0, 1]')
    joined = read_study(file).settings
    assert [(each.pattern, each.allocation.target) for each in joined] == [(None, 0.75)] * 2 + [("1:4", 0.75)] * 2


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("targets = 0.5", "targets"),
        ("patterns = ['4:2']", "4:2"),
        ("colour = 'red'", "colour"),
        ("targets = [1.5]", "target"),
        ("settings = ['owl m=3.3']", "m"),
        ("settings = ['owll']", "owll"),
        ("settings = ['owl lam']", "lam"),
        ("settings = ['owl colour=3']", "colour"),
        ("[evaluation]\nwindow = 3", "window"),
        ("not toml", "TOML"),
    ],
)
def test_a_bad_study_file_gets_one_sentence(tmp_path: Path, content: str, named: str, sentence) -> None:
    file = tmp_path / "study.toml"
    file.write_text(content)
    with pytest.raises(Exception) as error:
        read_study(file)
    sentence(error.value, named)


def test_allocations_are_read_as_written(tmp_path: Path, sentence) -> None:
    asked = written.allocation("owl m=5 lam=0.08 strength=0.04 driver=gaussian:0.3 control=reversed:0.7")
    assert (asked.base.m, asked.target, asked.correction.control) == (5, 0.7, "reversed")
    file = tmp_path / "allocation.json"
    file.write_text(json.dumps({"sparsity": [0.4, 0.6], "budget": 0.5}))
    assert written.allocation(str(file)).base.sparsity == (0.4, 0.6)
    for bad, named in (("uniform", "uniform"), ("uniform:x", "x"), ("nowhere.json", "nowhere.json")):
        with pytest.raises(Exception) as error:
            written.allocation(bad)
        sentence(error.value, named)
    file.write_text(json.dumps({"sparsity": "all"}))
    with pytest.raises(Exception) as error:
        written.allocation(str(file))
    sentence(error.value, "sparsity")


# --- exported ------------------------------------------------------------------------------------------------------


def exporting(text: str, folder: Path, **more: object) -> settings.ExportRequest:
    return settings.ExportRequest(
        model=str(tiny.folder("llama")),
        calibration=specs.WindowRequest(source=text, sequences=4, length=LENGTH),
        setting=setting("depth_ramp beta=0.05"),
        folder=str(folder),
        **more,
    )


def test_an_export_is_the_evaluated_model_and_its_card_has_the_numbers(empty: Store, text: str, tmp_path: Path) -> None:
    asked = request(text, setting("depth_ramp beta=0.05"))
    entry = experiment.get(asked, empty)
    measured = studies.load(empty, entry).points[2]
    made = experiment.get(exporting(text, tmp_path / "out", study=entry.key), empty)
    assert made.provenance["folder"] == str(tmp_path / "out")
    again = StudyRequest(model=str(tmp_path / "out"), evaluation=asked.evaluation)
    dense = studies.load(empty, experiment.get(again, empty)).dense
    assert np.allclose(dense.evaluated.nll, measured.evaluated.nll, rtol=1e-6)
    assert np.allclose(dense.evaluated.zeros, measured.evaluated.zeros)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"{measured.perplexity:.4g}" in card


def test_an_export_in_the_way_is_refused_before_anything_runs(
    empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentence
) -> None:
    experiment.get(exporting(text, tmp_path / "out"), empty)
    monkeypatch.setattr(running, "walk", lambda *_: pytest.fail("the model was pruned"))
    with pytest.raises(Exception) as error:
        experiment.get(exporting(text, tmp_path / "out"), empty)
    sentence(error.value, "out")


def test_an_export_gives_no_numbers_that_are_not_its_own(
    empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentence
) -> None:
    """The study measured on another calibration text than lies there now."""
    entry = experiment.get(request(text, setting("depth_ramp beta=0.05")), empty)
    path = Path(text.removeprefix("file:"))
    path.write_text(path.read_text()[7:])
    monkeypatch.setattr(running, "walk", lambda *_: pytest.fail("the model was pruned"))
    with pytest.raises(Exception) as error:
        experiment.get(exporting(text, tmp_path / "out", study=entry.key), empty)
    sentence(error.value, entry.key, "calibration text")


def test_an_export_may_replace_an_earlier_one(empty: Store, text: str, tmp_path: Path) -> None:
    experiment.get(exporting(text, tmp_path / "out"), empty)
    made = experiment.get(exporting(text, tmp_path / "out", overwrite=True), empty)
    assert made.provenance["difference"] <= 1e-6
