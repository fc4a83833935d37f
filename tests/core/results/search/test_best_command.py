"""The best setting from the command line: the answer, its lines, and what is refused."""

import shlex
from pathlib import Path

import pytest

from core.prune import pruned_model
from core.store import Store
from tests import tiny
from tests.core.results.search.asking import LENGTH, asking

pytestmark = pytest.mark.usefixtures("few")


@pytest.fixture
def say(say):
    """Run one command on the CPU."""
    return lambda *words: say(*words, "--device", "cpu")


def test_the_command_answers_and_its_lines_make_the_answer_again(say, text, tmp_path, monkeypatch):
    what = [*asking(text), "--seeds", "0,1"]
    answer = say(*what, "--json").json
    assert answer["answer"] in {answer["winner"]["allocation"], "uniform:0.5"}
    assert answer["against_uniform"] is None or set(answer["against_uniform"]) == {"percent", "interval", "windows"}
    rows = {each["allocation"]: each for each in answer["candidates"]}
    assert "uniform:0.5" in rows and any(name.startswith("response objective=kl") for name in rows)
    for row in (row for row in rows.values() if row["predicted"]):
        said = row["predicted"]
        assert said["low"] <= said["perplexity"] <= said["high"]
    made = say("export", answer["key"], "--to", tmp_path / "pruned", "--json").json
    assert Path(made["folder"], "config.json").is_file()
    [key] = [each.key for each in Store(tmp_path / "cache").entries("best")]
    assert answer["key"] == key

    monkeypatch.setattr(pruned_model, "prune_layers", lambda *_: pytest.fail("the printed line prunes something else"))
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
        (["--target", 0.6, "--max-loss", "20%"], "one of the two"),
        (["--max-loss", "abc"], "abc"),
        (["--target", 0.6, "--windows", 4], "8"),
    ],
)
def test_bad_options_get_one_line(say, arguments, named):
    say("best", "--model", tiny.folder("llama"), *arguments).refused(named)
