"""Every evaluated setting of every stored study: one table to search and sort, and settings beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.base.escape import plain
from core.results import evaluations, protocols
from core.results.study_table import FIRST, SHORT, Column, Row, Table, beside_first, names, rows_of
from core.results.study_table import study_table as made
from core.search import best
from core.show.figures import evaluation
from core.store.cache import Entry, Store
from core.store.files import changed
from pages.ui import frame, study_table, view
from pages.ui.measure import several
from pages.ui.prune import stored
from pages.ui.runs import acting

NOTHING = (
    "Nothing has been evaluated yet: choose a setting on the Prune page and evaluate it, or import a pack from another "
    "machine."
)
NO_FIT = "No setting has all of these words in its row: take some away."
PICKED = "compared"  # keys of the rows that are compared, in the order picked
LINKED = "compare"  # in the URL: the same, briefly: `aef1ab-1,aef1ab-2`
WORDS = "only"  # what the rows that are shown hold


def show(store: Store) -> None:
    """The table, the comparison of what is picked, and what can be done with a study."""
    known = {entry.key: entry for entry in store.entries("study")}
    read = [_rows(str(entry.path), changed(entry.path / "manifest.json"), entry) for entry in known.values()]
    rows = {row.key: row for found in read for row in found}
    if not rows:
        frame.nothing(NOTHING, "prune.py", "Prune and evaluate")
        return
    _table(list(rows.values()), best.stages(store))
    _link(rows)
    named = dict(zip(rows, names(list(rows.values())), strict=True))
    several.pick(
        "Compared settings (the first is the reference)",
        list(rows),
        PICKED,
        named=named.get,  # all differ: the browser answers with names
        briefly=lambda key: rows[key].called,
        placeholder="Add a setting",
    )
    compared = [rows[key] for key in st.session_state[PICKED]]
    if len(compared) > 1:
        _compare(compared)
    st.header("A whole study", anchor=False)
    acting.one_of(store, known, "Study to act on", "picked-study")


@st.cache_resource(max_entries=64, show_spinner="Reading studies")
def _rows(path: str, written: float, _entry: Entry) -> list[Row]:
    """Read once: a folder's name is the hash of what it means; deleted and evaluated again it is a new one."""
    return rows_of(evaluations.load(Store(), _entry))


# --- the table ----------------------------------------------------------------------------------------------------


def _table(rows: Sequence[Row], stages: Mapping[str, str]) -> None:
    """The rows that hold all words typed.

    Args:
        stages: what studies are part of, by their keys.
    """
    words = view.text(WORDS, "")
    st.text_input("Only rows with", key=WORDS, placeholder="owl 70 % SparseGPT", help="Words or numbers of a row.")
    table = made(rows)
    part_of = Column(lambda row: stages.get(row.study.spec.key))
    table = fitting(replace(table, columns={**table.columns, "part of": part_of}), words)
    if not table.rows:
        st.info(NO_FIT)
        return
    study_table.show(table, "Every evaluated setting with all that was measured of it", "evaluations", "evaluations")
    st.caption(f"{len(table.rows)} of {len(rows)} evaluated settings.")


def fitting(table: Table, words: str) -> Table:
    """The rows that hold all of these words, in capitals or not."""
    _, *texts = table.texts
    wanted = words.casefold().split()
    lines = (" ".join(cells).casefold() for cells in texts)
    kept = [row for row, line in zip(table.rows, lines, strict=True) if all(word in line for word in wanted)]
    return replace(table, rows=tuple(kept))


# --- what is compared ----------------------------------------------------------------------------------------------


def _link(rows: Mapping[str, Row]) -> None:
    """Hold what is compared equal to the URL; what a link names and is not here is said."""
    known = {_short(f"{row.study.spec.key}-{point}"): key for key, row in rows.items() for point in row.points}
    now = [key for key in st.session_state.get(PICKED, []) if key in rows]  # the study of others was deleted since
    picked = st.session_state[LINKED] = ",".join(map(_short, now))
    asked = view.sync(LINKED, list(dict.fromkeys(["", picked, st.query_params.get(LINKED, "")])), "")
    if asked != picked:
        now = list(dict.fromkeys(known[each] for each in asked.split(",") if each in known))
    st.session_state[PICKED] = now
    lacking = [each for each in asked.split(",") if each and each not in known]
    if lacking:
        st.warning(f"The link compares {plain(', '.join(lacking))}, which is not in this cache; the others are shown.")


def _short(key: str) -> str:
    """A row as a link names it."""
    study, _, point = key.rpartition("-")
    return f"{study[:SHORT]}-{point}"


def _compare(rows: Sequence[Row]) -> None:
    """A sentence for each row against the first, what differs, and the chart."""
    first, *others = rows
    table = beside_first(rows)
    st.header("Compared", anchor=False)
    st.markdown("\n".join(f"- {plain(row.against(first))}" for row in others))
    study_table.show(table, "The compared settings: only what differs", "compared", "compared-table")
    for row in rows:
        if row.one.helped:
            st.warning(plain(f"{row.called}. {row.one.helped}"))
    changes = {name: each.windows for name, each in table.changes(FIRST).items()}
    if changes:
        chart = evaluation.changes(changes, None, first.called, view.look(), "Against the first picked")
        frame.show(chart, "compared", "compared-changes")
    for study in {(row.study.spec.text.key, protocols.line(row.study)): row.study for row in rows}.values():
        stored.stamp(protocols.line(study), f"{protocols.badge(study)}. {protocols.versions(study.points)}")
