"""Distillation within studies and exports: begun, stopped, gone on with, and kept once it has ended."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.base import UserError
from core.jobs import execute
from core.models import Cancelled
from core.prune import Distillation, distillation, pruned_model
from core.requests import ExportRequest, read_recipe
from core.results import study_results
from core.store import Store, delete, parts
from tests import tiny
from tests.builders.requests import study
from tests.core.breaking import killed, no_pruning

TOKENS = "uniform repair=refit+distill recover_dtype=bfloat16 recover_tokens={}:0.5"
DISTILLED, SHORT = TOKENS.format(12000), TOKENS.format(4096)  # 11 steps, 4


def request(text, words=DISTILLED, sequences=40):
    return study(text, read_recipe(words), family="gpt2", sequences=sequences, length=16, windows=8)


def stopping(step):
    def report(progress):
        if f"step {step} of" in progress.line:
            raise Cancelled

    return report


def last(store, asked, **how):
    return study_results.load(store, execute.get(asked, store, **how)).singles[-1].result


def losses(store, asked, **how):
    return last(store, asked, **how).evaluated.nll


def checkpoint(store):
    [path] = (store.root / "parts").glob(f"*/{parts.TRAINING}")
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A distillation that nothing stops: its result, what was told, and how many windows the pruner read."""
    folder, told, read = tmp_path_factory.mktemp("whole"), [], []
    store, walk = Store(folder / "cache"), pruned_model.prune_layers
    with pytest.MonkeyPatch.context() as patch:
        counted = lambda of, text, *how: read.append(len(text)) or walk(of, text, *how)  # noqa: E731
        patch.setattr(pruned_model, "prune_layers", counted)
        entry = execute.get(request(tiny.text_file(folder)), store, report=told.append)
    result = study_results.load(store, entry).singles[-1].result
    return SimpleNamespace(entry=entry, result=result, nll=result.evaluated.nll, told=told, read=read)


def test_the_pruner_reads_no_window_that_stops_the_training_and_progress_adds_up(whole):
    assert whole.read == [35] and whole.result.about["seconds_pruning"] > 0
    assert all(each.done <= each.total * 1.001 for each in whole.told if each.total)
    left = [each.total - each.done for each in whole.told if "distilled, step" in each.line]
    assert left == sorted({*left}, reverse=True)


CHILD = """
import sys, time
from pathlib import Path
from core import experiment
from core.requests.studies import StudyRequest
from core.store.cache import Store

def report(progress):
    if "step 9 of" in progress.line:
        print("step 9", flush=True)
        time.sleep(120)

experiment.get(StudyRequest.model_validate_json(Path(sys.argv[2]).read_text()), Store(Path(sys.argv[1])), report=report)
"""


def test_a_killed_study_goes_on_and_ends_bit_for_bit_as_a_whole_one(empty, tmp_path, text, whole, monkeypatch):
    no_pruning(monkeypatch)
    asked = request(text)
    (tmp_path / "request.json").write_text(asked.model_dump_json())
    assert killed(CHILD, empty.root, tmp_path / "request.json") == "step 9\n"
    result = last(empty, asked)
    assert np.array_equal(result.evaluated.nll, whole.nll)
    assert "seconds_pruning" not in result.about  # the killed run's are not known


def test_a_cancelled_training_goes_on_from_its_last_step(empty, text, whole, monkeypatch):
    asked, steps, rest = request(text), [], []
    with pytest.raises(Cancelled):
        losses(empty, asked, report=stopping(7))
    assert int(load_file(checkpoint(empty))["done"]) == 7
    gradient = Distillation.gradient
    monkeypatch.setattr(Distillation, "gradient", lambda self, step: steps.append(step) or gradient(self, step))
    assert np.array_equal(losses(empty, asked, report=rest.append), whole.nll) and steps == [*range(7, 11)]
    assert rest[-1].total < 0.9 * whole.told[-1].total and rest[-1].done <= rest[-1].total


def changed(name, how):
    return lambda state: state | {name: how(state[name])}


