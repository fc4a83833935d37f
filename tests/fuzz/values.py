"""Odd values, JSON with one of them in it, and files that are odd as a whole."""

import copy
import os
from pathlib import Path

from hypothesis import strategies as st

odd = st.one_of(
    st.sampled_from([0, -1, 1, 2, 7, 10**6, 10**9, 2**31, 2**63, 10**30]),
    st.sampled_from([0.5, 1e308, float("inf"), float("nan"), True, None]),
    st.sampled_from(["", " ", "0", "-", ":", "owl", "demo", "file:", "file:/", "/", "..", "~", "a/b", "x" * 3000]),
    st.sampled_from(["\ud800", "\u202e", "\x00", "\x1b[31m", "\n", "é", "😀", "{}", "[]", "%s", "$(id)", "nan"]),
    st.sampled_from([[], {}, [[]], [None], {"": {}}, [0] * 300, [[[[[[0]]]]]]]),
    st.integers(), st.floats(), st.text(max_size=20),
)  # fmt: skip


def places(value, path=()):
    """The way to every value in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


@st.composite
def changed(draw, value, times=2):
    """A JSON value with an odd value in place of another, an entry gone, or one added."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, times))):
        path = draw(st.sampled_from(places(value)))
        new, how = copy.deepcopy(draw(odd)), draw(st.sampled_from(["set", "set", "drop", "add"]))
        if not path:
            return new if how == "set" else value
        owner = value
        for key in path[:-1]:
            owner = owner[key]
        if how == "set":
            owner[path[-1]] = new
        elif how == "drop":
            del owner[path[-1]]
        elif isinstance(owner, dict):
            owner[draw(st.text(max_size=8))] = new
    return value


# --- files ---------------------------------------------------------------------------------------------------------


def _sparse(path):
    with path.open("wb") as file:
        file.truncate(800 * 2**20)


def _holding(content):
    return lambda path: path.write_text(content, encoding="utf-8")


SPECIAL = {  # pipes and devices are those of Unix
    "pipe": lambda path: os.mkfifo(path),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "sparse": _sparse,
    "deep": _holding("[" * 100_000),
    "digits": _holding("1" * 5000),
}
