"""Help: every line that is shown can be pasted."""

import shlex

import pytest
import typer

from core.cli import app as cli
from core.cli import main
from core.show import help_lines
from tests import lines

LINES = [line for group in help_lines.GROUPS.values() for line in group]
HEAVY = [line for line in LINES if line.startswith(lines.HEAVY)]


@pytest.mark.parametrize("line", HEAVY)
def test_a_line_that_runs_the_model_is_understood(line):
    command, *options = shlex.split(line)
    typer.main.get_command(cli).commands[command].make_context(command, options)


@pytest.mark.parametrize("line", [line for line in LINES if line not in HEAVY])
def test_a_line_that_answers_at_once(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(line)) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
@pytest.mark.bundled
@pytest.mark.timeout(1800)  # the longest, the best setting, takes six minutes on two idle cores
@pytest.mark.parametrize("line", HEAVY)
def test_a_line_that_runs_the_model(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    assert main([*shlex.split(line), "--json"]) == 0
