"""What has been computed, and what is being computed? Compare, report, import, export, delete; resume."""

from functools import partial

import pandas as pd
import streamlit as st

from core.base import profile_names
from core.base.escape import plain
from core.base.formats import sentence
from core.jobs import queue
from core.store.cache import Entry, Store
from pages.ui import buttons, called, frame, glossary, view, watch
from pages.ui.prune import exporting
from pages.ui.runs import acting, evaluations, gallery, importing, overlay

store = Store()
AT_ONCE = 30  # runs that are listed before more are asked for
CREATED = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
MARKS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}


def profiles() -> None:
    """A card for every profile, and what can be done with one."""
    entries = {entry.key: entry for entry in store.entries()}
    if not entries:
        said = "Nothing has been measured yet: choose a model and run a measurement."
        frame.nothing(said, "measure.py", "Measure a model")
        return
    gallery.show(store, list(entries.values()))
    acting.one_of(store, entries, "Profile to act on", "picked")


def _model(entry: Entry) -> str:
    return profile_names.short(entry.provenance.get("model", entry.spec.model.content))


def exports() -> None:
    """Every folder that a pruned model was written to."""
    entries = {entry.key: entry for entry in store.entries("export")}
    if not entries:
        said = "Nothing has been exported yet: open step 3 of the Prune page and name a folder."
        frame.nothing(said, "prune.py", "Export a pruned model", {"part": "export"})
        return
    rows = [{"model": _model(entry), **exporting.row(entry)} for entry in entries.values()]
    size = st.column_config.NumberColumn(format="localized")
    columns = {"bytes": size, "dense bytes": size, "created": CREATED}
    frame.show_table(pd.DataFrame(rows), "Exports: model, setting, folder, bytes", columns)
    acting.one_of(store, entries, "Export to act on", "picked-export")


def runs() -> None:
    """Every job with its state and what can be done about it."""
    if found := queue.jobs(store):
        st.header("Runs", anchor=False)
    shown = st.session_state.get("runs shown", AT_ONCE)
    for job in found[:shown]:
        with st.container(border=True):
            line(job)
    if len(found) > shown:
        st.button(f"Show more of {len(found)} runs", on_click=more, args=[shown])


def more(shown: int) -> None:
    """As many runs again below those that are shown."""
    st.session_state["runs shown"] = shown + AT_ONCE


def line(job: queue.Job) -> None:
    """One job."""
    st.markdown(f":{MARKS[job.state]}-badge[{job.state}] {plain(called.title(job.request))}")
    if job.state == "failed" and job.status.error:
        st.caption(plain(sentence(job.status.error)))
    elif job.state == "running":
        watch.standing(job)
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.state == "done" and job.status.result:
            watch.open_result(job)
        else:
            frame.link(watch.page(job), "Watch" if job.active else "Details", {"job": job.key})
        if job.active:
            watch.cancel(job, f"cancel-{job.key}")
            return
        if job.state != "done" and not job.status.bad_request:
            buttons.button("Resume", watch.resume, [job], key=f"resume-{job.key}")
        buttons.button("Forget", watch.forget, [job], key=f"forget-{job.key}", help="Results stay.")
    if job.state == "failed":
        watch.log(job)


PARTS = {
    "profiles": ("Profiles", profiles),
    "evaluations": ("Evaluations", partial(evaluations.show, store)),
    "overlay": ("Compare curves", partial(overlay.show, store)),
    "exports": ("Exports", exports),
    "import": ("Import", partial(importing.show, store)),
}

st.title("What has been computed?", anchor=False)
glossary.words(("perturbation", "gain", "verdict", "correction", "perplexity", "nats", "twin"))
part = view.sync("show", list(PARTS), "profiles")
st.segmented_control(
    "View", list(PARTS), key="show", format_func=lambda key: PARTS[key][0], required=True, label_visibility="collapsed"
)
PARTS[part][1]()
for trouble in store.troubles():
    st.warning(f"Set aside because its files have changed since they were written: {plain(trouble)}")
runs()
