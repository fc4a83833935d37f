"""Reports of stored results: what is in them, and that their commands make the same again."""

from pathlib import Path

import pytest

from core.base import UserError
from core.methods import AlphaPruning, Manual, Owl
from core.requests import (
    AllocationRequest,
    Correction,
    EvaluationRequest,
    ExportSpec,
    Recipe,
    StudyRequest,
    WindowRequest,
)
from core.requests.study_file import read_study
from core.results import best, rows_of, study_results
from core.results.study_table import study_table
from core.show.figures.charts import CHARTS, COMPARED, PARTS
from core.show.report import remake, reports
from core.show.words import gain_sentences, perplexity_sentences, study_lines
from core.store import Store, profiles
from tests.builders.profiles import stored, study
from tests.core.show.report.test_report import Reader
from tests.lines import request_of_line
from tests.pages import test_best_part

LAYERS = 6


def setting(base=None, target=0.7, **correction):
    allocation = AllocationRequest(base=base or Owl(), target=target, correction=Correction(**correction))
    return Recipe(allocation=allocation)


ASKED = (setting(), setting(AlphaPruning()), setting(strength=0.02), setting(strength=0.04), setting(target=0.5))


@pytest.fixture(autouse=True)
def short_library(request, monkeypatch):
    """The real one is five megabytes, and only one test asks for it."""
    if request.function is not test_the_whole_file_stays_small:
        monkeypatch.setattr(reports, "get_plotlyjs", lambda: "var Plotly;")


def stored_study(store, asked=ASKED, **told):
    return study(store, asked, **told).entries[0]


def read(store, entry):
    return Reader(reports.html(store, entry))


def drawn(found):
    """The kind of every chart, in order; no two have one name."""
    names = [attrs["data-name"] for _, attrs in found.elements if attrs.get("class") == "chart"]
    assert len(set(names)) == len(names)
    return [name.rpartition("-")[2] for name in names]


# --- what is in it -------------------------------------------------------------------------------------------------


def test_a_profile_is_reported_with_the_charts_of_its_page(empty):
    entry = stored(empty, preset="standard", prunable=True).entry
    found, profile = read(empty, entry), profiles.load(empty, entry)
    charts = drawn(found)
    assert len(charts) == len([row for row in CHARTS if row.group not in (COMPARED, PARTS) and row.key != "repaired"])
    assert charts[0] == "matrix"
    assert all(len(looks["light"]["data"]) == len(looks["dark"]["data"]) > 0 for looks in found.figures)
    told = ("invented text", entry.key, entry.spec.text.content, "float32", "2026-11-01", "torch")
    assert all(text in found.text for text in told)
    assert all(gain_sentences.of_perturbation(profile, name) in found.text for name in profile.by_name)


def test_the_whole_file_stays_small(empty):
    page = reports.html(empty, stored(empty, preset="standard", prunable=True).entry)
    assert 4e6 < len(page.encode()) < 10e6
    assert page.count("plotly.js v") == 1


def test_a_study_is_reported_with_its_headline_its_verdicts_and_its_table(empty):
    entry = stored_study(empty, warnings={ASKED[0]: ["damping was raised to 0.1"]}, broken={ASKED[1]: 3})
    found = read(empty, entry)
    assert drawn(found) == ["perplexity", "changes", "changes", "correction"]
    measured = study_results.load(empty, entry)
    assert measured.of(ASKED[1]).trouble in found.text and "nan" not in found.text.lower().replace("finance", "")
    said = perplexity_sentences.of_study(measured)
    cells = [cell for row in study_table(rows_of(measured)).differing.texts for cell in row]
    assert all(each in found.text for each in (*said, *cells, entry.key, measured.of(ASKED[0]).helped))
    [part] = [each for each in measured.slices if each.target == 0.7]
    one = perplexity_sentences.leading(measured, part)
    assert f"Perplexity {one.written} at {part.name}: {one.name}" in found.text


