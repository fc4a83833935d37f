"""`python -m core runs` and `report`: list, delete, write."""

import re
from pathlib import Path

import pytest

from core.jobs import Status, processes, queue
from core.requests import ExportSpec, read_recipe
from core.store import Store, profiles
from tests import fake_experiment as fake
from tests import synthetic

LAYERS = 3


def profile(store, preset="quick", **changed):
    spec = synthetic.profile_spec(LAYERS, 8, preset).replace(**changed)
    return synthetic.save_profile(store.root, spec, "a model [of mine]")


def study_and_export(store):
    """Keys of a study in the cache, and of an export of its setting."""
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8), [read_recipe("owl:0.7")])
    study = synthetic.save_study(store.root, spec, text="a [bold]text[/bold]", model="a model [of mine]")
    export = ExportSpec(model=spec.model, pruned=spec.points[-1].pruned, folder="/somewhere/[else]")
    store.save(export, None, {"model": "a model", "setting": "owl", "bytes": 1234567})
    return study, export.key


@pytest.fixture
def key(empty):
    """The key of a profile in the cache."""
    return profile(empty)


def test_delete_says_what_would_go_and_takes_what_no_other_needs(say, empty, key):
    long = profile(empty, preset="paper")
    say("runs", "delete", long, "--json").refused(long, "a model [of mine]", "--yes")
    assert say("runs", "delete", long[:8], "--yes", "--json").json == {"key": long, "deleted": True}
    assert [entry.key for entry in empty.entries()] == [key]
    assert profiles.load(empty, empty.profile(key)).layers == LAYERS


def test_the_committed_demo_stays(say, no_demo):
    committed = profile(Store(no_demo / "demo"))
    for name in ("demo", committed):
        say("runs", "delete", name, "--yes").refused(committed, "committed")
    assert Store(no_demo / "demo").profile(committed)


def test_a_job_is_forgotten_once_it_has_ended_and_its_results_stay(say, empty, key):
    job = queue.submit(empty, fake.request())
    say("runs", "delete", job.key, "--yes").refused("cancel")
    job.write(Status(state="running"))
    with processes.take(job.lock):
        say("runs", "delete", job.key, "--yes").refused("cancel")
    job.write(Status(state="done", result=key))
    assert say("runs", "delete", job.key[:10], "--yes", "--json").json == {"key": job.key, "deleted": True}
    assert queue.jobs(empty) == [] and empty.profile(key).key == key


def test_results_are_listed_and_none_can_say_that_it_is_another(say, empty):
    study, export = study_and_export(empty)
    spec = synthetic.profile_spec(LAYERS, 8, "quick")
    empty.save(spec, None, {"key": "another", "committed": True, "model": "x"})
    told = say("runs", "--json").json
    [row], [exported], [measured] = told["studies"], told["exports"], told["profiles"]
    assert (row["key"], row["windows"], row["length"], row["committed"]) == (study, 24, 512, False)
    assert row["settings"][0] == "dense" and len(row["settings"]) == 3 and told["best"] == []
    assert (exported["key"], exported["folder"]) == (export, "/somewhere/[else]")
    assert (measured["key"], measured["committed"], measured["model"]) == (spec.key, False, "x")


def test_people_see_every_kind_and_no_name_is_markup(say, empty):
    key, keys = profile(empty, methods=()), study_and_export(empty)
    said = say("runs").out
    assert all(each in said for each in (key, *keys, "a model [of mine]", "/somewhere/[else]", "a [bold]text[/bold]"))
    for words in (said, say("show", key).out):
        assert "Pruned by an earlier version of a pruner: measured again" in words


def test_options_before_the_command_are_not_passed_over(tmp_path, say):
    for early in (["--cache", tmp_path], ["--json"]):
        say("runs", *early, "delete", "demo", cache=None).refused("after delete")


# --- report --------------------------------------------------------------------------------------------------------


def test_a_report_of_a_result_replaces_no_file_unasked(say, key, tmp_path):
    file = tmp_path / "report [mine].html"
    told = say("report", key[:6], "--out", file, "--json").json
    assert told == {"key": key, "file": str(file), "bytes": file.stat().st_size}
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and key in page
    file.write_bytes(b"precious")
    say("report", key, "--out", file).refused(str(file), "--force")
    assert file.read_bytes() == b"precious"
    assert say("report", key, "--out", file, "--force").code == 0 and key in file.read_text(encoding="utf-8")
    say("report", key, "--out", tmp_path, "--force").refused(str(tmp_path), "folder")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that the system keeps")
def test_a_folder_that_cannot_be_and_a_name_that_is_no_text_are_refused(say, tmp_path):
    measure = ("measure", "--sequences", "2", "--length", "16")
    say(*measure, cache="/proc/x").refused("no folder can be made", "/proc/x")
    say(*measure, cache=tmp_path / ("x/" * 1700)).refused("no folder can be made")
    say("prune", "--export", tmp_path / "a\udcff").refused("folder", "no UTF-8")
    say(*measure, "--text", "file:a\udcff").refused("source", "no UTF-8")


@pytest.mark.parametrize(
    "words",
    [
        ("show", "{}"), ("allocate", "--profile", "{}"), ("measure", "--model", "a/b", "--revision", "{}"),
        ("measure", "--model", "a/{}"), ("measure", "--text", "a/{}"), ("report", "{}", "--out", "x"), ("{}",),
        ("measure", "--{}"), ("measure", "--engine-on", "{}"), ("serve", "--share", "{}", "--read-only"),
        ("serve", "--root", "{}", "--share", "x"), ("runs", "delete", "{}", "--yes"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_long_value_is_cut_in_the_middle(say, words):
    said = say(*(each.format("x" * 5000) for each in words))
    assert said.code == 2 and len(said.err) < 400 and re.search(r"xx(…|\.\.\.)xx", said.err)
    said = say(*(each.format("it's " * 1000) for each in words))
    assert said.code == 2 and len(said.err) < 700


def test_the_home_of_nobody_is_a_folder_like_others(say, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = "~nobody-here/x"
    say("prune", "--export", there).refused("there is no folder", "~nobody-here")
    say("export", key, "--to", there).refused(key)  # it is no study
    say("serve", "--root", there, "--share", "h").refused("there is no folder ~nobody-here")
    say("report", key, "--out", there).refused("there is no folder ~nobody-here")
    assert not (tmp_path / "~nobody-here").exists(), "no folder is made unasked"
    (tmp_path / "~nobody-here").mkdir()
    assert say("report", key, "--out", there).code == 0 and (tmp_path / there).is_file()
