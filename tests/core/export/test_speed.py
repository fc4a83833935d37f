"""An exported GGUF file is timed by `llama-bench` where it is on the PATH, and its speed stands beside its bytes."""

import json

import pytest

from core.export import file_sizes
from core.jobs import execute
from core.plan import DENSE
from core.requests import ExportRequest, Recipe
from tests.core.export.test_gguf_export import saved

ROW = dict.fromkeys(file_sizes.TOLD, 2) | {"cpu_info": "a slow one", "avg_ts": 12.345, "samples_ts": [12, 13]}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A tool on the PATH that writes a text if its arguments are those of `llama-bench`."""

    def says(text, then=""):
        tool = tmp_path / "bin" / file_sizes.TOOL
        tool.parent.mkdir(exist_ok=True)
        usual = 'test -s "$2" && test "$*" = "-m $2 -p 0 -n 32 -r 3 -o json"'
        tool.write_text(f"#!/bin/sh\n{usual} && echo '{text}' {then}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")

    return says


def test_the_speed_of_each_form_is_kept_told_and_written_on_the_card(bench, tmp_path, empty):
    asked = ExportRequest(setting=Recipe(pruner="magnitude"), model=str(saved(tmp_path / "model", "llama")), folder="")
    for form, rate in (("F16", 12.345), ("Q8_0", 20.0)):
        bench(json.dumps([ROW | {"avg_ts": rate}]))
        made = execute.get(asked.replace(folder=str(tmp_path / form), format=f"gguf:{form}"), empty)
        assert made.provenance["speed"]["avg_ts"] == rate
    _, _, rates = file_sizes.worth(asked, empty)
    assert rates == {DENSE: 12.345, "Q8_0": 20.0}
    card = (tmp_path / "F16" / "README.md").read_text()
    assert "llama-bench wrote 12.35 tokens a second by 2 threads of a slow one." in card


@pytest.mark.parametrize(
    ("answer", "then", "why"),
    [
        ("no JSON", "", "Expecting value"),
        ("[]", "", "not enough"),
        ('[{"avg_ts": 1}]', "", "build_commit"),
        ("loading\nunknown type in {file}", ">&2; exit 1", "unknown type in model.gguf"),
    ],
)
def test_a_tool_that_fails_says_why_and_names_no_folder(answer, then, why, bench, tmp_path):
    (file := tmp_path / "model.gguf").write_text("any")
    bench(answer.replace("{file}", str(file)), then)
    warned = []
    assert file_sizes.timed(file, warned.append) is None
    [sentence] = warned
    assert sentence.startswith("llama-bench failed, so no speed of model.gguf is known: ") and why in sentence
    assert str(tmp_path) not in sentence


def test_without_the_tool_there_is_no_speed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert file_sizes.timed(tmp_path / "model.gguf", pytest.fail) is None
