"""Paths as people type them: what `~` stands for, and what no path can be."""

from pathlib import Path

import pytest

from core.base import access, expanded, hide_folders, resolved
from core.requests import absolute


def test_a_tilde_is_the_home_folder_of_who_is_known():
    assert expanded("~/a") == Path.home() / "a"
    assert resolved("~/a") == Path.home().resolve() / "a"
    for typed in ("a/~/b", "~nobody-here/a", "~nobody\0here", "~\ud800"):
        assert expanded(typed) == Path(typed)


@pytest.mark.parametrize("typed", ["a\0b", "~nobody\0here", "x" * 300])
def test_a_path_that_cannot_be_is_told_in_a_sentence(typed, refused):
    for reads in (resolved, lambda typed: absolute(f"file:{typed}")):
        with refused("there can be no file or folder"):
            reads(typed)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('model = "/srv/a/m", file:/srv/a/b.txt', 'model = "m", file:b.txt'),
        (r"C:\a\b\c is damaged", "c is damaged"),
        ("http://e.net/a/b/c ./a/b/c owner/name/x", "http://e.net/a/b/c ./a/b/c owner/name/x"),
    ],
)
def test_a_server_for_others_names_no_folder(text, left, monkeypatch):
    assert hide_folders(text) == text
    monkeypatch.setenv(access.SHARED, "on")
    assert hide_folders(text) == left
