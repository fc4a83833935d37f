"""Reports of stored results: what is in them, and that their commands make the same again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.ask.allocations import AllocationRequest, Correction
from core.ask.measurements import Measurement, MeasureRequest
from core.ask.perturbations import perturbation
from core.ask.requests import ExportSpec
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.study_file import read_study
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.jobs import queue
from core.jobs.status import Status
from core.kinds import Manual
from core.kinds.alphapruning import AlphaPruning
from core.kinds.owl import Owl
from core.report import assemble, comparison, picked, profile, remake, study
from core.report.view import Seen
from core.results import evaluations, verdicts
from core.results.study_table import rows_of
from core.search import best, plan
from core.show.figures.labels import digits
from core.store import profiles
from core.store.cache import Entry, Store
from core.store.results import ZeroShot
from tests import synthetic
from tests.core.report.test_report import Reader
from tests.lines import asked as asked_by
from tests.pages import test_best_part

LAYERS = 6


def setting(base: object = None, target: float = 0.7, **correction: object) -> Setting:
    allocation = AllocationRequest(base=base or Owl(), target=target, correction=Correction(**correction))
    return Setting(allocation=allocation)


ASKED = (setting(), setting(AlphaPruning()), setting(strength=0.02), setting(strength=0.04), setting(target=0.5))


@pytest.fixture(autouse=True)
def short_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one is five megabytes, and only one test asks for it."""
    if request.function is not test_the_whole_file_stays_small:
        monkeypatch.setattr(assemble, "get_plotlyjs", lambda: "var Plotly;")


@pytest.fixture
def store(empty_cache: Path) -> Store:
    return Store(empty_cache)


def stored_profile(store: Store, model: str = "invented model", preset: str = "standard") -> Entry:
    spec = synthetic.profile_spec(LAYERS, 8, preset, prunable=True)
    return store.profile(synthetic.save_profile(store.root, spec, LAYERS, model))


def stored_study(
    store: Store, asked: tuple[Setting, ...] = ASKED, tasks: tuple[str, ...] = (), warnings: tuple[str, ...] = (),
    **told: object,
) -> Entry:  # fmt: skip
    """A study whose own folder says what was asked, as real ones do."""
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), asked, LAYERS, tasks=tasks)
    for point in spec.points:
        found = synthetic.evaluated(point, spec.text.sequences, LAYERS)
        about = {"broken": None, "device": "cpu", "warnings": list(warnings) if asked[:1] == (point.setting,) else []}
        store.save(spec.evaluated(point), found, about)
        for unit in spec.zero_shot(point):
            store.save(unit, synthetic.answered(point, unit.task.name), {})
    path = store.save(spec, None, {"model": "invented model", "text": "a text", "created": "2026-11-01"} | told)
    return store.entry(path)


def read(store: Store, *entries: Entry) -> Reader:
    return Reader(assemble.html(store, entries))


# --- what is in it -------------------------------------------------------------------------------------------------


def test_a_profile_is_reported_whole(store: Store) -> None:
    entry = stored_profile(store)
    page = assemble.html(store, [entry])
    found = Reader(page)
    charts = [attrs["data-name"].rpartition("-")[2] for _, attrs in found.elements if attrs.get("class") == "chart"]
    assert sorted(charts) == sorted(["layer", "matrix", "dilution"] * 2 + ["responses", "methods"])
    assert len(found.figures) == len(charts)
    assert all(len(looks["light"]["data"]) == len(looks["dark"]["data"]) > 0 for looks in found.figures)
    told = ("invented text", entry.key, entry.spec.text.content, "8 of 64 tokens", "float32", "2026-11-01", "torch")
    assert all(text in found.text for text in told)
    assert len(page) < 2e6


def test_a_profile_opens_at_the_view_that_it_was_made_from(store: Store) -> None:
    found = profiles.load(store, stored_profile(store))
    [first, *_] = profile.part(found, None, Seen("skip", 4)).exhibits
    assert "skip" in first.name and "the marked layer, 4, is the one in view" in first.note
    [first, *_] = profile.part(found, None, Seen("gaussian:9", 99)).exhibits
    assert "gaussian-0.3" in first.name and "has the greatest gain" in first.note, "what it lacks is not followed"


