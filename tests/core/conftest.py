"""What the tests of core share."""

import json
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from core.base import UserError
from core.cli import main
from core.store import Store, entries


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on stdout."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1 and self.out.endswith("\n"), "more than one line on stdout"
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    def refused(self, *names):
        """Exit code 2 and one line that names things."""
        assert self.code == 2 and self.out == "", self.err
        [line] = self.err.strip().splitlines()
        assert 15 < len(line) < 400 and all(name in line for name in names), line


@pytest.fixture
def say(no_demo, tmp_path, capsys):
    """Run one command with a cache of its own, in a folder that a keyword changes."""

    def run(*words, cache="cache"):
        capsys.readouterr()
        code = main([*map(str, words), *(["--cache", str(tmp_path / cache)] if cache else [])])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def no_demo(tmp_path_factory, monkeypatch):
    """The committed results out of sight; returns the folder that stands in for cache/."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setattr(entries, "HOME", home)
    return home


@pytest.fixture
def empty(no_demo, tmp_path):
    """An empty store with nothing committed behind it."""
    return Store(tmp_path / "cache")


@pytest.fixture
def text(tmp_path):
    """A small text, as a source."""
    from tests import tiny  # and with it torch, which most tests do without

    return tiny.text_file(tmp_path)


@pytest.fixture
def inference():
    """No gradients."""
    import torch

    with torch.inference_mode():
        yield


@pytest.fixture
def sentence():
    """Check that an error is one sentence which names things; returns the sentence."""

    def check(error, *names):
        assert isinstance(error, UserError)
        text = str(error)
        assert text.strip() == text and "\n" not in text, f"more than one line: {text!r}"
        assert 15 < len(text) < 300, f"{len(text)} characters: {text!r}"
        assert ". " not in text and not text.endswith("."), f"more than one sentence: {text!r}"
        for name in names:
            assert name in text, f"{name!r} is not named in {text!r}"
        return text

    return check


@pytest.fixture
def refused(sentence):
    """A block that has to end with an error: one sentence that names things."""

    @contextmanager
    def check(*names, error=UserError):
        with pytest.raises(error) as said:
            yield said
        sentence(said.value, *names)

    return check
