"""Reports of stored results: what is in them, and that their commands make the same again."""

from pathlib import Path

import pytest

from core.base import UserError
from core.methods import Manual
from core.requests import (
    AllocationRequest,
    EvaluationRequest,
    ExportSpec,
    Recipe,
    StudyRequest,
    WindowRequest,
    read_recipe,
    read_study,
)
from core.results import study_results
from core.show.report import remake, reports
from core.store import Store
from tests import approved
from tests.builders.profiles import stored, study
from tests.lines import request_of_line
from tests.pages import test_best_part

APPROVED = Path(__file__).parent / "approved"
LAYERS = 6


ASKED = tuple(
    map(read_recipe, ("owl:0.7", "alphapruning:0.7", "owl strength=0.02:0.7", "owl strength=0.04:0.7", "owl:0.5"))
)


def stored_study(store, asked=ASKED, **told):
    return study(store, asked, **told).entries[0]


def ways(store):
    """A repair and a pattern at one target are two ways, whose pictures are saved under two names."""
    words = ("uniform", "uniform repair=refit", "uniform pattern=2:4", "owl", "owl repair=refit")
    return stored_study(store, [read_recipe(f"{each}:0.5") for each in words])


WINDOWS = WindowRequest(source="demo", sequences=9, length=128)
BY_HAND = Recipe(allocation=AllocationRequest(base=Manual(sparsity=(0.7,) * LAYERS), target=0.7))
HELPED = {"warnings": {ASKED[0]: ["damping was raised to 0.1"]}, "broken": {ASKED[1]: 3}}
CASES = {
    "profile": lambda store: stored(store, preset="paper", prunable=True).entry,
    "study": lambda store: stored_study(store, **HELPED),
    "ways": ways,
    "dense": lambda store: stored_study(store, (), request=StudyRequest(evaluation=EvaluationRequest(text=WINDOWS))),
    "by hand": lambda store: stored_study(store, request=StudyRequest(settings=(BY_HAND,), profile="0123456789abcdef")),
    "best": lambda store: test_best_part.save(store, text="text that judges"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_report_says_what_was_approved(case, empty):
    found = reports.report(empty, CASES[case](empty))
    names = [each.name for each in found.exhibits]
    assert len(set(names)) == len(names)
    lines = [found.title, *found.sentences]
    lines += [
        f"{each.name}: {each.title} {each.finding} {each.note}, {len(each.table)} rows" for each in found.exhibits
    ]
    lines += map(" | ".join, (*found.table, *found.origin, *found.commands))
    approved.check(APPROVED / f"{case}.txt", lines)


def test_the_whole_file_stays_small(empty):
    page = reports.html(empty, stored(empty, preset="paper", prunable=True).entry)
    assert 4e6 < len(page.encode()) < 10e6
    assert page.count("plotly.js v") == 1


def test_what_cannot_be_reported_is_said_in_a_sentence(empty):
    entry = stored_study(empty)
    pruned = entry.spec.points[1].pruned
    export = empty.entry(empty.save(ExportSpec(model=entry.spec.model, pruned=pruned, folder="/x"), None, {}))
    gone = empty.path(entry.spec.evaluated(entry.spec.points[2]))
    gone.rename(gone.with_name("elsewhere"))
    for each, named in ((export, "export"), (entry, "again")):
        with pytest.raises(UserError, match=named):
            reports.html(empty, each)


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
