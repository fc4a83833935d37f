"""Every evaluated point of every stored study, as one table to sort, filter and pick from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from core.ask.studies import TaskSpec
from core.base.escape import plain
from core.report import picked
from core.results import evaluations
from core.results import rows as reading
from core.results.rows import Row
from core.search import best
from core.store.cache import Entry, Store
from core.store.files import changed
from pages.ui import frame, view
from pages.ui.measure import several
from pages.ui.runs import acting, comparing, narrowing

ABOUT = (
    "Tick rows to compare them below; they stay compared when you filter the table. Changes are against uniform in the "
    "same study with the same calibration seed; intervals are 95 %, paired over windows."
)
NOTHING = (
    "Nothing has been evaluated yet: choose a setting on the Prune page and evaluate it, or import a pack from another "
    "machine."
)
ACCURACY = "Fraction of the examples answered right; the next column has its standard error"
ERROR = "Standard error of the accuracy"
PICKED = "compared"  # keys of the rows that are compared, in the order picked
TICKED = "ticked"  # keys of the rows with a tick in the table
LINKED = "compare"  # in the URL: the same as PICKED, briefly: `aef1ab-1,aef1ab-2`
DRAWN = "evaluations drawn"  # how often the table was drawn anew because a link or the back button changed the picks


def show(store: Store) -> None:
    """The table, the comparison of what is picked, and what can be done with a study."""
    entries = list(store.entries("study"))
    read = [_rows(str(entry.path), changed(entry.path / "manifest.json"), entry) for entry in entries]
    rows = {row.key: row for found in read for row in found}
    if not rows:
        frame.nothing(NOTHING, "prune.py", "Prune and evaluate")
        return
    kept = st.session_state.get(PICKED, [])
    st.session_state[PICKED] = [key for key in kept if key in rows]  # the study of others was deleted since
    link(list(rows))
    stages = best.stages(store)
    _table(rows, narrowing.show(rows, stages), stages)
    names = dict(zip(rows, reading.distinct([row.name for row in rows.values()], list(rows.values())), strict=True))
    several.pick(
        "Compared settings (the first is the reference)",
        list(rows),
        PICKED,
        named=names.get,  # all differ: the browser answers with names
        briefly=lambda key: rows[key].called,
        placeholder="Tick rows above, or add one here",
    )
    compared = [rows[key] for key in st.session_state[PICKED]]
    comparing.show(compared)
    known = {entry.key: entry for entry in entries}
    if len(compared) > 1:
        studies = [known[key] for key in dict.fromkeys(row.study.spec.key for row in compared)]
        acting.reports(store, studies, "report-compared", first=partial(picked.part, compared))
    st.header("A whole study", anchor=False)
    acting.one_of(store, known, "Study to act on", "picked-study")


def _table(rows: Mapping[str, Row], shown: Mapping[str, Row], stages: Mapping[str, str]) -> None:
    """The rows that fit, to tick; columns of zero-shot tasks are called as among all rows."""
    if not shown:
        st.info(narrowing.NOTHING)
        return
    # ticks are places in the table: other rows, or other picks than were ticked, need another table
    key = f"evaluations-{hash(tuple(shown))}-{st.session_state.get(DRAWN, 0)}"
    if key not in st.session_state:  # a table drawn anew has no ticks
        st.session_state[TICKED] = []
    called = reading.tasks(rows.values())
    frame.show_table(
        table(shown.values(), stages, called),
        "Every evaluated setting with perplexity, change against uniform, divergence, agreement, accuracies and "
        "protocol",
        COLUMNS | _of_tasks(called.values()),
        key=key,
        on_select=partial(pick, list(shown), key),
        selection_mode="multi-row",
    )
    count = f"{len(shown)} of {len(rows)} evaluations. " if len(shown) < len(rows) else ""
    st.caption(f"{count}{ABOUT}")


@st.cache_resource(max_entries=64, show_spinner="Reading studies")
def _rows(path: str, written: float, _entry: Entry) -> list[Row]:
    """Read once: a folder's name is the hash of what it means; deleted and evaluated again it is a new one."""
    return reading.rows_of(evaluations.load(Store(), _entry))


def link(known: list[str]) -> None:
    """Hold what is compared equal to the URL; what a link names and is not here is said."""
    picked = briefly(st.session_state[PICKED], known)
    st.session_state[LINKED] = picked
    asked = view.sync(LINKED, list(dict.fromkeys(["", picked, st.query_params.get(LINKED, "")])), "")
    if asked == picked:
        return
    found, lacking = named(asked, known)
    st.session_state[PICKED] = found
    st.session_state[DRAWN] = st.session_state.get(DRAWN, 0) + 1
    if lacking:
        st.warning(f"The link compares {plain(', '.join(lacking))}, which is not in this cache; the others are shown.")


def briefly(keys: Sequence[str], known: Sequence[str]) -> str:
    """Rows as a link names them: as few digits of their studies as tell all apart, but the usual number at least."""
    studies_ = {key.rpartition("-")[0] for key in known}
    digits = next(size for size in range(reading.SHORT, 65) if len({each[:size] for each in studies_}) == len(studies_))
    return ",".join(f"{study[:digits]}-{index}" for study, _, index in (key.rpartition("-") for key in keys))