def test_profiles_are_compared_before_each_is_reported(store: Store) -> None:
    entries = [stored_profile(store, preset=preset) for preset in ("standard", "quick")]
    found = [profiles.load(store, each) for each in entries]
    part = comparison.part(found, Seen("skip"))
    assert [each.name for each in part.exhibits] == ["compared-overlay"] and all(
        each.key[:6] in part.title for each in entries
    )
    assert part.title in read(store, *entries).text
    assert comparison.part(found[:1], Seen()) is None


def test_picked_evaluations_are_reported_as_they_are_compared(store: Store) -> None:
    entry = stored_study(store)
    rows = rows_of(evaluations.load(store, entry))[1:3]
    found = picked.part(rows)
    assert found.sentences == (rows[1].against(rows[0]),)
    [(_, table)] = found.tables
    assert [cells[0] for cells in table.rows] == [row.allocation for row in rows] and len(found.exhibits) == 1
    file = Reader(assemble.html(store, [entry], first=lambda: found))
    assert file.text.index(found.title) < file.text.index("what does pruning cost?")


def test_a_picked_evaluation_that_is_not_compared_says_why(store: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), ASKED, LAYERS)
    half = spec.model_copy(update={"model": spec.model.model_copy(update={"dtype": "bfloat16"})})
    keys = [synthetic.save_study(store.root, each, LAYERS) for each in (spec, half)]
    rows = [rows_of(evaluations.load(store, *store.entries("study", key)))[1] for key in keys]
    [(_, table)] = picked.part(rows).tables
    assert "one ran in bfloat16, the other in float32" in picked.part(rows).sentences[0]
    assert "against the first" not in table.columns and "protocol" in table.columns


def test_the_whole_file_stays_small(store: Store) -> None:
    page = assemble.html(store, [stored_profile(store), stored_study(store)])
    assert 4e6 < len(page.encode()) < 10e6
    assert page.count("plotly.js v") == 1


def test_a_study_is_reported_whole(store: Store) -> None:
    entry = stored_study(store)
    found = read(store, entry)
    assert drawn(found) == ["perplexity", "changes", "changes", "correction"]
    measured = evaluations.load(store, entry)
    said = [each for part in measured.slices for each in verdicts.sentences(measured, part, None)]
    for each in (
        *(row.allocation for row in rows_of(measured)),
        *said,
        digits(measured.dense.perplexity, 4),
        entry.key,
    ):
        assert each in found.text


def test_each_way_of_pruning_is_drawn_with_its_own_names(store: Store) -> None:
    """A repair and a pattern at one target are two ways, whose pictures are saved under two names."""
    half = Setting(allocation=AllocationRequest(target=0.5))
    ways = [half, *(half.model_copy(update=more) for more in ({"repair": "refit"}, {"pattern": "2:4"}))]
    owls = [each.model_copy(update={"allocation": AllocationRequest(base=Owl(), target=0.5)}) for each in ways[:2]]
    found = read(store, stored_study(store, (*ways, *owls)))
    assert drawn(found) == ["perplexity"] * 3 + ["changes"] * 2
    for way in ("Wanda", "Wanda + refit", "Wanda, 2:4"):
        assert f"Perplexity against target sparsity: {way}" in found.text


def drawn(found: Reader) -> list[str]:
    """The kind of every chart, in order; no two have one name."""
    names = [attrs["data-name"] for _, attrs in found.elements if attrs.get("class") == "chart"]
    assert len(set(names)) == len(names)
    return [name.partition("zero-shot")[1] or name.rpartition("-")[2] for name in names]


