"""Every evaluated setting of every stored study: one table, and settings beside each other."""

import streamlit as st

from core.base import distinct
from core.methods import DEFAULT_PRUNER
from core.requests import AllocationRequest
from core.results import Row, rows_of, study_results
from core.results.study_table import beside_first, study_table
from core.show.words import perplexity_sentences
from core.show.words.protocol_lines import SHORT
from core.store import Entry, Store
from core.store.files import changed
from pages.ui import best_setting, layout, studies, url_state
from pages.ui.runs import actions

NOTHING = "Nothing has been evaluated yet: choose a setting on the Prune page and evaluate it."
COMPARED = "compare"  # in the URL and the state: rows as `_short` calls them, in the order picked


def show(store: Store) -> None:
    """Draw the table, the comparison of picked settings, and the actions on a study."""
    entries = {entry.key: entry for entry in store.entries("study")}
    read = [_rows(str(entry.path), changed(entry.path), entry) for entry in entries.values()]
    rows = {_short(row.key): row for found in read for row in found}
    if not rows:
        layout.nothing(NOTHING, "prune.py", "Prune and evaluate")
        return
    if key := st.session_state.get("profile"):
        target = url_state.last("target", AllocationRequest().target)
        best_setting.card(studies.groups(store.profile(key)), target, url_state.last("by", DEFAULT_PRUNER), "prune.py")
    table = study_table(rows.values())
    studies.show_table(table, "Every evaluated setting with all that was measured of it", "evaluations", "evaluations")
    picked = url_state.several(COMPARED, [], rows)
    forms = ((row.called, row.name, f"{row.name} ({row.key})") for row in rows.values())
    named = dict(zip(rows, distinct(forms), strict=True))
    st.multiselect("Compared settings (the first is the reference)", list(rows), key=COMPARED, format_func=named.get)
    compared = [rows[key] for key in picked]
    for row, place in zip(compared, st.columns(max(1, len(compared))), strict=False):
        with place:
            _answer(row, compared[0])
    if len(compared) > 1:
        layout.header("Compared")
        layout.bullets(perplexity_sentences.between(row, compared[0]) for row in compared[1:])
        studies.show_table(
            beside_first(compared), "The compared settings: only what differs", "compared", "compared-table"
        )
        studies.helped(row.one for row in compared)
    layout.header("A whole study")
    actions.one_of(store, entries, "Study to act on", "picked-study")


@st.cache_resource(max_entries=64, show_spinner="Reading studies")
def _rows(path: str, written: float, _entry: Entry) -> list[Row]:
    """Read once: a folder's name is the hash of what it means; deleted and evaluated again it is a new one."""
    return rows_of(study_results.load(Store(), _entry))


def _short(key: str) -> str:
    """A row by the beginning of its study's key and the place of its point: `aef1ab-2`."""
    study, _, point = key.rpartition("-")
    return f"{study[:SHORT]}-{point}"


def _answer(row: Row, first: Row) -> None:
    """Draw a row's perplexity and protocol; its change is against uniform for the first row, else against the first."""
    other, change = "uniform", row.one.against_uniform
    if row is not first:
        other, change = "the first", row.one.against(first.one) if row.measured_by == first.measured_by else None
    studies.hero(f"Perplexity of {row.called}", row.one, change, other)
    studies.badge(row.study)
    if row.one.setting:
        best_setting.button(lambda: best_setting.using(row), "prune.py", f"use-{row.key}")