SPOILT = {
    "one number": lambda state: {name: each.flatten()[:1].clone() for name, each in state.items()},
    "no divergences": lambda state: {name: each for name, each in state.items() if name != "divergences"},
    "no numbers": changed("divergences", lambda each: each * np.nan),
    "no step": changed("done", lambda each: each * np.nan),
    "another type": changed("value", Tensor.half),
    "another mask": changed("mask", torch.ones_like),
    "another schedule": changed("steps", lambda each: each + 1),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A training on the dense model's own text that was cancelled: its folder, and what a whole one comes to."""
    folder = tmp_path_factory.mktemp("stopped")
    asked = request(tiny.text_file(folder), f"{SHORT[:-4]} recover_text=own:0.5")
    with pytest.raises(Cancelled):
        execute.get(asked, Store(folder / "cache"), report=stopping(2))
    return SimpleNamespace(cache=folder / "cache", asked=asked, nll=losses(Store(folder / "whole"), asked))


@pytest.mark.parametrize(
    ("file", "how"),
    [
        *((parts.TRAINING, how) for how in ("cut", "of another model", *SPOILT)),
        *(("text.safetensors", how) for how in ("cut", "of another model", "no numbers", "one number", "no windows")),
    ],
)
def test_what_a_training_cannot_go_on_with_is_set_aside_and_it_begins_anew(stopped, tmp_path, file, how):
    store = Store(shutil.copytree(stopped.cache, tmp_path / "cache"))
    path = checkpoint(store).with_name(file)
    state = load_file(path)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "of another model":
        distillation.save_checkpoint(tmp_path / "another" / file, state)
        (tmp_path / "another" / file).replace(path)
    elif file == parts.TRAINING:
        distillation.save_checkpoint(path, SPOILT[how](state))  # sealed: as whoever writes the folder could
    else:
        own = state["tokens"]
        spoilt = {"no numbers": own * 999, "one number": own[:, :-1].clone(), "no windows": own.sum()}
        distillation.save_checkpoint(path, {"tokens": spoilt[how]})
    result = last(store, stopped.asked)
    assert np.array_equal(result.evaluated.nll, stopped.nll)
    [said] = result.about["warnings"]
    assert file in said and "set aside" in said and said in store.troubles()[0]


def test_what_was_trained_is_exported_and_not_trained_again(empty, text, tmp_path, monkeypatch):
    asked = request(text, "uniform repair=distill recover_minutes=1 recover_norms=yes:0.5", sequences=9)
    clock = SimpleNamespace(perf_counter=iter([0, 12]).__next__)  # a step takes a fifth of the budget
    monkeypatch.setattr(pruned_model, "time", clock)
    entry = execute.get(asked, empty)
    state = load_file(checkpoint(empty))
    tokens, nats = parts.distillation_course(empty, entry.spec.model, entry.spec.points[-1].pruned)
    assert tokens.tolist() == [1024 * each for each in range(6)] and nats.tolist() == state["divergences"].tolist()
    assert int(state["steps"]) == 5 and int(state["mask"].sum()) == len(state["best"])
    no_pruning(monkeypatch)
    exported = asked.to(ExportRequest, setting=asked.settings[0], folder=str(tmp_path / "out"), study=entry.key)
    execute.get(exported, empty)
    [file] = (tmp_path / "out").glob("*.safetensors")
    weight = load_file(file)["transformer.h.1.mlp.c_fc.weight"]
    assert any(torch.isin(weight[weight != 0] / size, state["best"]).all() for size in state["sizes"].float())
    assert float((weight == 0).double().mean()) == pytest.approx(0.5, abs=0.01)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "were then trained, and every zero kept: distill, 1 min, norms." in card and "not trained" not in card
    delete(empty, entry)
    assert not [*(empty.root / "parts").iterdir()]


def test_a_cancelled_training_may_end_with_its_best_which_is_what_one_of_as_many_tokens_comes_to(
    empty, text, tmp_path, monkeypatch
):
    """It is another result, and the training that was cancelled goes on all the same."""
    monkeypatch.setattr(Distillation, "judged", lambda self: 1.0 + abs(self.done - 4))
    asked, told = request(text), []
    with pytest.raises(Cancelled):
        losses(empty, asked, report=lambda progress: told.append(progress.line) or stopping(7)(progress))
    assert "1 nats from the dense model on windows held back after 4,096 tokens, 5 before" in told[-1]
    ended, later = (request(text, f"{DISTILLED[:-4]} recover_until={each}:0.5") for each in (4096, 5000))
    with monkeypatch.context() as patch:
        no_pruning(patch)
        patch.setattr(Distillation, "gradient", lambda *_: pytest.fail("trained on"))
        patch.setattr(pruned_model, "losses", None)  # nor is the dense model read
        best = losses(empty, ended)
        execute.get(ended.to(ExportRequest, setting=ended.settings[0], folder=str(tmp_path / "out")), empty)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "refit + distill, 12,000 tokens, ended after 4,096 tokens, bfloat16" in card
    assert np.array_equal(losses(Store(tmp_path / "other"), ended), best)
    assert np.array_equal(losses(empty, later), best)  # trained anew, and no better after another look
    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "judged", lambda self: 1.0 / (1 + self.done))
        assert not np.array_equal(losses(empty, asked), best)
    assert np.array_equal(losses(empty, ended), best)