def test_a_study_is_reported_with_all_that_its_page_shows(store: Store) -> None:
    profile = stored_profile(store)
    entry = stored_study(
        store, tasks=("boolq", "rte"), warnings=("damping was raised to 0.1",), profile=profile.key,
        model="invented model",
    )  # fmt: skip
    found = read(store, entry)
    assert drawn(found) == ["perplexity", "changes", "zero-shot", "changes", "correction", "zero-shot", "trust"]
    assert "mean of tasks" in assemble.html(store, [entry])
    measured = evaluations.load(store, entry)
    assert f"OWL at 70 %: {measured.of(ASKED[0]).helped}" in found.text
    answers = measured.dense.answers("rte")
    assert f"{answers.mean():.3f} ± {answers.std(ddof=1) / len(answers) ** 0.5:.3f}" in found.text


@pytest.mark.parametrize("lacking", ["deleted", "damaged", "of another model"])
def test_without_its_profile_a_study_is_reported_without_estimates(store: Store, lacking: str) -> None:
    seed = 1 if lacking == "of another model" else 0
    spec = synthetic.profile_spec(LAYERS, 8, prunable=True, seed=seed)
    if lacking != "deleted":
        synthetic.save_profile(store.root, spec, LAYERS)
    if lacking == "damaged":
        store.path(spec.activation).rename(store.root / "gone")
    assert "trust" not in drawn(read(store, stored_study(store, profile=spec.key)))


def test_answers_that_are_not_finite_are_not_written_as_numbers(store: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), ASKED[:1], LAYERS, tasks=("boolq",))
    unit = spec.zero_shot(spec.points[-1])[0]
    broken = np.full(200, np.nan)
    store.save(unit, ZeroShot(document=np.arange(200.0), acc=broken, acc_norm=broken), {})
    synthetic.save_study(store.root, spec, LAYERS)
    text = read(store, store.by_key(spec.key)).text
    assert "OWL has no accuracy" in text and "nan" not in text.replace("finance", "")


def test_a_setting_that_broke_says_where(store: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), ASKED[:2], LAYERS)
    synthetic.save_study(store.root, spec, LAYERS, broken={ASKED[0]: 3, ASKED[1]: LAYERS})
    text = read(store, store.by_key(spec.key)).text
    troubles = {each.trouble for each in evaluations.load(store, store.by_key(spec.key)).singles} - {""}
    assert len(troubles) == 2 and all(each in text for each in troubles)
    assert "nan" not in text.lower().replace("finance", "")


def test_what_cannot_be_reported_is_said_in_a_sentence(store: Store) -> None:
    entry = stored_study(store)
    pruned = entry.spec.points[1].pruned
    export = store.entry(store.save(ExportSpec(model=entry.spec.model, pruned=pruned, folder="/x"), None, {}))
    gone = store.path(entry.spec.evaluated(entry.spec.points[2]))
    gone.rename(gone.with_name("elsewhere"))
    for entries, named in (([export], "export"), ([], "profile"), ([entry], "again")):
        with pytest.raises(UserError, match=named):
            assemble.html(store, entries)


def test_a_shallow_profile_without_budget_is_reported_too(store: Store) -> None:
    key = synthetic.save_profile(store.root, synthetic.profile_spec(2, 8, "quick"), 2)
    found = read(store, store.profile(key))
    names = [attrs["data-name"] for _, attrs in found.elements if attrs.get("class") == "chart"]
    assert names and not any("methods" in name or "responses" in name for name in names)


def test_the_methods_drawn_are_those_whose_commands_stand_there(store: Store) -> None:
    found = profiles.load(store, stored_profile(store))
    answered = profile.possible(found)
    assert {"Uniform", "OWL", "Response", "OWL, corrected 0.04"} <= set(answered)
    commands = [each.text for each in profile.part(found).commands if "allocate" in each.text]
    assert len(commands) == len(answered)
    for request, sparsity in answered.values():
        assert abs(np.average(sparsity, weights=np.nansum(found.weights.parameters, 1)) - request.target) < 1e-9


# --- names and changes ---------------------------------------------------------------------------------------------


