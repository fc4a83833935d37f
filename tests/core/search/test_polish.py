"""Polish: the loss on its text never rises, a stopped run ends as a whole one, and the file prunes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.allocation.budget import met
from core.analysis import evaluations
from core.cli import polishing
from core.evaluation import marginals as pricing
from core.jobs import experiment
from core.models import cost
from core.models.progress import Cancelled, Progress
from core.models.sources import locate, outlined
from core.search import polish, polish_measuring
from core.search.polish_cost import Cost
from core.search.polish_measuring import Measuring
from core.specs import PolishRequest, Setting, UserError, WindowRequest, checked, grammar
from core.store.cache import Entry, Store
from core.store.deleting import delete
from core.store.packs import pack, unpack
from tests import tiny

LENGTH = 12
MUCH = 100_000


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.jsonl"
    rows = [f"{index} {tiny.SENTENCES[index % 5]} {tiny.SENTENCES[index % 3]}" for index in range(60)]
    path.write_text("\n".join(json.dumps({"text": row}) for row in rows), encoding="utf-8")
    return f"file:{path}"


def request(text: str, start: str = "uniform:0.5", pruner: str = "wanda", **more: object) -> PolishRequest:
    asked = {
        "model": str(tiny.folder("llama")),
        "setting": Setting(pruner=pruner, allocation=grammar.read_allocation(start)),
        "calibration": WindowRequest(source=text, documents=(0, 19), sequences=3, length=LENGTH),
        "selection": WindowRequest(source=text, documents=(20, 39), sequences=8, length=LENGTH),
        "tokens": 12_000,
    }
    return PolishRequest(**(asked | more))


def losses(store: Store, entry: Entry) -> tuple[float, float]:
    """Of the start and of what was found."""
    found = evaluations.read(store, entry.spec.study)
    return found.single(entry.spec.start).loss, found.single(entry.spec.found).loss


def test_the_loss_falls_and_the_budget_stays(empty: Store, text: str, tmp_path: Path) -> None:
    seen: list[Progress] = []
    entry = experiment.get(request(text), empty, report=seen.append)
    told = entry.provenance
    start, found = losses(empty, entry)
    assert any(each["accepted"] for each in told["rounds"])
    assert found < start and told["interval"]["value"] == pytest.approx(100 * np.expm1(found - start))
    assert found - start == pytest.approx(sum(each["change"] for each in told["rounds"] if each["accepted"]))
    assert abs(met(np.array(told["sparsity"]), np.ones(tiny.LAYERS)) - 0.5) < 1e-9 and told["budget"] == 0.5
    assert max(told["sparsity"]) <= 0.95 and min(told["sparsity"]) >= 0
    assert told["tokens"] <= 12_000 and all(each.done <= each.total for each in seen if each.total)
    there = Store(tmp_path / "elsewhere")
    assert entry.key in {each.key for each in unpack(there, pack(empty, entry))}
    delete(empty, entry)
    assert empty.find(request(text)) is None


def test_judging_is_a_part_of_the_work_that_is_told(empty: Store, text: str) -> None:
    seen: list[Progress] = []
    judge = request(text).selection.model_copy(update={"documents": (40, 59)})
    assert experiment.get(request(text, final=judge), empty, report=seen.append).provenance["judged"]
    judging = [each.done for each in seen if each.line.startswith("judging")]
    assert judging == sorted(judging) and judging[0] < judging[-1]
    assert all(each.done <= each.total for each in seen if each.total)


def test_a_stopped_run_goes_on_and_ends_as_a_whole_one(
    empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: Progress) -> None:
        if progress.line.startswith("round 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        experiment.get(request(text), empty, report=stop)
    priced: list[object] = []
    honest = pricing.marginals
    monkeypatch.setattr(polish_measuring, "marginals", lambda *all_: priced.append(all_) or honest(*all_))
    entry = experiment.get(request(text), empty)
    again = len(priced)
    whole = experiment.get(request(text), Store(tmp_path / "apart"))
    assert again < len(priced) - again == len(whole.spec.marginals)
    assert entry.key == whole.key and entry.provenance["rounds"] == whole.provenance["rounds"]


def test_pairs_go_on_where_the_slopes_end(empty: Store, text: str, tmp_path: Path) -> None:
    """Until no pair helps; stopped among them, it ends as a whole run does."""
    asked = request(text, pruner="magnitude", step=0.1, probe=8, tokens=MUCH)
    entry = experiment.get(asked, Store(tmp_path / "whole"))
    told = entry.provenance
    traded = [bool(each["pairs"]) for each in told["rounds"]]
    assert traded == sorted(traded) and any(each["pairs"] and each["accepted"] for each in told["rounds"])
    for each in told["rounds"]:
        if each["pairs"] == 1:  # masks by size alone do not look at what comes before them
            assert each["change"] == pytest.approx(each["expected"], rel=1e-3)
    assert told["budget"] == 0.5 and len(entry.spec.exchanges) > 1

    def stop(progress: Progress) -> None:
        if progress.line.startswith("pairs: pruned layer 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        experiment.get(asked, empty, report=stop)
    again = experiment.get(asked, empty)
    assert again.key == entry.key and again.provenance["rounds"] == told["rounds"]


@pytest.mark.parametrize(("start", "pruner"), [("uniform:0.5", "magnitude"), ("file", "wanda")])
def test_no_pruner_or_start_ends_worse(empty: Store, text: str, tmp_path: Path, start: str, pruner: str) -> None:
    """Per linear too: the linears of a layer move together."""
    if start == "file":
        start = str(tmp_path / "start.json")
        Path(start).write_text(json.dumps([[0.4, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5]] * tiny.LAYERS), encoding="utf-8")
    entry = experiment.get(request(text, start, pruner, tokens=6_000), empty)
    first, found = losses(empty, entry)
    assert found <= first and len(entry.provenance["rounds"]) > 0
    sparsity = np.array(entry.provenance["sparsity"])
    if sparsity.ndim == 2:
        shifts = sparsity - np.array(json.loads(Path(start).read_text(encoding="utf-8")))
        assert shifts == pytest.approx(np.broadcast_to(shifts[:, :1], shifts.shape), abs=1e-9)


@pytest.mark.parametrize("start", ["uniform:0.5", "file"])
def test_single_linears_move_by_themselves(empty: Store, text: str, tmp_path: Path, start: str) -> None:
    """From a number per layer, or per linear; the budget is that of the weights."""
    begin = np.full((tiny.LAYERS, 7), 0.5)
    if start == "file":
        begin[:] = [0.4, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5]
        start = str(tmp_path / "start.json")
        Path(start).write_text(json.dumps(begin.tolist()), encoding="utf-8")
    by_layer = request(text, start, tokens=MUCH)
    entry = experiment.get(by_layer.model_copy(update={"granularity": "linear", "probe": 8}), empty)
    told, units = entry.provenance, tiny.LAYERS * 7
    first, found = losses(empty, entry)
    begun = empty.load(entry.spec.marginals[0])
    assert begun.less.shape == begun.more.shape == (units, 8)
    assert found < first and any(each["pairs"] and each["accepted"] for each in told["rounds"])
    assert np.ptp(np.array(told["sparsity"]) - begin, axis=1).max() > 0.01, "the linears of a layer part"
    assert told["budget"] == pytest.approx(entry.spec.start.allocation.target, abs=1e-6)
    assert entry.key != experiment.get(by_layer, empty).key


def test_the_start_comes_back_where_nothing_helps(empty: Store, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every move that is tried loses a nat: all are undone."""
    honest = Measuring.losses

    def worse(measuring: Measuring, setting: Setting, name: str) -> np.ndarray:
        return honest(measuring, setting, name) + (setting != measuring.request.setting)

    monkeypatch.setattr(Measuring, "losses", worse)
    asked = request(text, tokens=MUCH)
    entry = experiment.get(asked, empty)
    told = entry.provenance
    assert not any(each["accepted"] for each in told["rounds"])
    traded = [each["pairs"] for each in told["rounds"]]
    assert traded[: polish.HALVINGS] == [0] * polish.HALVINGS, "the slopes come first"
    assert traded[polish.HALVINGS :] == [*polish._halved(traded[polish.HALVINGS])], "all that helped alone, then half"
    assert entry.spec.found == entry.spec.start and told["sparsity"] == [0.5] * tiny.LAYERS
    assert told["sentence"].startswith("Polish added nothing here")


