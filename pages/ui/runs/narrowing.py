"""Which of the evaluations are shown: a picker for each column in which they differ, and words of the method."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from core.ask import grammar, naming
from core.base.spec import number
from core.kinds.treatments import TREATMENT_LABELS
from core.results.protocols import SHORT
from core.results.rows import Row
from pages.ui import view

ALL = ""
NOTHING = "No evaluation fits what is picked: set a picker back to all, or empty the field of the method."
WORDS = "only_method"
KEYS: dict[str, Callable[[Row], str]] = {
    "only_model": lambda row: row.model,
    "only_pruner": lambda row: row.one.setting.treatment.name if row.one.setting else ALL,
    "only_target": lambda row: number(row.one.setting.allocation.target) if row.one.setting else ALL,
    "only_study": lambda row: row.study.spec.key,
}  # key of the picker -> the value of a row; the dense model has neither pruner nor target


def show(rows: Mapping[str, Row], stages: Mapping[str, str]) -> dict[str, Row]:
    """Draw the pickers of what differs; returns the rows that fit them.

    Args:
        stages: what studies are part of, by their keys.
    """
    known = {key: values(rows, key) for key in KEYS}
    chosen = {key: view.sync(key, [ALL, *found], ALL) for key, found in known.items()}
    words = view.text(WORDS, "")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key, (label, named) in _pickers(stages).items():
            if len(known[key]) > 1:
                called = {ALL: "all"} | {each: named(each) for each in known[key]}
                st.selectbox(label, list(called), key=key, format_func=called.get, width=168)
        st.text_input("Method", key=WORDS, placeholder="owl reversed", width=168, help="Words that its name holds.")
    return fitting(rows, chosen, words)


def _pickers(stages: Mapping[str, str]) -> dict[str, tuple[str, Callable[[str], str]]]:
    """Key -> label, and how a value is called."""
    return {
        "only_model": ("Model", str),
        "only_pruner": ("Pruner", lambda each: TREATMENT_LABELS[each]),
        "only_target": ("Target", lambda each: f"{100 * float(each):.4g} %"),
        "only_study": ("Study", lambda each: f"{each[:SHORT]}, {stages[each]}" if each in stages else each[:SHORT]),
    }


# --- pure ----------------------------------------------------------------------------------------------------------


def values(rows: Mapping[str, Row], key: str) -> list[str]:
    """What the rows have in a column, each once: targets by their size, others as the rows come."""
    found = dict.fromkeys(value for value in map(KEYS[key], rows.values()) if value != ALL)
    return sorted(found, key=float) if key == "only_target" else list(found)


def fitting(rows: Mapping[str, Row], chosen: Mapping[str, str], words: str) -> dict[str, Row]:
    """The rows that have every value chosen, and every word in the name of their method, in their order."""
    asked = {key: value for key, value in chosen.items() if value != ALL}
    wanted = words.casefold().split()
    return {
        name: row
        for name, row in rows.items()
        if all(KEYS[key](row) == value for key, value in asked.items())
        and all(word in _searched(row) for word in wanted)
    }


def method(row: Row) -> str:
    """The allocation in words: `OWL, corrected 0.04`."""
    return naming.long(row.one.setting.allocation) if row.one.setting else "dense"


def _searched(row: Row) -> str:
    """The allocation in words and as commands and reports spell it, with every parameter."""
    spelt = grammar.said(row.one.setting.allocation) if row.one.setting else ""
    return f"{method(row)} {spelt}".casefold()