def test_a_report_says_what_other_seeds_make_of_a_verdict_and_names_seed_0_beside_them(store: Store) -> None:
    seeds = tuple(setting().model_copy(update={"calibration_seed": seed}) for seed in (0, 1, 2))
    entry = stored_study(store, seeds)
    told = study.part(entry, evaluations.load(store, entry))
    [said] = [each for each in told.sentences if "OWL" in each]
    assert "over 3 calibration seeds" in said
    [(_, table)] = told.tables
    assert [row[table.columns.index("calibration seeds")] for row in table.rows] == ["", "0, 1, 2", "0, 1, 2"]


# --- commands ------------------------------------------------------------------------------------------------------


def test_the_command_of_a_profile_comes_from_its_run(store: Store) -> None:
    entry = stored_profile(store, preset="quick")
    window = WindowRequest(source="demo", sequences=8, length=64, seed=5)
    asked = MeasureRequest(
        model="demo", text=window, measurements=(Measurement(perturbation=perturbation("gaussian:0.3"), seed=1),)
    )
    queue.submit(store, asked).write(Status(state="done", result=entry.key))
    [found] = remake.profile(entry, queue.asked_for(store, entry.key))
    assert asked_by(found.text) == asked


@pytest.mark.parametrize("removal", [False, True])
def test_without_its_run_the_command_comes_from_provenance(removal: bool, store: Store) -> None:
    spec = synthetic.profile_spec(LAYERS, 8, "quick").model_copy(update={"removal": removal})
    told = {"model_source": "demo", "text_source": "demo", "documents": [0, 5], "revision": None, "device": "cpu"}
    entry = store.entry(store.save(spec, None, told))
    [found] = remake.profile(entry, queue.asked_for(store, entry.key))
    asked = asked_by(found.text)
    assert (asked.model, asked.text.source, asked.text.documents) == ("demo", "demo", (0, 5))
    assert (asked.text.sequences, asked.text.length, asked.text.packing) == (8, 64, "joined")
    assert asked.measurements == spec.measurements and asked.removal == removal
    assert "seed" in found.about and "--device cpu" in found.text
    seeded = synthetic.profile_spec(LAYERS, 8, "quick", seed=1)
    [found] = remake.profile(store.entry(store.save(seeded, None, told | {"seed": 7})))
    assert asked_by(found.text).text.seed == 7 and "noted" not in found.about


def test_a_result_that_does_not_say_where_it_is_from_has_no_command(store: Store) -> None:
    assert "no command" in remake.profile(stored_profile(store))[0].about
    assert "no command" in remake.study(evaluations.load(store, stored_study(store)))[0].about


def test_an_evaluation_of_the_dense_model_is_one_line(store: Store) -> None:
    request = StudyRequest(evaluation=EvaluationRequest(text=WindowRequest(source="demo", sequences=9, length=128)))
    entry = stored_study(store, (), request=request.model_dump(mode="json"))
    [found] = remake.study(evaluations.load(store, entry))
    assert found.text.startswith("python -m core evaluate ") and asked_by(found.text) == request


def test_the_study_file_in_a_report_reads_back_as_the_request(store: Store, tmp_path: Path) -> None:
    asked = tuple(setting(base, target) for target in (0.5, 0.7) for base in (Owl(), AlphaPruning()))
    request = StudyRequest(
        profile="0123456789abcdef", settings=asked, calibration=WindowRequest(seed=4, bos="every"),
        evaluation=EvaluationRequest(text=WindowRequest(source="demo", sequences=9, length=128)),
    )  # fmt: skip
    found = remake.study(evaluations.load(store, stored_study(store, request=request.model_dump(mode="json"))))
    (tmp_path / "study.toml").write_text(found[0].text)
    again = read_study(tmp_path / "study.toml")
    assert set(again.settings) == set(asked)
    assert again.model_copy(update={"settings": asked}) == request
    assert found[1].text.startswith("python -m core study study.toml")