def test_what_cannot_be_polished_is_refused(empty: Store, text: str, refused: Callable) -> None:
    with refused("too small for one round", "give"):
        experiment.get(request(text, tokens=50), empty)
    whole = WindowRequest(source=text, length=LENGTH)
    with refused("same"):
        experiment.get(request(text, calibration=whole, selection=whole), empty)
    with refused("final text"):
        experiment.get(request(text, final=request(text).selection), empty)
    with refused("documents 20-39", "documents 30-49", "overlap"):
        beside = request(text).selection.model_copy(update={"documents": (30, 49)})
        experiment.get(request(text, final=beside), empty)
    with refused("differ in their linears", "--granularity layer"):
        experiment.get(request(text, model=str(tiny.folder("gemma4")), granularity="linear", tokens=MUCH), empty)
    pattern = Setting(pattern="2:4", allocation=grammar.read_allocation("uniform:0.5"))
    for wrong, named in (({"setting": pattern}, "no budget to move"), ({"setting": Setting(), "probe": 99}, "99")):
        with pytest.raises(UserError, match=named):
            checked(PolishRequest, **wrong)


def test_the_file_prunes(say: Callable, text: str, tmp_path: Path) -> None:
    file, model = tmp_path / "polished.json", tiny.folder("llama")
    judge = ["--final", text, "--final-documents", "10-19"]
    same = ["--model", model, "--calibration", text, "--documents", "0-9", "--sequences", 3, "--length", LENGTH]
    said = say("polish", *same, "--selection", text, "--selection-documents", "20-39", "--windows", 8, "--tokens", 6000,
               "--allocation", "uniform:0.5", "--write", file, *judge, "--json").json  # fmt: skip
    judged = say("prune", *same, "--evaluate", text, "--evaluate-documents", "20-39", "--windows", 8,
                 "--allocation", file, "--json").json  # fmt: skip
    assert said["judged"]["interval"]["n"] == 8 and "documents 10-19" in said["judged"]["sentence"]
    assert judged["planned"] == pytest.approx(said["sparsity"])
    assert judged["against_uniform"]["percent"] == pytest.approx(said["interval"]["value"])