def named(text: str, known: Sequence[str]) -> tuple[list[str], list[str]]:
    """The rows that a link names, each once, and the names that fit none or several."""
    found, lacking = [], []
    for name in filter(None, text.split(",")):
        study, _, index = name.rpartition("-")
        fits = [key for key in known if study and key.startswith(study) and key.rpartition("-")[2] == index]
        (found if len(fits) == 1 else lacking).append(fits[0] if len(fits) == 1 else name)
    return list(dict.fromkeys(found)), lacking


def pick(keys: list[str], table: str) -> None:
    """Rows just ticked join what is compared, rows just unticked leave it; what the list below says of others stays.

    Args:
        keys: of the rows that the table shows.
        table: its key, under which the state has the places ticked.
    """
    ticked = [keys[row] for row in st.session_state[table].selection.rows if row < len(keys)]
    left = set(st.session_state.get(TICKED, [])) - set(ticked)
    stay = [key for key in st.session_state.get(PICKED, []) if key not in left]
    came = [key for key in ticked if key not in st.session_state.get(TICKED, []) and key not in stay]
    st.session_state[PICKED] = stay + came
    st.session_state[TICKED] = ticked


def table(rows: Iterable[Row], stages: Mapping[str, str], called: Mapping[TaskSpec, str]) -> pd.DataFrame:
    """A row per evaluated point; a zero-shot task that none of them was asked has no column.

    Args:
        stages: what studies are part of, by their keys.
        called: the name of each zero-shot task.
    """
    rows = list(rows)
    answered = {name for row in rows for name in reading.accuracies(row, called)}
    tasks = {task: name for task, name in called.items() if name in answered}
    frame = pd.DataFrame([_line(row, tasks) | {"part of": stages.get(row.study.spec.key, "")} for row in rows])
    frame["created"] = pd.to_datetime(frame["created"], errors="coerce", utc=True, format="ISO8601")
    empty = [name for name in ("pattern", "not a number", "while pruning", "part of") if not frame[name].any()]
    return frame.drop(columns=empty)


def _line(row: Row, called: Mapping[TaskSpec, str]) -> dict[str, object]:
    one, spec = row.one, row.study.spec
    setting, against = one.setting, one.against_uniform
    change = against and against.windows
    return {
        "method": narrowing.method(row),
        "target": setting.allocation.target if setting else None,
        "perplexity": one.perplexity,
        "against uniform": change.value if change else None,
        "low": change.low if change else None,
        "high": change.high if change else None,
        "pruner": setting.treatment.label if setting else "",
        "pattern": (setting.pattern or "") if setting else "",
        "not a number": one.trouble,
        "while pruning": one.helped or "",
        "seed": setting.calibration_seed if setting else None,
        "KL": one.kl,
        "agreement": one.agreement,
        **_accuracies(row, called),
        "protocol": reading.protocol(row.text, spec.text),
        "text": spec.text.content[: reading.SHORT],
        "precision": spec.model.dtype,
        "created": row.study.provenance.get("created"),
        "study": spec.key + (" (imported)" if row.imported else ""),
        "model": row.model,
    }


def _accuracies(row: Row, called: Mapping[TaskSpec, str]) -> dict[str, float | None]:
    """Every task's fraction right and its standard error; None where it was not asked."""
    found = reading.accuracies(row, called)
    read = {name: found.get(name, (None, None)) for name in called.values()}
    return {column: value for name in read for column, value in zip((name, _error(name)), read[name], strict=True)}


def _error(task: str) -> str:
    return f"{task} ±"


def _number(label: str, form: str, about: str | None = None) -> object:
    return st.column_config.NumberColumn(label, format=form, help=about)


COLUMNS = {
    "model": st.column_config.TextColumn(width=170),
    "method": st.column_config.TextColumn(width=150, pinned=True),
    "target": _number("target", frame.PER_CENT, "Fraction of weights to set to zero"),
    "seed": _number("seed", "%d", "Draws the calibration windows"),
    "perplexity": _number("perplexity", "%.4g"),
    "against uniform": _number("vs uniform, %", "%+.2f", "Change of perplexity against the uniform setting, per cent"),
    "low": _number("95 % low", "%+.2f"),
    "high": _number("95 % high", "%+.2f"),
    "KL": _number("KL, nats", "%.4g", "Mean divergence of the next token from the dense model's"),
    "agreement": _number("agreement", frame.PER_CENT, "Tokens whose likeliest next token is the dense model's"),
    "while pruning": st.column_config.TextColumn(width=200, help="What pruning needed help with, or where it stopped"),
    "protocol": st.column_config.TextColumn(width=200, help="Text, windows × tokens"),
    "text": st.column_config.TextColumn(help="Hash of the evaluation text"),
    "created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
}


def _of_tasks(names: Iterable[str]) -> dict[str, object]:
    """Columns of zero-shot tasks."""
    about = {column: said for name in names for column, said in ((name, ACCURACY), (_error(name), ERROR))}
    return {column: _number(column, "%.3f", said) for column, said in about.items()}
