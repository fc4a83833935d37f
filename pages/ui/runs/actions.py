"""Actions on a stored result: open, report, delete."""

from functools import partial

import streamlit as st

from core.base import access, profile_names
from core.requests import recipe_names
from core.results import protocols
from core.show.report import reports
from core.store import Entry, Store
from core.store.deleting import delete
from pages.ui import current_profile, layout, watch

KEPT = {
    "profile": "Its measurements are deleted too, except those shared with other profiles. You can measure it again.",
    "study": "Its evaluations are deleted too, except those shared with other studies. You can evaluate them again.",
}
REPORT = "One HTML file, about 5 MB: charts, numbers, their origin, and the command that measures them again."


def one_of(store: Store, entries: dict[str, Entry], label: str, key: str) -> None:
    """Pick a result, and what can be done with it."""
    if st.session_state.get(key) not in entries:
        current = st.session_state.get("profile")
        st.session_state[key] = current if current in entries else next(iter(entries))
    st.selectbox(label, list(entries), key=key, format_func=lambda each: title(entries[each]))
    _actions(store, entries[st.session_state[key]])


def _actions(store: Store, entry: Entry) -> None:
    """Draw the actions on a result, and its provenance."""
    with layout.row():
        link(entry)
        name, make = f"absorption-report-{entry.key}.html", partial(reports.html, store, entry)
        st.download_button("Download report", make, name, key=f"report-{name}", on_click="ignore", help=REPORT)
        about = "Part of the committed demo." if entry.committed else None
        barred = access.NOTHING if access.is_read_only() else about
        with st.popover("Delete", disabled=bool(barred), help=barred):
            st.write(KEPT[entry.kind])
            layout.button("Delete it", delete, [store, entry], icon=":material/delete:", key=f"delete-{entry.key}")
    with st.expander("Provenance"):
        spec = entry.spec.model_dump(mode="json", exclude_none=True)
        provenance = {name: each for name, each in entry.provenance.items() if each is not None}
        st.json({"key": entry.key, **provenance, "spec": spec}, expanded=1)


def link(entry: Entry) -> None:
    """Link to the page that shows a result, for a study together with a profile of its model."""
    if entry.kind == "profile":
        watch.open_profile(entry.key)
        return
    study = getattr(entry.spec, "final", entry.spec)
    profile = current_profile.of_model(study.model)
    if profile is None:
        st.caption("The Prune page shows it once a profile of its model is here: measure one.")
        return
    layout.to_prune("Open on the Prune page", "results", study=study.key, profile=profile)


def title(entry: Entry) -> str:
    """A result in a list."""
    provenance, spec = entry.provenance, entry.spec
    match entry.kind:
        case "profile":
            return current_profile.name(entry)
        case "study":
            label = f"{protocols.name_of_spec(spec, provenance)} · {len(spec.points)} points"
        case _:
            label = f"best setting: {recipe_names.setting(spec.winner)}"
    return f"{profile_names.short(provenance.get('model', '?'))} · {label} · {entry.key[:6]}"
