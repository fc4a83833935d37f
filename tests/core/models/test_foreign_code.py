"""Errors of libraries become sentences, ours do not; a tokenizer is tried before it is read."""

import json
import sys
from unittest.mock import Mock

import pytest

from core.models import folder_checks, library_errors, patched
from tests import tiny

ENDS = KeyboardInterrupt, MemoryError


def test_only_what_a_library_raises_is_said_in_a_sentence(refused):
    with refused("the file cannot be read", "Expecting value"), library_errors("the file cannot be read"):
        json.loads("nothing")
    for wrong, error in (
        (lambda: folder_checks._try_tokenizer(1, 2), TypeError),
        *((lambda each=each: json.loads("1", parse_int=Mock(side_effect=each)), each) for each in ENDS),
    ):
        with pytest.raises(error), library_errors("the file cannot be read"):
            wrong()


@pytest.mark.parametrize(("bound", "most"), [("MAX_MEMBERS", 0), ("MAX_GROWTH", 0)])
def test_a_tokenizer_is_tried(bound, most, monkeypatch):
    path = tiny.folder("llama") / "tokenizer.json"
    assert folder_checks._try_tokenizer(str(path), "Rain and sun.") is None
    monkeypatch.setattr(folder_checks, bound, most)
    assert " become " in (said := folder_checks._try_tokenizer(str(path), "Rain and sun.")) or " added " in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no processor time")
def test_a_tokenizer_is_given_processor_time_not_time_by_the_clock(tmp_path, monkeypatch):
    import resource

    monkeypatch.setattr(folder_checks, "TOKENIZER_SECONDS", 1)
    sound = tiny.folder("llama") / "tokenizer.json"
    busy = tmp_path / "python"
    busy.write_text(f'#!/bin/sh\nsleep 2\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    busy.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(busy))
        assert folder_checks.tokenizer_trouble(str(sound)) == ""
    replace = [
        {"type": "Replace", "pattern": {"String": "a"}, "content": each} for each in (*["aa"] * 15, *["a"] * 5000)
    ]
    endless = {"normalizer": {"type": "Sequence", "normalizers": replace}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(json.loads(sound.read_bytes()) | endless))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "too much time" in folder_checks.tokenizer_trouble(str(tmp_path / "tokenizer.json"))
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent.ru_utime < 10


def test_attributes_are_exchanged_for_a_while():
    class Holder:
        inherited = "of the class"

    holder = Holder()
    holder.own = "its own"
    with pytest.raises(KeyError), patched(holder, inherited=1, own=2, new=3):
        assert (holder.inherited, holder.own, holder.new) == (1, 2, 3)
        del holder.new
        raise KeyError("what is raised inside changes nothing")
    assert vars(holder) == {"own": "its own"} and holder.inherited == "of the class"