def test_a_place_where_no_file_can_be_is_refused_before_anything_runs(
    say: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polishing, "run", lambda *_: pytest.fail("a job was run"))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in ("nowhere/polished.json", "folder.json", "file/polished.json", "polished.txt"):
        say("polish", "--write", tmp_path / place).refused("--write", "a .json file")
    say("polish", "--write", "~nobody-here/polished.json").refused("--write", "~nobody-here")


def test_a_budget_in_minutes_is_what_the_machine_computes_in_them(
    say: Callable, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["polish", "--model", tiny.folder("llama"), "--calibration", text, "--documents", "0-19", "--sequences", 3,
             "--length", LENGTH, "--selection", text, "--selection-documents", "20-39", "--windows", 8,
             "--allocation", "uniform:0.5", "--write", tmp_path / "polished.json"]  # fmt: skip
    for minutes in (0, "nan", "inf", "1e308"):
        say(*asked, "--minutes", minutes).refused("--minutes", "more than 0", "a year")
    store = Store(tmp_path)
    shape = outlined(locate(str(tiny.folder("llama")), store), store)
    plain = Cost(request(text), shape)
    two = 120 * 0.5 * plain.token  # FLOP, at half a token a second
    monkeypatch.setattr(cost, "speed", lambda *_: 0.5 * plain.token)
    say(*asked, "--minutes", 2).refused(f"budget of {plain.within(two)} tokens", "too small for one round")
    repaired = Setting(repair="refit", allocation=grammar.read_allocation("uniform:0.5"))
    assert 60 > plain.within(two) > Cost(request(text, setting=repaired), shape).within(two), "solving takes time too"