def test_a_training_of_minutes_goes_on_by_the_steps_of_its_first_run(empty, text, tmp_path, monkeypatch):
    """The clock is read once; what was killed ends as what was not."""
    asked = request(text, "uniform repair=distill recover_minutes=1:0.5", sequences=9)
    clock = lambda: SimpleNamespace(perf_counter=iter([0, 12]).__next__)  # noqa: E731
    monkeypatch.setattr(pruned_model, "time", clock())
    with pytest.raises(Cancelled):
        execute.get(asked, empty, report=stopping(2))
    resumed = losses(empty, asked)
    monkeypatch.setattr(pruned_model, "time", clock())
    assert np.array_equal(resumed, losses(Store(tmp_path / "whole"), asked))


def test_a_full_disk_leaves_what_was_kept_before(tmp_path, monkeypatch):
    path = tmp_path / "parts" / parts.TRAINING
    distillation.save_checkpoint(path, {"best": torch.ones(3)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(distillation, "save_file", full)
    with pytest.raises(OSError):
        distillation.save_checkpoint(path, {"best": torch.zeros(3)})
    assert torch.equal(load_file(path)["best"], torch.ones(3))
    assert list(path.parent.iterdir()) == [path]


# --- what is asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("repair=distill", "distill trains for a budget, recover_minutes or recover_tokens: give one of the two"),
        ("by=magnitude pruner_windows=9", "magnitude reads no calibration text: leave pruner_windows out"),
        ("repair=refit recover_tokens=5000", "and neither without it"),
        ("repair=distill+refit recover_tokens=5000", "known are refit, refit_dense, blockwise"),
        ("repair=distill recover_tokens=500 recover_until=600", "recover_until no more tokens than recover_tokens"),
    ],
)
def test_a_budget_that_does_not_fit_gets_one_sentence(words, said):
    with pytest.raises(UserError, match=said):
        read_recipe(f"uniform {words}:0.7")


@pytest.mark.parametrize(
    ("words", "sequences", "said"),
    [
        (TOKENS.format(5), 9, "a budget of 5 tokens is too short for one step: give 1024"),
        (f"{SHORT[:-4]} pruner_windows=9:0.5", 9, "of 9 calibration windows 7 are not held back: give 7 or fewer"),
        ("uniform repair=distill recover_minutes=1e-06:0.5", 9, "minutes is too short for one step: give 0.1 or more"),
    ],
)
def test_what_cannot_be_trained_is_refused(empty, text, words, sequences, said):
    with pytest.raises(UserError, match=said):
        execute.get(request(text, words, sequences), empty)
