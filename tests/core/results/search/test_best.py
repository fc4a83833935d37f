"""The best setting: chosen on one text, judged on another, found again, and "uniform" when nothing is better."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.ask import grammar
from core.ask.inputs import WindowRequest
from core.ask.measurements import MeasureRequest
from core.evaluate import resolving
from core.jobs import experiment, work
from core.kinds.depth_ramp import DepthRamp
from core.kinds.owl import Owl
from core.models.progress import Cancelled, Progress
from core.results import best, candidates, text_splits
from core.results.candidates import GRIDS
from core.results.comparison import Interval
from core.results.evaluated import UNKNOWN, Change
from core.show.words import advice
from core.store.cache import Store
from core.store.deleting import delete
from core.store.packs import pack, unpack
from tests import tiny
from tests.core.breaking import breaking
from tests.core.results.search.asking import LENGTH, grid, request

pytestmark = pytest.mark.usefixtures("few")


# --- end to end ----------------------------------------------------------------------------------------------------


def test_the_best_on_one_text_is_judged_on_another(
    empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []
    asked = request(text)
    entry = experiment.get(asked, empty, report=seen.append)
    found = best.load(empty, entry)

    told = honest(seen)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert [each.parts for each in told] == sorted(each.parts for each in told)
    assert list(dict.fromkeys(each.line.partition(":")[0] for each in told)) == ["profile", "selection", "final"]
    selecting = [each.loss for each in found.selection.singles if each.setting]
    assert len(selecting) == 5  # uniform, a ramp, a response, and the correction with its reverse
    assert found.selection.single(found.winner).loss == min(selecting)
    assert [each.loss for each in found.candidates] == sorted(selecting)
    assert found.runner_up.allocation.base.kind != found.winner.allocation.base.kind

    judged = found.judged(found.winner), found.judged(found.uniform)
    assert found.against_uniform == judged[0].against(judged[1])
    assert found.against_uniform.windows.n == 8 and found.against_uniform.windows.certain
    assert {each.seeds for each in found.final.settings} == {(0, 1, 2)} and found.against_uniform.seeds.n == 3
    assert (found.answer == found.winner) == (found.against_uniform.windows.high < 0)
    assert advice.answer(found).startswith(f"Use {advice.called(found.answer)}: ")

    spans = [getattr(found.request, role).documents for role in text_splits.ROLES]
    assert spans == [(0, 35), (36, 47), (48, 59)]
    contents = {found.spec.profile.text.content, found.spec.selection.text.content, found.spec.final.text.content}
    assert len(contents) == 3
    told = text_splits.described(found.request)
    assert str(tmp_path) not in told and "documents 48-59" in told

    monkeypatch.setattr(resolving, "prune_layers", lambda *_: pytest.fail("measured twice"))
    assert experiment.get(asked, empty).key == entry.key
    assert advice.answer(best.load(empty, empty.find(asked))) == advice.answer(found)
    there = Store(tmp_path / "elsewhere")
    assert entry.key in {each.key for each in unpack(there, pack(empty, entry))}
    assert advice.answer(best.load(there, next(there.entries("best")))) == advice.answer(found)
    delete(empty, entry)
    assert empty.find(asked) is None and len(list(empty.entries("study"))) == 2


def honest(seen: list[Progress]) -> list[Progress]:
    """What was told of a whole that is known, which is never passed and nearly reached."""
    told = [each for each in seen if each.total]
    assert all(each.done <= each.total for each in told)
    assert told[-1].done > 0.95 * told[-1].total
    return told


def test_a_stopped_choice_goes_on_where_it_was(empty: Store, text: str) -> None:
    def stop(progress: Progress) -> None:
        if progress.line.startswith("selection: Depth ramp, beta ") and "saved" in progress.line:
            raise Cancelled

    asked = request(text, seeds=(0,))
    with pytest.raises(Cancelled):
        experiment.get(asked, empty, report=stop)
    assert empty.find(asked) is None
    seen: list[Progress] = []
    entry = experiment.get(asked, empty, report=seen.append)
    lines = [each.line for each in seen if each.total]
    assert not [line for line in lines if re.search(r"[a-z]=|:0\.", line)], "named as charts name it"
    again = ("profile", "selection: dense: window", "selection: Uniform, 50 % zeros, Wanda: pruned")
    assert not [line for line in lines if line.startswith(again)]
    assert all(each.done <= each.total for each in seen)
    apart = Store(empty.root.parent / "apart")
    whole = best.load(apart, experiment.get(asked, apart))
    assert entry.key == whole.spec.key
    assert np.array_equal(best.load(empty, entry).judged(whole.winner).losses, whole.judged(whole.winner).losses)


def test_the_winner_is_tried_repaired(empty: Store, text: str) -> None:
    """What lowers the loss on the text that selects is judged with every seed; of what does not a note is left."""
    seen: list[Progress] = []
    entry = experiment.get(request(text, repair="refit"), empty, report=seen.append)
    found = best.load(empty, entry)
    told = list(dict.fromkeys(each.line.partition(":")[0] for each in honest(seen)))
    assert told == ["profile", "selection", "repair", "final"]
    assert len(advice.comparisons(found)) - 1 == len(found.better) == 1 - len(found.provenance.left_out)
    assert all(found.judged(each).seeds == (0, 1, 2) for each in (*found.better, *(at.uniform for at in found.better)))


def test_without_rivals_the_answer_is_uniform(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GRIDS, "quick", grid())
    found = best.load(empty, experiment.get(request(text, seeds=(0,)), empty))
    assert found.answer == found.winner == found.uniform
    assert (found.runner_up, found.against_uniform, found.against_runner_up) == (None, None, None)
    assert advice.answer(found).startswith("Use uniform at 50 %: ")
    assert grammar.write(found.answer.allocation) == "uniform:0.5"


def test_an_answer_of_a_version_that_polished_is_read(
    empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GRIDS, "quick", grid())
    entry = experiment.get(request(text, seeds=(0,)), empty)
    found = best.load(empty, entry)
    shutil.rmtree(entry.path)
    told = entry.provenance | {"request": entry.provenance["request"] | {"polish": 2}, "rounds": [{"tokens": 9}]}
    old = empty.entry(empty.save(entry.spec, None, told))
    there = Store(tmp_path / "there")
    [carried] = (each for each in unpack(there, pack(empty, old)) if each.key == old.key)
    assert best.load(empty, old).request == found.request
    assert best.load(there, carried).request.title == found.request.title


def test_full_effort_corrects_the_best_base_too(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ramps = grid(DepthRamp(beta=0.08), DepthRamp(beta=-0.08), strengths=(0.03,), corrects_best=True)
    monkeypatch.setitem(GRIDS, "full", ramps)
    monkeypatch.setattr(candidates, "best_base", lambda study: study.singles[2].setting)
    found = best.load(empty, experiment.get(request(text, effort="full", seeds=(0,)), empty))
    corrected = [each.setting for each in found.selection.settings if each.strength]
    assert [each.allocation.base.kind for each in corrected] == ["uniform", "uniform", "depth_ramp", "depth_ramp"]
    assert [each.allocation.correction.control for each in corrected] == ["none", "reversed"] * 2


def test_most_zeros_within_a_loss(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch, refused: Callable) -> None:
    monkeypatch.setitem(GRIDS, "quick", grid())
    monkeypatch.setattr(candidates, "loss", lambda _, setting: setting.allocation.target)  # a loss known beforehand
    seen: list[Progress] = []
    asked = request(text, None, max_loss=0.32, seeds=(0,))
    found = best.load(empty, experiment.get(asked, empty, report=seen.append))
    assert found.answer.allocation.target == 0.3
    tried = found.trials
    assert len(tried) <= 5 and {0.3, 0.35} <= {each["target"] for each in tried}
    honest(seen)
    assert "30 %" in advice.loss(found) and "0.32" not in advice.answer(found)
    with refused("5 %", "wanda", "1 %"):
        experiment.get(request(text, None, max_loss=0.01), empty)


def test_where_the_winner_does_not_hold_uniform_does(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ramp's losses allow 60%, uniform's 45% of the targets that are tried."""
    share = {"depth_ramp": 0.5, "uniform": 0.6}
    monkeypatch.setitem(GRIDS, "quick", grid(DepthRamp(beta=0.02)))
    monkeypatch.setattr(candidates, "choose", lambda study: [study.singles[at].setting for at in (2, 1)])
    monkeypatch.setattr(candidates, "loss", lambda _, of: share[of.allocation.base.kind] * of.allocation.target)
    seen: list[Progress] = []
    found = best.load(
        empty, experiment.get(request(text, None, max_loss=0.32, seeds=(0, 1)), empty, report=seen.append)
    )
    assert found.winner.allocation.target == 0.6
    judged = [each.setting for each in found.final.singles if each.setting and each.setting.allocation.target == 0.45]
    assert [(each.allocation.base.kind, each.calibration_seed) for each in judged] == [("uniform", 0), ("uniform", 1)]
    honest(seen)

    for high, answer in ((-1.0, found.winner), (1.0, judged[0])):
        change = Change(Interval(-2.0, -3.0, high, 8), UNKNOWN)
        monkeypatch.setattr(best.Best, "against_uniform", property(lambda _, change=change: change))
        assert found.answer == answer
    assert advice.answer(found).startswith("Use uniform at 45 %: ") and " 45 % is the largest" in advice.answer(found)
    assert found.lost == found.against(judged[0], None).windows
    assert advice.loss(found).startswith("At 45 %, uniform ")
    assert len(best.commands(found)) == 2 and "uniform:0.45" in best.commands(found)[1]


