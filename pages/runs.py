"""The Runs page: stored results to compare, report on or delete, and jobs to watch or resume."""

import streamlit as st

from core.base import capital, escape_markdown, sentence
from core.jobs import queue
from core.store import Store
from pages.ui import form, glossary, layout, stored_results, watch

store = Store()
LISTED = 30  # of the runs, the newest
MARKS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}


def runs() -> None:
    """Draw the newest jobs with their state and actions."""
    jobs = queue.jobs(store)
    if jobs:
        layout.header("Runs")
    for job in jobs[:LISTED]:
        with st.container(border=True):
            line(job)
    if len(jobs) > LISTED:
        st.caption(f"{len(jobs) - LISTED} older runs are listed once newer ones are forgotten.")


def line(job: queue.Job) -> None:
    """Draw one job."""
    st.markdown(f":{MARKS[job.state]}-badge[{job.state}] {escape_markdown(capital(job.request.title))}")
    if job.state == "failed" and job.status.error:
        layout.caption(sentence(job.status.error))
    elif job.state == "running":
        st.fragment(run_every=2.0)(watch.standing)(job.key)
    with layout.row():
        if job.state != "done":
            layout.link(watch.page(job), "Watch" if job.active else "Details", {"job": job.key})
        if job.active:
            watch.cancel(job)
            return
        watch.go_on(job)
        layout.button("Forget", queue.delete, [job], key=f"forget-{job.key}", help="Results stay.")


PARTS = {"profiles": stored_results.gallery, "evaluations": stored_results.evaluated}

layout.title("What has been computed?")
glossary.words("perturbation, gain, verdict, correction, perplexity, nats, twin")
PARTS[form.switch("View", {key: capital(key) for key in PARTS}, "show", "profiles", label_visibility="collapsed")](
    store
)
for trouble in store.troubles():
    st.warning(f"Set aside because its files have changed since they were written: {escape_markdown(trouble)}")
runs()