def test_each_way_of_pruning_is_drawn_with_its_own_names(empty):
    """A repair and a pattern at one target are two ways, whose pictures are saved under two names."""
    half = Recipe(allocation=AllocationRequest(target=0.5))
    ways = [half, *(half.model_copy(update=more) for more in ({"repair": "refit"}, {"pattern": "2:4"}))]
    owls = [each.model_copy(update={"allocation": AllocationRequest(base=Owl(), target=0.5)}) for each in ways[:2]]
    found = read(empty, stored_study(empty, (*ways, *owls)))
    assert drawn(found) == ["perplexity"] * 3 + ["changes"] * 2
    for way in ("Wanda", "Wanda + refit", "Wanda, 2:4"):
        assert f"Perplexity against target sparsity ({way})" in found.text


def test_what_cannot_be_reported_is_said_in_a_sentence(empty):
    entry = stored_study(empty)
    pruned = entry.spec.points[1].pruned
    export = empty.entry(empty.save(ExportSpec(model=entry.spec.model, pruned=pruned, folder="/x"), None, {}))
    gone = empty.path(entry.spec.evaluated(entry.spec.points[2]))
    gone.rename(gone.with_name("elsewhere"))
    for each, named in ((export, "export"), (entry, "again")):
        with pytest.raises(UserError, match=named):
            reports.html(empty, each)


def test_an_evaluation_of_the_dense_model_is_its_perplexity_and_one_line(empty):
    request = StudyRequest(evaluation=EvaluationRequest(text=WindowRequest(source="demo", sequences=9, length=128)))
    entry = stored_study(empty, (), request=request)
    found = reports.report(empty, entry)
    [(_, line)] = found.commands
    assert line.startswith("python -m core evaluate ") and request_of_line(line) == request
    assert found.title.startswith("Perplexity of the dense model") and not found.exhibits


# --- commands ------------------------------------------------------------------------------------------------------


def test_a_result_that_does_not_say_where_it_is_from_has_no_command(empty):
    assert "no command" in remake.profile(stored(empty, preset="standard", prunable=True).entry)[0][0]
    assert "no command" in remake.study(study_results.load(empty, stored_study(empty)))[0][0]


def test_a_best_setting_says_its_answer_and_the_search(empty):
    entry = test_best_part.save(empty, text="text that judges")
    found, told = best.load(empty, entry), reports.report(empty, entry)
    assert told.title == study_lines.answer(found) and study_lines.loss(found) in told.sentences
    assert told.commands == (("The whole search with all its numbers.", best.whole_line(found.request)),)


def test_a_study_that_no_file_can_say_says_why(empty):
    request = StudyRequest(settings=(setting(Manual(sparsity=(0.7,) * LAYERS)),), profile="0123456789abcdef")
    found = remake.study(study_results.load(empty, stored_study(empty, request=request)))
    assert "No study file can say it" in found[0][0]


def same(request, asked, folder, *fields):
    """True where a request that is read back is the one that was asked, but for fields and the folder of paths."""
    again = request.replace(**{name: getattr(asked, name) for name in fields})
    return again.model_dump_json().replace(f"{folder}/", "") == asked.model_dump_json()


def test_what_is_printed_to_make_a_committed_result_again_asks_for_the_same(tmp_path):
    """But for zeros and integers in one linear, which are no longer made: one sentence says so."""
    store, refused, path = Store(), set(), tmp_path / "study.toml"
    for entry in store.entries("profile"):
        [(about, text)] = remake.profile(entry)
        asked, line = remake.request_of_profile(entry), request_of_line(text)
        assert line.measurements and same(line, asked, Path.cwd(), "measurements")
        if "no longer made" in about:
            refused.add("profile")
        else:
            assert set(line.measurements) >= set(asked.measurements)  # every seed of each
    for entry in store.entries("study"):
        (about, text), *_ = remake.study(study_results.load(store, entry))
        if "no longer made" in about:
            refused.add("study")
        elif not text.startswith("python"):
            path.write_text(text, "utf-8")
            asked, again = StudyRequest.model_validate(entry.provenance["request"]), read_study(path)
            assert same(again, asked, tmp_path, "settings") and set(again.settings) == set(asked.settings)
    assert refused == {"profile", "study"}
