"""`prune`, `evaluate` and `study` on the command line: JSON out, tables for people, one sentence for a bad request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from tests import tiny

MODEL = str(tiny.folder("llama"))
SMALL = ["--sequences", "4", "--length", "12", "--windows", "9"]


@pytest.fixture
def texts(tmp_path: Path, no_demo: Path) -> list[str]:
    """A text for both roles, and a cache of its own."""
    text = tiny.text_file(tmp_path)
    return ["--calibration", text, "--evaluate", text, "--cache", str(tmp_path / "cache"), "--device", "cpu"]


def said(capsys: pytest.CaptureFixture) -> dict:
    return json.loads(capsys.readouterr().out)


def test_prune_says_planned_achieved_and_what_it_cost(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    line = ["prune", "--model", MODEL, "--allocation", "depth_ramp beta=0.05:0.5", *SMALL, *texts, "--json"]
    assert main(line) == 0
    found = said(capsys)
    assert len(found["planned"]) == 4 and len(found["achieved"]) == 4 and len(found["achieved"][0]) == 7
    assert found["evaluation"]["perplexity"] > 1 and found["evaluation"]["windows"] == 9
    assert found["dense"]["kl"] == pytest.approx(0, abs=1e-6)
    low, high = found["against_uniform"]["interval"]
    assert low <= found["against_uniform"]["percent"] <= high
    assert main(line) == 0
    assert said(capsys) == found, "found again, bit for bit"


def test_prune_exports_what_evaluate_then_reads(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts, "--export", str(folder),
                 "--json"]) == 0  # fmt: skip
    pruned = said(capsys)
    assert pruned["export"]["folder"] == str(folder)
    text = texts[1]
    assert main(["evaluate", "--model", str(folder), "--text", text, "--windows", "9", "--length", "12",
                 "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0  # fmt: skip
    assert said(capsys)["perplexity"] == pytest.approx(pruned["evaluation"]["perplexity"], rel=1e-5)


def test_a_pattern_brings_its_own_sparsity(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["prune", "--model", MODEL, "--pattern", "1:4", *SMALL, *texts, "--json"]) == 0
    found = said(capsys)
    assert found["setting"] == "uniform, 75%, wanda, 1:4" and found["planned"] == [0.75] * 4
    assert all(zeros == 0.75 for layer in found["achieved"] for zeros in layer)


def test_both_models_continue_a_prompt(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    line = ["prune", "--model", MODEL, "--allocation", "uniform:0.9", *SMALL, *texts, "--prompt", "The heron stood"]
    assert main([*line, "--json"]) == 0
    found = said(capsys)["writing"]
    assert found["prompt"] == "The heron stood" and found["dense"] and found["pruned"] != found["dense"]


def test_people_get_a_table(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts]) == 0
    out = capsys.readouterr().out
    assert "dense" in out and "uniform" in out and "perplexity" in out


def test_a_study_file_is_run(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ntargets = [0.5]\nsettings = ["depth_ramp beta=0.02"]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    assert main(["study", str(file), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0
    found = said(capsys)
    assert [each["name"] for each in found["points"]] == [
        "dense",
        "uniform, 50%, wanda",
        "depth_ramp beta=0.02, 50%, wanda",
    ]
    assert found["points"][2]["against_uniform"]["windows"] == 9


@pytest.fixture
def studied(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> dict:
    """A study of two ramps and a pattern, as its command line said it."""
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ntargets = [0.5]\nsettings = ["depth_ramp beta=0.02", "depth_ramp beta=0.04"]\n'
        'patterns = ["2:4"]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    assert main(["study", str(file), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0
    return said(capsys)


def test_a_setting_of_a_study_is_exported_with_its_numbers(
    studied: dict, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    line = ["export", studied["key"][:6], "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    for words, point in (("beta=0.04", 3), ("2:4", 4)):
        folder = tmp_path / words.replace(":", "-")
        assert main([*line, "--setting", words, "--to", str(folder), "--json"]) == 0
        made = said(capsys)
        assert made["folder"] == str(folder) and made["setting"] == studied["points"][point]["name"]
        perplexity = studied["points"][point]["perplexity"]
        assert f"{perplexity:.4g}" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], ["--setting", "beta=0.02", "beta=0.04"]),
        (["--setting", "depth_ramp"], ["several", "beta=0.02"]),
        (["--setting", "owl"], ["no setting", "owl", "uniform"]),
    ],
)
def test_a_setting_that_is_not_clear_is_asked_for(
    studied: dict, capsys: pytest.CaptureFixture, tmp_path: Path, options: list[str], named: list[str]
) -> None:
    line = ["export", studied["key"], "--cache", str(tmp_path / "cache"), "--to", str(tmp_path / "out"), *options]
    assert main(line) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1
    assert all(name in told.err for name in named)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--allocation", "uniform:1.2"], "target"),
        (["--allocation", "owl:0.5"], "profile"),
        (["--allocation", "uniform"], "uniform"),
        (["--allocation", "uniform:0.7", "--pattern", "2:4"], "2:4"),
        (["--allocation", "uniform:0.5", "--pattern", "4:2"], "4:2"),
        (["--pruner", "wandaa"], "pruner"),
        (["--sequences", "4000"], "4000"),
        (["--tasks", "arc_easyy", "--tasks-from", "nowhere"], "nowhere"),
        (["--export", "/nowhere/at/all"], "/nowhere"),
        (["--examples", "-1"], "examples"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_2(
    texts: list[str], capsys: pytest.CaptureFixture, options: list[str], named: str
) -> None:
    line = {"--allocation": "uniform:0.5", "--sequences": "4"}
    line |= dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in line.items() for word in pair]
    assert main(["prune", "--model", MODEL, *words, "--length", "12", "--windows", "9", *texts, "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1 and named in told.err


def test_an_allocation_for_another_depth_is_refused(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    file = tmp_path / "allocation.json"
    file.write_text(json.dumps({"sparsity": [0.5, 0.5, 0.5]}))
    assert main(["prune", "--model", MODEL, "--allocation", str(file), *SMALL, *texts, "--json"]) == 2
    assert "3 layers" in capsys.readouterr().err


def test_a_mixture_of_experts_is_refused(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    model = str(tiny.folder("mixtral"))
    assert main(["prune", "--model", model, "--allocation", "uniform:0.5", *SMALL, *texts, "--json"]) == 2
    assert "cannot be pruned" in capsys.readouterr().err