def told(found: assemble.Part) -> dict[str, str]:
    assert len(dict(found.provenance)) == len(found.provenance)
    return dict(found.provenance)


def test_a_study_says_what_it_was_calibrated_on_and_asked(store: Store) -> None:
    seeds = tuple(setting().model_copy(update={"calibration_seed": seed}) for seed in (0, 2))
    entry = stored_study(store, seeds, tasks=("boolq",), calibration="a calibration text")
    found = study.part(entry, evaluations.load(store, entry))
    rows = told(found)
    assert rows["calibration text"] == "a calibration text" and rows["calibration seeds"] == "0, 2"
    assert rows["calibration text, windows"].startswith("16 of 64 tokens")
    assert rows["calibration text, SHA-256"] == "invented calibration"
    assert rows["zero-shot boolq"] == "200 examples, seed 0, content boolq"
    assert all(" text, 16 × 64, seeds 0, 2" in each.note for each in found.exhibits)
    magnitude = stored_study(store, (setting().model_copy(update={"pruner": "magnitude"}),))
    found = study.part(magnitude, evaluations.load(store, magnitude))
    assert told(found)["calibration text"].startswith("none") and "calibrated" not in found.exhibits[0].note
    assert "calibration text" not in told(profile.part(profiles.load(store, stored_profile(store))))


TEXTS = {"calibration": "a text", "selection": "text that selects", "final": "text that judges"}


def test_a_best_setting_says_its_texts_and_the_search(store: Store) -> None:
    entry = test_best_part.save(store, texts=TEXTS, text="text that judges")
    found = best.load(store, entry)
    reported = assemble._part(store, entry, assemble.not_known, Seen())
    rows = told(reported)
    assert (rows["text"], rows["calibration text"], rows["text that selects"]) == tuple(
        TEXTS[role] for role in ("final", "calibration", "selection")
    )
    assert rows["calibration text, windows"].startswith("16 of 64") and rows["calibration seeds"] == "0, 1, 2"
    assert rows["text that selects, SHA-256"] == found.selection.spec.text.content
    assert rows["calibration seed of the selection"] == "0" and rows["effort"] == "quick"
    assert "calibrated on a text, 16 × 64, seeds 0, 1, 2" in reported.exhibits[0].note
    search, *parts = reported.commands
    assert search.text == best.whole_line(found.request) and search.text.startswith("python -m core best ")
    assert [each.text for each in parts] == list(best.commands(found))
    assert ["profile" in each.about for each in parts] == [True, False] and "one calibration seed" in parts[1].about


def test_a_search_that_no_line_can_say_gives_the_study_that_judged(store: Store, tmp_path: Path) -> None:
    final = test_best_part.ANSWERED.final.model_copy(update={"length": 512})
    entry = test_best_part.save(store, request=test_best_part.ANSWERED.model_copy(update={"final": final}))
    found = best.load(store, entry)
    assert best.commands(found) == ()
    file, run = assemble._part(store, entry, assemble.not_known, Seen()).commands
    (tmp_path / "study.toml").write_text(file.text)
    asked = plan.final_request(found.request, found.profile, found.winner, found.runner_up)
    again = read_study(tmp_path / "study.toml")
    assert set(again.settings) == set(asked.settings)
    assert again.evaluation.text == asked.evaluation.text and again.calibration == asked.calibration
    assert run.text.startswith("python -m core study ") and "No command says this search" in file.about


def test_where_no_file_can_say_it_each_setting_has_its_command(store: Store) -> None:
    by_hand = setting(Manual(sparsity=(0.7,) * LAYERS))
    request = StudyRequest(settings=(setting(), by_hand), profile="0123456789abcdef",
                           evaluation=EvaluationRequest(text=WindowRequest(sequences=9, length=512)))  # fmt: skip
    [found] = remake.study(evaluations.load(store, stored_study(store, request=request.model_dump(mode="json"))))
    first, second = found.text.splitlines()
    assert first.startswith("python -m core prune") and "owl" in first
    assert second.startswith("#") and "JSON" in second
