"""What has been computed, and what is being computed? Open, delete, download; resume."""

from functools import partial

import pandas as pd
import streamlit as st

from core import jobs
from core.pack import pack
from core.store import Entry, Store
from pages.ui import view, watch

store = Store()
MARKS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}


def row(entry: Entry) -> dict[str, object]:
    """A profile as a line of the table."""
    about, text = entry.provenance, entry.spec.text
    seconds = about.get("seconds", 0.0)
    return {
        "model": about.get("model", entry.spec.model.content),
        "text": about.get("text", text.content),
        "tokens": f"{text.sequences} × {text.length}",
        "perturbations": len({each.perturbation.name for each in entry.spec.measurements}),
        "precision": entry.spec.model.dtype,
        "created": pd.to_datetime(about.get("created"), errors="coerce", utc=True),
        "seconds": sum(seconds.values()) if isinstance(seconds, dict) else seconds,
        "key": entry.key + (" (demo)" if entry.committed else ""),
    }


def pick(keys: list[str]) -> None:
    """A clicked row is the one to act on."""
    rows = st.session_state["profiles"].selection.rows
    if rows and rows[0] < len(keys):
        st.session_state["picked"] = keys[rows[0]]


def profiles() -> None:
    """The table of profiles and what can be done with one."""
    entries = {entry.key: entry for entry in store.entries()}
    if not entries:
        st.info("Nothing has been measured yet: choose a model and press Run on the Measure page.")
        st.page_link("measure.py", label="Measure a model", icon=":material/arrow_forward:")
        return
    st.dataframe(
        pd.DataFrame([row(entry) for entry in entries.values()]),
        key="profiles",
        hide_index=True,
        on_select=partial(pick, list(entries)),
        selection_mode="single-row",
        column_config={
            "model": st.column_config.TextColumn(width=220),
            "text": st.column_config.TextColumn(width=130),
            "perturbations": st.column_config.NumberColumn("kinds", help="Perturbations measured"),
            "created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            "seconds": st.column_config.NumberColumn(format="%.0f"),
        },
        alt="Everything measured: model, text, amount, precision, when, and how long it took",
    )
    if st.session_state.get("picked") not in entries:
        st.session_state["picked"] = next(iter(entries))
    st.selectbox("Profile to act on", list(entries), key="picked", format_func=lambda key: view.name(entries[key]))
    actions(entries[st.session_state["picked"]])


def actions(entry: Entry) -> None:
    """Open, download, delete, provenance."""
    with st.container(horizontal=True, vertical_alignment="center"):
        watch.open_profile(entry.key)
        st.download_button(
            "Download",
            partial(pack, store, entry),
            file_name=f"absorption-{entry.key}.zip",
            mime="application/zip",
            on_click="ignore",
            help="A zip of the profile and its units: unpack it in another cache folder to have it there.",
        )
        if st.button(
            "Delete", disabled=entry.committed, help="Part of the committed demo." if entry.committed else None
        ):
            confirm(entry)
    with st.expander("Provenance"):
        st.json({"key": entry.key, **entry.provenance, "spec": entry.spec.model_dump(mode="json")}, expanded=1)


@st.dialog("Delete this profile?")
def confirm(entry: Entry) -> None:
    """Ask before deleting."""
    st.write(view.name(entry))
    st.write("Its measurements are deleted too, except those that other profiles share. It can be measured again.")
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", on_click=store.delete, args=[entry]):
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def runs() -> None:
    """Every job with its state and what can be done about it."""
    found = jobs.jobs(store)
    if not found:
        return
    st.subheader("Runs", anchor=False)
    for job in found:
        with st.container(border=True):
            line(job)


def line(job: jobs.Job) -> None:
    """One job."""
    st.markdown(f":{MARKS[job.state]}-badge[{job.state}] {watch.title(job.request)}")
    told = job.status.error if job.state == "failed" else job.status.line if job.state == "running" else None
    if told:
        st.caption(told)
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.state == "done" and job.status.result:
            watch.open_profile(job.status.result)
        else:
            label = "Watch" if job.active else "Details"
            st.page_link("measure.py", label=label, icon=":material/arrow_forward:", query_params={"job": job.key})
        if job.active:
            st.button("Cancel", key=f"cancel-{job.key}", on_click=jobs.cancel, args=[job], disabled=job.cancelling)
            return
        if job.state != "done" and not job.status.bad_request:
            st.button("Resume", key=f"resume-{job.key}", on_click=watch.resume, args=[job])
        st.button("Forget", key=f"forget-{job.key}", on_click=jobs.delete, args=[job], help="Results stay.")
    if job.state == "failed":
        watch.log(job)


st.title("What has been computed", anchor=False)
profiles()
for trouble in store.troubles():
    st.warning(f"Set aside because its files are not what was written: {trouble}")
runs()
