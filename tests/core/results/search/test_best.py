"""The best setting: chosen on one text, judged on another, found again, and "uniform" when nothing is better."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.base import Estimate, UserError, per_cent
from core.jobs import execute
from core.methods import Response, Treatment, Uniform
from core.models import Cancelled
from core.prune import pruned_model
from core.requests import EvaluationRequest, MeasureRequest, Recipe, StudyRequest, WindowRequest, grammar, uniform
from core.results import UNKNOWN, Change, best, search_plan, study_results, text_splits
from core.show.words import study_lines
from core.store import Store, delete
from tests import tiny
from tests.core.breaking import breaking, no_pruning
from tests.core.results.search.asking import LENGTH, grid, request

pytestmark = pytest.mark.usefixtures("few")


@pytest.fixture
def search(empty, text):
    """The answer of a small search."""
    return lambda target=0.5, **more: best.load(empty, execute.get(request(text, target, **more), empty))


# --- end to end ----------------------------------------------------------------------------------------------------


def test_the_best_on_one_text_is_judged_on_another(empty, text, monkeypatch):
    asked = request(text)
    entry = execute.get(asked, empty)
    found = best.load(empty, entry)

    selecting = [each.loss for each in found.selection.singles if each.setting]
    first, second, *others = (each.setting.allocation for each in found.selection.singles if each.setting)
    assert grammar.write(first) == "uniform:0.5" and second.base.kind != "uniform"
    assert {grammar.write(each) for each in others} >= found.provenance.forecasts.keys()
    assert len(others) <= search_plan.MOST - 2 and found.provenance.predicted == 33
    assert [each.loss for each in found.candidates] == sorted(selecting)

    assert found.against_uniform == found.judged(found.winner).against(found.judged(found.uniform))
    assert found.against_uniform.windows.n == 8 and found.against_uniform.windows.certain
    assert {each.seeds for each in found.final.settings} == {(0, 1, 2)} and found.against_uniform.seeds.n == 3
    assert (found.answer == found.winner) == (found.against_uniform.windows.high < 0)
    spans = [getattr(found.request, role).documents for role in text_splits.ROLES]
    assert spans == [(0, 35), (36, 47), (48, 59)]

    no_pruning(monkeypatch)
    assert execute.get(asked, empty).key == entry.key
    delete(empty, entry)
    kept = {each.key for each in empty.entries("study")}
    assert empty.find(asked) is None and {found.spec.selection.key, found.spec.final.key} <= kept


def test_a_stopped_choice_goes_on_where_it_was(empty, text):
    def stop(progress):
        if progress.line.startswith("selection: Depth ramp, beta ") and "saved" in progress.line:
            raise Cancelled

    asked = request(text, seeds=(0,))
    with pytest.raises(Cancelled):
        execute.get(asked, empty, report=stop)
    assert empty.find(asked) is None
    seen = []
    entry = execute.get(asked, empty, report=seen.append)
    lines = [each.line for each in seen if each.total]
    again = ("profile", "selection: dense: window", "selection: Uniform, 50 % zeros, Wanda: pruned")
    assert not [line for line in lines if line.startswith(again)]
    assert all(each.done <= each.total for each in seen)
    apart = Store(empty.root.parent / "apart")
    whole = best.load(apart, execute.get(asked, apart))
    assert entry.key == whole.spec.key
    assert np.array_equal(best.load(empty, entry).judged(whole.winner).losses, whole.judged(whole.winner).losses)


def test_the_winner_is_trained_and_judged_on_the_text_that_selects(empty, text, monkeypatch):
    monkeypatch.setattr(pruned_model, "steps_within", lambda *_: 4)
    seen = []
    asked = request(text, repair="refit", recover_minutes=0.01, recover_dtype="bfloat16", seeds=(0,))
    found = best.load(empty, execute.get(asked, empty, report=seen.append))
    told = list(dict.fromkeys(each.line.partition(":")[0] for each in seen if each.total))
    assert told == ["profile", "selection", "repair", "recovery", "final"]
    assert [each.setting for each in found.final.settings] == [found.uniform, found.winner]
    assert found.selection.spec.text.sequences == 4 and found.selection.spec.calibration.sequences == 2
    tried = [each for each in found.candidates if each.setting.allocation == found.winner.allocation]
    [trained] = (each for each in tried if each.setting.distills)
    assert trained.setting.recover_dtype == "bfloat16"
    before = min((each for each in tried if not each.setting.distills), key=lambda each: each.loss)
    notes = [each for each in found.provenance.left_out if "The training does not lower" in each]
    assert found.winner == (trained if trained.loss < before.loss else before).setting
    assert (trained.loss < before.loss) == (not notes)


def test_too_few_windows_to_train_the_winner_by_are_refused_first(empty, text):
    asked = request(text, recover_minutes=1, seeds=(0,))
    few = asked.replace(calibration=asked.calibration.replace(sequences=2))
    with pytest.raises(UserError, match="holds a calibration window back"):
        execute.get(few, empty)
    assert not [*empty.entries()]


def test_nothing_is_measured_for_candidates_where_the_cache_holds_it(search, empty, text):
    """But not where that has read what judges; with norms of inputs alone little calibrates the candidates."""
    for documents, taken in (((0, 20), True), ((40, 59), False)):
        asked = search_plan.profile_request(request(text))
        window = asked.text.replace(documents=documents, sequences=2)
        more = (*asked.measurements, tiny.measurement("gaussian:0.1"))
        held = execute.get(asked.replace(text=window, measurements=more), empty)
        found = search(seeds=(0,))
        assert (found.profile == held.key == found.request.profile) == taken
        assert found.selection.spec.calibration.sequences == 1
        delete(empty, held)


def test_bytes_are_not_met_by_a_profile_that_knows_no_types_outside_the_layers(empty, text):
    of_bytes = request(text, None, at_most=40e3, pruner="gguf")
    entry = execute.get(search_plan.profile_request(of_bytes), empty)
    held = [[*search_plan.holding(of_bytes, empty, entry.spec.model)]]
    empty.save(entry.spec.replace(outside=None), None, entry.provenance)
    for asked in (of_bytes, request(text, 0.7, pruner="gguf")):
        held.append([*search_plan.holding(asked, empty, entry.spec.model)])
    assert [len(each) for each in held] == [1, 0, 1]


@pytest.mark.parametrize(
    ("times", "evaluated", "joins"), [(1.02, (36, 47), True), (4.0, (36, 47), False), (1.02, (40, 50), False)]
)
def test_pruners_that_stored_settings_predict_join_where_intervals_do_not_tell_them_apart(
    search, empty, text, monkeypatch, times, evaluated, joins
):
    """But none that was evaluated on what judges."""
    losing(monkeypatch, uniform=0.8, response=0.7, magnitude=times)
    window = WindowRequest(source=text, sequences=8, length=LENGTH, documents=evaluated)
    settings = [
        Recipe(allocation=uniform(each), pruner=by) for by in ("wanda", "magnitude") for each in (0.3, 0.4, 0.5, 0.6)
    ]
    asked = StudyRequest(
        model=request(text).model, settings=settings, evaluation=EvaluationRequest(text=window),
        calibration=window.replace(documents=(0, 20)),
    )  # fmt: skip
    execute.get(asked, empty)
    found = search(pruner="any", seeds=(0,))
    assert {each.setting.pruner for each in found.candidates} == {"wanda", *(["magnitude"] if joins else [])}
    unseen = evaluated[1] < found.request.final.documents[0]
    assert found.winner.treatment == Treatment("wanda") and found.provenance.predicted == (1 + unseen) * 33
    assert [each for each in found.candidates if (known := found.predicted(each)) and known.kl and known.changed]


def test_without_rivals_the_answer_is_uniform(search, monkeypatch):
    monkeypatch.setattr(search_plan, "BASES", grid())
    found = search(seeds=(0,))
    assert found.answer == found.winner == found.uniform
    assert found.against_uniform is None
    assert study_lines.answer(found).startswith("Use uniform at 50 %: ")
    assert grammar.write(found.answer.allocation) == "uniform:0.5"


def losing(monkeypatch, **share):
    """Losses known beforehand: the perplexity rises by a share of the target, a third where a method is not named.

    That of a pruner multiplies it.
    """
    real = study_results.read

    def invented(*given):
        found = real(*given)
        points = []
        for each in found.points:
            asked = each.setting and each.setting.allocation
            rise = share.get(asked.base.kind, 1 / 3) * asked.target if asked else 0.0
            rise *= share.get(each.setting.pruner, 1) if asked else 1
            if each.evaluated:
                each = replace(each, evaluated=replace(each.evaluated, nll=np.full(8, 3 + np.log1p(rise))))
            points.append(each)
        return replace(found, points=tuple(points))

    monkeypatch.setattr(study_results, "read", invented)


def test_most_zeros_within_a_loss(search, monkeypatch, refused):
    """Uniform keeps within the loss at a lower target, is judged there with every seed too, and may be the answer."""
    monkeypatch.setattr(search_plan, "BASES", grid(Uniform(), Response()))
    losing(monkeypatch, uniform=0.8, response=0.7)
    found = search(None, max_loss=0.36, seeds=(0, 1))
    pruned = {each.setting: each.perplexity / found.selection.dense.perplexity - 1 for each in found.candidates}
    assert pruned[found.winner] <= 0.36 and found.winner.allocation.base.kind == "response"
    within = [each.allocation.target for each, rise in pruned.items() if rise <= 0.36]
    assert found.winner.allocation.target == max(within) and 0.48 <= max(within) <= 0.51
    target = found.fallback.allocation.target
    assert 0.42 <= target <= 0.45 and len(pruned) <= search_plan.most_evaluated(found.request)
    judged = [each.setting for each in found.final.singles if each.setting and each.setting.allocation.target == target]
    assert [(each.allocation.base.kind, each.calibration_seed) for each in judged] == [("uniform", 0), ("uniform", 1)]
    for high, answer in ((-1.0, found.winner), (1.0, judged[0])):
        change = Change(Estimate(-2.0, -3.0, high, 8), UNKNOWN)
        monkeypatch.setattr(best.Best, "against_uniform", property(lambda _, change=change: change))
        assert found.answer == answer
    assert study_lines.answer(found).startswith(f"Use uniform at {per_cent(target)}: ")
    assert found.lost == found.against(judged[0], None).windows
    assert len(best.commands(found)) == 2 and f"uniform:{target}" in best.commands(found)[1]
    with refused("1 %"):
        search(None, max_loss=0.0001)


def test_a_loss_that_nothing_predicts_is_refused(search, monkeypatch, refused):
    losing(monkeypatch, uniform=-0.1, response=-0.1)
    with refused("a prediction needs 2 or more"):
        search(None, max_loss=0.36, seeds=(0,))


# --- refused at the door -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"calibration": {"sequences": 200}}, "calibration"),
        ({"final": {"documents": (0, 5)}, "selection": {"documents": (5, 20)}}, "overlap"),
        ({"selection": {"source": "file:nowhere.txt"}}, "nowhere.txt"),
    ],
)
def test_a_text_that_does_not_fit_its_role_is_refused(empty, text, change, named, refused, monkeypatch):
    monkeypatch.setattr(execute, "Sweep", lambda *_: pytest.fail("measured before it was refused"))
    asked = request(text)
    windows = {role: getattr(asked, role).replace(**fields) for role, fields in change.items()}
    with refused(named):
        execute.get(asked.replace(**windows), empty)


def test_the_same_words_under_two_names_are_refused(search, text, tmp_path, refused):
    twin = tmp_path / "twin.jsonl"
    twin.write_bytes(Path(text.removeprefix("file:")).read_bytes())
    one, two = (WindowRequest(source=each, sequences=8, length=LENGTH) for each in (text, f"file:{twin}"))
    with refused("selection", "final"):
        search(calibration=WindowRequest(sequences=2), selection=one, final=two)


@pytest.mark.parametrize(("documents", "role"), [((50, 55), "final"), (None, "selection")])
def test_a_profile_that_has_read_what_selects_or_judges_is_refused(search, empty, text, documents, role, refused):
    window = WindowRequest(source=text, documents=documents, sequences=2, length=LENGTH)
    one = (tiny.measurement("gaussian:0.3"),)
    measured = execute.get(MeasureRequest(model=str(tiny.folder("llama")), text=window, measurements=one), empty)
    with refused(measured.key, role):
        search(profile=measured.key)


# --- what breaks, and what is kept ---------------------------------------------------------------------------------


def test_where_uniform_breaks_the_winner_answers(search, monkeypatch):
    monkeypatch.setattr(
        pruned_model, "prune_layers", breaking(pruned_model.prune_layers, lambda plan: np.ptp(plan.sparsity) < 1e-9)
    )
    found = search()
    assert np.isnan(found.judged(found.uniform).perplexity) and np.isfinite(found.judged(found.winner).perplexity)
    assert found.answer == found.winner != found.uniform
    assert "uniform breaks the model" in study_lines.answer(found)


# --- from the command line --------------------------------------------------------------------------------------------


@pytest.fixture
def say(say):
    """Run one command on the CPU."""
    return lambda *words: say(*words, "--device", "cpu")


def test_the_command_answers_and_its_lines_make_the_answer_again(say, text, tmp_path, monkeypatch):
    what = [
        "best", "--model", tiny.folder("llama"), "--target", 0.5, "--text", text, "--windows", 8, "--length", LENGTH,
        "--sequences", 3, "--repair", "none", "--seeds", "0,1",
    ]  # fmt: skip
    answer = say(*what, "--json").json
    assert answer["answer"] in {answer["winner"]["allocation"], "uniform:0.5"}
    assert answer["against_uniform"] is None or set(answer["against_uniform"]) == {"percent", "interval", "windows"}
    rows = {each["allocation"]: each for each in answer["candidates"]}
    assert "uniform:0.5" in rows and any(name.startswith("response objective=kl") for name in rows)
    made = say("export", answer["key"], "--to", tmp_path / "pruned", "--json").json
    assert Path(made["folder"], "config.json").is_file()
    [key] = [each.key for each in Store(tmp_path / "cache").entries("best")]
    assert answer["key"] == key

    no_pruning(monkeypatch)
    assert all(f"--cache {tmp_path / 'cache'}" in line for line in answer["commands"])
    measure, prune = ([*shlex.split(line)[3:], "--json"] for line in answer["commands"])
    assert say(*measure).json["key"] == answer["profile"]
    assert say(*prune).json
    assert f"{answer['sentence']} " in " ".join(say(*what).out.split())
    judged = answer["protocol"]["final"]
    assert (judged["windows"], judged["length"], judged["calibration"]["windows"]) == (8, LENGTH, 3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "target"),
        (["--target", 0.6, "--max-loss", "20%"], "one of the three"),
        (["--max-loss", "abc"], "abc"),
        (["--target", 0.6, "--windows", 4], "8"),
    ],
)
def test_bad_options_get_one_line(say, arguments, named):
    say("best", "--model", tiny.folder("llama"), *arguments).refused(named)


def test_a_file_of_a_size_is_made_from_a_model_and_an_empty_cache(say, text, tmp_path):
    """GGUF types by the sketch; the bytes hold, and the same line again makes no other file."""
    model = tiny.llama(tmp_path / "model", 256, 2)
    what = [
        "best", "--model", model, "--text", text, "--windows", 8, "--length", LENGTH, "--sequences", 3, "--seeds", 0,
        "--export", tmp_path / "out", "--json",
    ]  # fmt: skip
    say(*what, "--at-most", "0.5MB").refused("0.5 MB", "Q4_0")
    answer = say(*what, "--at-most", "1.5MB").json
    assert answer["answer"].startswith(("response", "uniform")) and "currency=gguf" in answer["answer"]
    assert answer["export"]["bytes"] <= 1_500_000 and (tmp_path / "out" / "model.gguf").is_file()
    say(*what, "--at-most", "1.5MB").refused("holds an earlier export")
    assert say(*what, "--at-most", "1.5MB", "--overwrite").json["key"] == answer["key"]
