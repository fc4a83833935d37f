"""Every evaluated point of every stored study, as one table to sort, filter and pick from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

import pandas as pd
import streamlit as st

from core import best, studies
from core.files import changed
from core.store import Entry, Store
from pages.ui import frame, several
from pages.ui.runs import acting, comparing, reading
from pages.ui.runs.reading import Row

ABOUT = (
    "Click column heads to sort, use the search and the filters of the table's menu, and tick rows: those are compared "
    "below. Changes are against the uniform setting of the same study, with the 95 % interval paired over windows."
)
PICKED = "compared"  # keys of the rows that are compared, in the order picked
TICKED = "ticked"  # keys of the rows with a tick in the table


def show(store: Store) -> None:
    """The table, the comparison of what is picked, and what can be done with a study."""
    entries = list(store.entries("study"))
    rows = {row.key: row for entry in entries for row in _rows(str(entry.path), _written(entry), entry)}
    if not rows:
        st.info(
            "Nothing was evaluated yet: on the Prune page choose a setting, press Evaluate, and then Run; or import a "
            "pack from another machine."
        )
        st.page_link("prune.py", label="Prune and evaluate", icon=":material/arrow_forward:")
        return
    keep_known(rows)
    if "evaluations" not in st.session_state:  # a table drawn anew has no ticks
        st.session_state[TICKED] = []
    frame.show_table(
        table(rows.values(), best.stages(store)),
        "Every evaluated setting with perplexity, change against uniform, divergence, agreement and protocol",
        COLUMNS,
        key="evaluations",
        on_select=partial(pick, list(rows)),
        selection_mode="multi-row",
    )
    st.caption(ABOUT)
    names = dict(zip(rows, reading.distinct([row.name for row in rows.values()], list(rows.values())), strict=True))
    several.pick(
        "Compared settings, the first is what the others are compared with",
        list(rows),
        PICKED,
        named=names.get,  # all differ: the browser answers with names
        briefly=lambda key: rows[key].called,
        placeholder="Tick rows in the table, or pick one more here",
    )
    comparing.show([rows[key] for key in st.session_state[PICKED]])
    _studies(store, {entry.key: entry for entry in entries})


def _written(entry: Entry) -> float:
    return changed(entry.path / "manifest.json")


@st.cache_resource(max_entries=64, show_spinner="Reading studies")
def _rows(path: str, written: float, _entry: Entry) -> list[Row]:
    """Read once: a folder's name is the hash of what it means; deleted and evaluated again it is a new one."""
    return reading.rows_of(_entry, studies.load(Store(), _entry))


def keep_known(known: Iterable[str]) -> None:
    """Rows whose study was deleted are not compared any more."""
    st.session_state[PICKED] = [key for key in st.session_state.get(PICKED, []) if key in set(known)]


def pick(keys: list[str]) -> None:
    """Rows just ticked join what is compared, rows just unticked leave it; what the list below says of others stays."""
    ticked = [keys[row] for row in st.session_state["evaluations"].selection.rows if row < len(keys)]
    left = set(st.session_state.get(TICKED, [])) - set(ticked)
    stay = [key for key in st.session_state.get(PICKED, []) if key not in left]
    came = [key for key in ticked if key not in st.session_state.get(TICKED, []) and key not in stay]
    st.session_state[PICKED] = stay + came
    st.session_state[TICKED] = ticked


def table(rows: Iterable[Row], stages: Mapping[str, str] = MappingProxyType({})) -> pd.DataFrame:
    """A row per evaluated point.

    Args:
        stages: what studies are part of, by their keys.
    """
    frame = pd.DataFrame([_line(row) | {"part of": stages.get(row.entry.key, "")} for row in rows])
    empty = [name for name in ("pattern", "not a number", "while pruning", "part of") if not frame[name].any()]
    return frame.drop(columns=empty)


def _line(row: Row) -> dict[str, object]:
    measured, spec = row.measured, row.study.spec
    setting = measured.setting
    change = reading.against_uniform(row)
    return {
        "model": row.model,
        "method": setting.method if setting else "dense",
        "target": setting.allocation.target if setting else None,
        "pruner": setting.pruner if setting else "",
        "pattern": (setting.pattern or "") if setting else "",
        "seed": setting.calibration_seed if setting else None,
        "perplexity": measured.perplexity,
        "not a number": measured.trouble,
        "while pruning": measured.helped or "",
        "against uniform": change.value if change else None,
        "low": change.low if change else None,
        "high": change.high if change else None,
        "KL": measured.kl,
        "agreement": measured.agreement,
        "protocol": reading.protocol(row.text, spec.text),
        "text": spec.text.content[: reading.SHORT],
        "precision": spec.model.dtype,
        "created": pd.to_datetime(row.entry.provenance.get("created"), errors="coerce", utc=True),
        "study": row.entry.key,
    }


def _number(label: str, form: str, about: str | None = None) -> object:
    return st.column_config.NumberColumn(label, format=form, help=about)


COLUMNS = {
    "model": st.column_config.TextColumn(width=170),
    "method": st.column_config.TextColumn(width=190),
    "target": _number("target", "percent", "Fraction of zeros that was asked for"),
    "seed": _number("seed", "%d", "Draws the calibration windows"),
    "perplexity": _number("perplexity", "%.4g"),
    "against uniform": _number("vs uniform, %", "%+.2f", "Change of perplexity against the uniform setting, per cent"),
    "low": _number("95 % low", "%+.2f"),
    "high": _number("95 % high", "%+.2f"),
    "KL": _number("KL, nats", "%.4g", "Mean divergence of the next token from the dense model's"),
    "agreement": _number("agreement", "percent", "Tokens whose likeliest next token is the dense model's"),
    "while pruning": st.column_config.TextColumn(width=200, help="What helped it along, or put an end to it"),
    "protocol": st.column_config.TextColumn(width=200, help="Text, windows × tokens"),
    "text": st.column_config.TextColumn(help="Hash of the evaluation text"),
    "created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
}


def _studies(store: Store, entries: dict[str, Entry]) -> None:
    """What can be done with one study, and a report of all that are compared."""
    st.header("A whole study", anchor=False)
    if st.session_state.get("picked-study") not in entries:
        st.session_state["picked-study"] = next(iter(entries))
    st.selectbox(
        "Study to act on", list(entries), key="picked-study", format_func=lambda key: acting.title(entries[key])
    )
    acting.actions(store, entries[st.session_state["picked-study"]])
    mentioned = dict.fromkeys(key.rpartition("-")[0] for key in st.session_state[PICKED])
    if len(mentioned) > 1:
        acting.reports(store, [entries[key] for key in mentioned], "report-compared")
