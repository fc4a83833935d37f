"""Command lines: any command with any options and odd values; none that is sound enough runs anything."""

import contextlib
import functools
import io

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.cli import main
from core.jobs import queue, worker
from core.requests import OPTIONS
from core.store import entries
from tests.fuzz.judging import bounded, fuzz, judge

VALUES = st.sampled_from(
    ["demo", "", "0", "-1", "1e9", "nan", "owl m=5:0.7", "uniform:0.5", "gaussian:0.3", "residual:wanda:2", "0-5",
     "5-0", "file:", "file:/dev/null", "a/b", "..", "\x00", "\x1b[31m", "😀", "x" * 400, "0.5,0.7", "2:4",
     "--json", "[]", "kl"]
) | st.text(max_size=12)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path, monkeypatch):
    def run(*_):
        raise UserError("this would be run: nothing is run by this test")

    monkeypatch.setattr(worker, "run", run)
    monkeypatch.setattr(queue, "submit", run)
    monkeypatch.setattr(entries, "HOME", tmp_path / "home")
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))  # the same each time
    monkeypatch.chdir(tmp_path)


@fuzz
@given(st.data())
def test_a_command(data):
    name = data.draw(st.sampled_from(sorted(OPTIONS)))
    words = name.split()
    for option in data.draw(st.lists(st.sampled_from(OPTIONS[name]), max_size=4)):
        words += [] if option.argument else [option.flag]
        words += [] if option.kind is bool else [data.draw(VALUES)]
    out, err = io.StringIO(), io.StringIO()
    with bounded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    assert code in (0, 1, 2), words
    if code:
        judge(err.getvalue().strip().splitlines()[-1])