# --- refused at the door -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"calibration": {"sequences": 200}}, "calibration"),
        ({"final": {"sequences": 7}}, "8"),
        ({"final": {"documents": (0, 5)}, "selection": {"documents": (5, 20)}}, "overlap"),
        ({"selection": {"source": "file:nowhere.txt"}}, "nowhere.txt"),
    ],
)
def test_a_text_that_does_not_fit_its_role_is_refused(
    empty: Store, text: str, change: dict, named: str, refused: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "Sweep", lambda *_: pytest.fail("measured before it was refused"))
    asked = request(text)
    windows = {role: getattr(asked, role).model_copy(update=fields) for role, fields in change.items()}
    with refused(named):
        experiment.get(asked.model_copy(update=windows), empty)


def test_the_same_words_under_two_names_are_refused(empty: Store, text: str, tmp_path: Path, refused) -> None:
    twin = tmp_path / "twin.jsonl"
    twin.write_bytes(Path(text.removeprefix("file:")).read_bytes())
    one, two = (WindowRequest(source=each, sequences=8, length=LENGTH) for each in (text, f"file:{twin}"))
    with refused("selection", "final"):
        experiment.get(request(text, calibration=WindowRequest(sequences=2), selection=one, final=two), empty)


@pytest.mark.parametrize(("documents", "role"), [((48, 59), "final"), ((50, 55), "final"), (None, "selection")])
def test_a_profile_that_has_read_what_selects_or_judges_is_refused(
    empty: Store, text: str, documents: tuple | None, role: str, refused: Callable
) -> None:
    window = WindowRequest(source=text, documents=documents, sequences=2, length=LENGTH)
    measured = experiment.get(
        MeasureRequest(model=str(tiny.folder("llama")), text=window, measurements=(tiny.measurement("gaussian:0.3"),)),
        empty,
    )
    with refused(measured.key, role):
        experiment.get(request(text, profile=measured.key), empty)


