"""`python -m core runs` and `report`: list, delete, write."""

import pytest

from core.jobs import processes, queue
from core.jobs.records import Status
from core.methods.owl import Owl
from core.requests.allocations import AllocationRequest
from core.requests.export_and_search import ExportSpec
from core.requests.recipes import Recipe
from core.store import profiles
from core.store.cache import Store
from tests import fake_experiment as fake
from tests import synthetic

LAYERS = 3


@pytest.fixture
def runs(say):
    """`runs ...` with a cache of its own."""
    return lambda *words, **cache: say("runs", *words, **cache)


@pytest.fixture
def store(no_demo, tmp_path):
    return Store(tmp_path / "cache")


@pytest.fixture
def key(store):
    """The key of a profile in the cache."""
    return profile(store)


def profile(store, seed=0, preset="quick"):
    spec = synthetic.profile_spec(LAYERS, 8, preset, seed)
    return synthetic.save_profile(store.root, spec, LAYERS, "a model [of mine]")


def test_what_an_earlier_version_of_a_pruner_means_is_said(runs, say, store):
    old = synthetic.profile_spec(LAYERS, 8, "quick").model_copy(update={"methods": ()})
    key = synthetic.save_profile(store.root, old, LAYERS)
    for words in (runs().out, say("show", key).out):
        assert "Pruned by an earlier version of a pruner: measured again" in words


def test_a_report_is_not_replaced_unasked(report, key, tmp_path):
    file = tmp_path / "a.html"
    file.write_bytes(b"precious")
    report(key, "--out", file).refused(str(file), "--force")
    assert file.read_bytes() == b"precious"
    assert report(key, "--out", file, "--force").code == 0 and key in file.read_text(encoding="utf-8")
    report(key, "--out", tmp_path, "--force").refused(str(tmp_path), "folder")


# --- delete --------------------------------------------------------------------------------------------------------


def test_delete_takes_what_no_other_needs(runs, store):
    short, long = profile(store), profile(store, preset="standard")
    assert runs("delete", long[:8], "--yes", "--json").json == {"key": long, "deleted": True}
    assert [entry.key for entry in store.entries()] == [short]
    assert profiles.load(store, store.profile(short)).layers == LAYERS


def test_delete_says_what_would_go_until_it_is_told_to(runs, store, key):
    runs("delete", key, "--json").refused(key, "a model [of mine]", "--yes")
    assert store.profile(key).key == key


def test_the_committed_demo_stays(runs, no_demo):
    committed = profile(Store(no_demo / "demo"))
    for name in ("demo", committed):
        runs("delete", name, "--yes").refused(committed, "committed")
    assert Store(no_demo / "demo").profile(committed)


def test_a_job_is_forgotten_and_its_results_stay(runs, store, key):
    job = queue.submit(store, fake.request())
    job.write(Status(state="done", result=key))
    assert runs("delete", job.key[:10], "--yes", "--json").json == {"key": job.key, "deleted": True}
    assert queue.jobs(store) == [] and store.profile(key).key == key


def test_a_job_that_waits_or_runs_stays(runs, store):
    job = queue.submit(store, fake.request())
    runs("delete", job.key, "--yes").refused("cancel")
    job.write(Status(state="running"))
    with processes.take(job.lock):
        runs("delete", job.key, "--yes").refused("cancel")
    assert [each.key for each in queue.jobs(store)] == [job.key]


# --- the list itself -----------------------------------------------------------------------------------------------


def test_provenance_cannot_say_that_it_is_another_result(runs, store):
    spec = synthetic.profile_spec(LAYERS, 8, "quick")
    store.save(spec, None, {"key": "another", "committed": True, "model": "x"})
    [row] = runs("--json").json["profiles"]
    assert (row["key"], row["committed"], row["model"]) == (spec.key, False, "x")


def test_options_before_the_command_are_not_passed_over(tmp_path, say):
    for early in (["--cache", tmp_path], ["--json"]):
        say("runs", *early, "delete", "demo", cache=None).refused("after delete")


# --- studies, exports, best settings -------------------------------------------------------------------------------


def study(store):
    """The key of a study in the cache."""
    setting = Recipe(allocation=AllocationRequest(base=Owl()))
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), [setting], LAYERS)
    return synthetic.save_study(store.root, spec, LAYERS, text="a [bold]text[/bold]", model="a model [of mine]")


def exported(store):
    """The key of an export of that study's setting."""
    found = store.by_key(study(store)).spec
    spec = ExportSpec(model=found.model, pruned=found.points[-1].pruned, folder="/somewhere/[else]")
    store.save(spec, None, {"model": "a model", "setting": "owl", "bytes": 1234567})
    return spec.key


def test_studies_and_exports_are_listed(runs, store):
    export, other = exported(store), study(store)
    told = runs("--json").json
    [row] = told["studies"]
    assert (row["key"], row["windows"], row["length"], row["committed"]) == (other, 24, 512, False)
    assert row["settings"][0] == "dense" and len(row["settings"]) == 3
    assert [(each["key"], each["folder"]) for each in told["exports"]] == [(export, "/somewhere/[else]")]
    assert told["profiles"] == told["best"] == []


def test_people_see_every_kind_and_no_name_is_markup(runs, store, key):
    export, other = exported(store), study(store)
    said = runs().out
    assert all(each in said for each in (key, other, export, "a model [of mine]", "/somewhere/[else]"))
    assert "a [bold]text[/bold]" in said


# --- report --------------------------------------------------------------------------------------------------------


@pytest.fixture
def report(say):
    """`report ...` with the cache of the other fixtures."""
    return lambda *words: say("report", *words)


def test_a_report_of_a_result(report, key, tmp_path):
    file = tmp_path / "report [mine].html"
    told = report(key[:6], "--out", file, "--json").json
    assert told == {"key": key, "file": str(file), "bytes": file.stat().st_size}
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and key in page


def test_a_report_wants_what_can_be_reported(report, store, tmp_path):
    file = tmp_path / "report.html"
    report("zz", "--out", file).refused("'zz'")
    report(exported(store), "--out", file).refused("export")
    report("--out", file).refused("KEY")
    assert not file.exists()


def test_the_home_of_nobody_is_a_folder_like_others(report, say, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = "~nobody-here/x"
    say("prune", "--export", there).refused("there is no folder", "~nobody-here")
    say("export", key, "--to", there).refused(key)  # it is no study
    say("serve", "--root", there, "--share", "h").refused("there is no folder ~nobody-here")
    report(key, "--out", there).refused("there is no folder ~nobody-here")
    assert not (tmp_path / "~nobody-here").exists(), "no folder is made unasked"
    (tmp_path / "~nobody-here").mkdir()
    assert report(key, "--out", there).code == 0
    assert (tmp_path / there).is_file()
