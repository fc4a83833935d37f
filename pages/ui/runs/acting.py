"""What can be done with a stored result: open, carry away, report, delete, and where it came from."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.ask import naming
from core.ask.studies import StudySpec
from core.base import access, profile_names
from core.base.escape import plain
from core.report import reports
from core.store.cache import Entry, Store
from core.store.deleting import delete
from core.store.packs import pack
from pages.ui import buttons, called, frame, subject, watch

KEPT = {
    "profile": "Its measurements are deleted too, except those shared with other profiles. You can measure it again.",
    "study": "Its evaluations are deleted too, except those shared with other studies. You can evaluate them again.",
    "best": "Its evaluations are deleted too, except those shared with other results.",
    "export": "Only this record is deleted; the exported folder stays.",
}


def noun(entry: Entry) -> str:
    """What kind of result it is."""
    kind = entry.path.parent.name
    return "best setting" if kind == "best" else kind


def one_of(store: Store, entries: dict[str, Entry], label: str, key: str) -> None:
    """Pick a result, and what can be done with it."""
    if st.session_state.get(key) not in entries:
        shown = st.session_state.get("profile")
        st.session_state[key] = shown if shown in entries else next(iter(entries))
    st.selectbox(label, list(entries), key=key, format_func=lambda each: title(entries[each]))
    actions(store, entries[st.session_state[key]])


def actions(store: Store, entry: Entry) -> None:
    """Open, download, report, delete, provenance."""
    with st.container(horizontal=True, vertical_alignment="center"):
        link(store, entry)
        if entry.path.parent.name != "export":
            _carry(store, entry)
        about = "Part of the committed demo." if entry.committed else None
        barred = access.NOTHING if access.is_read_only() else about
        if st.button("Delete", key=f"delete-{entry.key}", disabled=bool(barred), help=barred):
            confirm(store, entry)
    with st.expander("Provenance"):
        spec = entry.spec.model_dump(mode="json", exclude_none=True)
        st.json(_known({"key": entry.key, **entry.provenance, "spec": spec}), expanded=1)


def _known(value: object) -> object:
    """Without what is None: its badge cannot be read on a light ground, and says nothing."""
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items() if each is not None}
    return [_known(each) for each in value] if isinstance(value, list) else value


def link(store: Store, entry: Entry) -> None:
    """Where a result is shown."""
    match entry.path.parent.name:
        case "profile":
            watch.open_profile(entry.key)
        case "export":
            st.markdown(f"In {plain(entry.provenance.get('folder', entry.spec.folder))}")
        case _:
            _study_link(store, getattr(entry.spec, "final", entry.spec))


def _study_link(store: Store, study: StudySpec) -> None:
    """The Prune page shows studies of the model in view: a profile of it goes along, the one in view or the newest."""
    alike = [entry.key for entry in store.entries() if entry.spec.model.weights == study.model.weights]
    if not alike:
        st.caption("The Prune page shows it once a profile of its model is here: import or measure one.")
        return
    shown = st.session_state.get("profile")
    profile = shown if shown in alike else alike[0]
    frame.link("prune.py", "Open on the Prune page", {"study": study.key, "part": "results", "profile": profile})


def _carry(store: Store, entry: Entry) -> None:
    """Files to take along; each is made when it is asked for."""
    st.download_button(
        "Download pack",
        partial(pack, store, entry),
        file_name=f"absorption-{entry.key}.zip",
        mime="application/zip",
        key=f"pack-{entry.key}",
        on_click="ignore",
        help=f"This {noun(entry)} and everything it needs, as a zip to import on another machine.",
    )
    st.download_button(
        "Download report",
        partial(reports.html, store, entry),
        file_name=f"absorption-report-{entry.key}.html",
        mime="text/html",
        key=f"report-{entry.key}",
        on_click="ignore",
        help="One HTML file, about 5 MB: charts, numbers, their origin, and the command that measures them again.",
    )


@st.dialog("Delete this?")
def confirm(store: Store, entry: Entry) -> None:
    """Ask before deleting."""
    st.write(f"The {noun(entry)} {plain(title(entry))}")
    st.write(KEPT[entry.path.parent.name])
    with st.container(horizontal=True):
        kept = st.button("Keep it")
        if buttons.button("Delete it", delete, [store, entry], icon=":material/delete:") or kept:
            st.rerun()


def title(entry: Entry) -> str:
    """A result in a list."""
    told, spec = entry.provenance, entry.spec
    match entry.path.parent.name:
        case "profile":
            return subject.name(entry)
        case "study":
            amount = f"{spec.text.sequences} × {spec.text.length}"
            said = f"{profile_names.text(told.get('text', '?'))} · {amount} · {len(spec.points)} points"
        case "best":
            said = f"best setting: {naming.whole(spec.winner)}"
        case _:
            said = called.setting(told.get("setting", "?"))
    return f"{profile_names.short(told.get('model', '?'))} · {said} · {entry.key[:6]}{entry.mark}"