# --- what is told and tried -----------------------------------------------------------------------------------------


def test_a_shallow_model_gets_no_more_ramps_than_the_longest_other_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def ramps(layers: int, target: float) -> list[float]:
        asked = candidates.candidates(GRIDS["full"], "wanda", target, layers)
        return [each.base.beta for each in asked if each.base.kind == "depth_ramp"]

    shallow = ramps(4, 0.5)
    assert len(set(shallow)) == len(shallow) == len(Owl.full(0.5, 4))
    assert shallow == sorted(shallow) and shallow[-1] == 0.332, "up to the steepest"
    assert np.ptp(np.diff([0, *shallow])) <= 0.002 + 1e-9  # spread evenly, on multiples of the step
    assert ramps(30, 0.5) == [round(0.002 * each, 6) for each in range(1, 18)], "all that are published"
    assert len(ramps(32, 0.7)) == 9


@pytest.mark.parametrize("effort", ["quick", "full"])
@pytest.mark.parametrize("target", [0.05, 0.5, 0.9])
def test_every_candidate_reads_back_as_written(effort: str, target: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked = candidates.candidates(GRIDS[effort], "sparsegpt", target, 30)
    assert len(set(asked)) == len(asked)
    assert [grammar.read_allocation(grammar.write(each)) for each in asked] == [*asked]
    ramps = [each.base.beta for each in asked if each.base.kind == "depth_ramp"]
    if effort == "full":
        assert all(target - 14.5 * beta >= 0 and target + 14.5 * beta < 1 for beta in ramps)
        steeper = 14.5 * (max(ramps, default=0) + 0.004)
        assert target + steeper >= 1 or target - steeper <= 0  # the next steeper one would fit as well


# --- what breaks, and what is kept ---------------------------------------------------------------------------------


def test_where_uniform_breaks_the_winner_answers(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        resolving, "prune_layers", breaking(resolving.prune_layers, lambda plan: np.ptp(plan.sparsity) < 1e-9)
    )
    found = best.load(empty, experiment.get(request(text), empty))
    assert np.isnan(found.judged(found.uniform).perplexity) and np.isfinite(found.judged(found.winner).perplexity)
    assert found.answer == found.winner != found.uniform
    assert "uniform breaks the model" in advice.answer(found)
