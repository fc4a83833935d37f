"""A running job: its progress, its partial results, and the button that stops it. Works from any tab."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.base import UserError, capital, duration, escape_markdown, sentence
from core.export.target import HoldsExport
from core.jobs import cost, queue
from core.jobs.records import Job
from core.requests import BY_REQUEST, ExportRequest, MeasureRequest, Request, ShareRequest, StudyRequest
from core.store import Entry, Store
from pages.ui import layout, partial_results

HEIGHT = 680  # px of the live figure with its folded numbers: nothing below moves when it appears
PICTURES = {MeasureRequest: partial_results.matrix, StudyRequest: partial_results.perplexities}


def sidebar() -> None:
    """One line per job that runs or waits; looks again every two seconds only while there is one."""
    if queue.active(Store()):
        st.caption("Runs")
        st.fragment(run_every=2.0)(_lines)()


def _lines() -> None:
    jobs = queue.active(Store())
    for job in jobs:
        state = job.status.percent if job.state == "running" else "waiting"
        link(job, f"{state} · {escape_markdown(job.request.title)}")
    if not jobs:
        st.rerun()


def link(job: Job, label: str, icon: str = "") -> None:
    """A link to the page that watches a job."""
    layout.link(BY_REQUEST[type(job.request)].page, label, {"job": job.key}, icon)


def watched() -> Job | None:
    """Draw the job that the address names, every second until it has ended; a warning where none is called so."""
    if not (key := st.query_params.get("job")):
        return None
    try:
        job = queue.job(Store(), key)
    except UserError as error:
        layout.warn(error)
        return None
    layout.to_top(job.key)  # the button that began it may be far below
    with st.container(border=True):
        st.markdown(f"**{escape_markdown(capital(job.request.title))}**")
        if job.active:
            st.fragment(run_every=1.0)(_live)(job.key)
        else:
            _ended(job)
    return job


def _live(key: str) -> None:
    store, job = Store(), standing(key)
    with layout.row():
        cancel(job)
        if job.state == "queued" and not queue.worker_alive(store, job.device):
            layout.button("Start the worker", queue.ensure_worker, [store, job.device], key="start")
    st.caption("You may close this tab: the run goes on, and any tab that opens this address can watch it.")
    if picture := PICTURES.get(type(job.request)):
        with st.container(height=HEIGHT, border=False):
            picture(store, job)


def cancel(job: Job) -> None:
    """The button that stops a job, and says that it was pressed until the job has ended."""
    label = "Cancelling" if job.cancelling else "Cancel"
    layout.button(label, queue.cancel, [job], key=f"cancel-{job.key}", disabled=job.cancelling)


def standing(key: str) -> Job:
    """Draw the progress of a job that runs or waits; the whole page anew once it has ended or was deleted."""
    store = Store()
    try:
        job = queue.job(store, key)
    except UserError:  # deleted in another tab: the page says so
        st.rerun()
    if not job.active:
        st.rerun()
    if queue.end_if_stuck(job) and queue.active(store, job.device):
        queue.ensure_worker(store, job.device)
    st.progress(job.status.fraction, text=escape_markdown(queue.displayed_status(store, job).headline))
    layout.caption(" · ".join(filter(None, [job.status.details, job.device])))
    return job


# --- after the end -------------------------------------------------------------------------------------------------


def _ended(job: Job) -> None:
    status = job.status
    if job.state == "done":
        st.success(f"Done in {duration(status.updated - (status.started or status.updated))}.")
    elif job.state == "failed":
        layout.error(status.error or "the run failed")
        if job.log and not status.bad_request:
            with st.expander("Log"):
                st.code(job.log, language=None, wrap_lines=True)
    else:
        st.warning(
            f"{job.state.capitalize()} at {status.percent}. Finished parts are kept, and a run goes on from them."
        )
        if isinstance(job.request, StudyRequest):
            partial_results.perplexities(Store(), job)
    with layout.row():
        go_on(job)
        st.button("Close", on_click=st.query_params.pop, args=["job", None], key="close")


def go_on(job: Job) -> None:
    """From a job that has ended: a link to what it computed, or the button that resumes it."""
    if job.state == "done":
        _open_result(job)
    elif not job.status.bad_request:
        layout.button("Resume", begin, [job.request, job.device, job.engine], key=f"resume-{job.key}")


def open_profile(key: str, label: str = "Open", **view: str) -> None:
    """A link that brings a profile into view, and what the URL says of it beside."""
    layout.link("absorption", label, {"profile": key} | view)


def _open_result(job: Job) -> None:
    """A link to what a finished job computed; an export is said in words."""
    key, row = job.status.result, BY_REQUEST[type(job.request)]
    if isinstance(job.request, ShareRequest):
        st.caption(f"Stored in {key}.")  # the whole, or as much of it as there is
        return
    try:
        entry = Store().by_key(key or "", (row.kind,))
    except UserError:
        st.caption("Its result was deleted.")
        return
    if isinstance(job.request, MeasureRequest):
        if any(each.perturbation.compares for each in job.request.measurements):
            layout.link("compare", "Open the comparison", {"profile": key})
        else:
            finding, label, _ = partial_results.card(entry.key, str(Store().root))
            layout.caption(f"{finding}: {label}.")
            open_profile(key, "See which layers absorb")
            layout.link("goal", "Compress this model", {"profile": key})
    elif isinstance(job.request, ExportRequest):
        with st.container(key=f"whole-line-{job.key}"):
            partial_results.exported(entry)
    elif not row.part:
        st.caption(f"Stored as {row.kind} {entry.key}.")
    else:
        profile = job.request.profile or entry.provenance.get("profile")  # a search may have measured one
        looked_at = {"profile": profile} if profile else {}
        layout.to_compress("Open the results", row.part, **{row.kind: entry.key}, **looked_at)


def begin(request: Request, device: str, engine: str = "wavefront") -> None:
    """Queue a request, see to it that somebody serves the queue, and watch it."""
    job = queue.submit(Store(), request, device, engine)
    queue.ensure_worker(Store(), job.device)
    st.query_params["job"] = job.key


def expected(request: Request, device: str) -> str:
    """Sentence on the time and memory of a request on a device."""
    return cost.words(cost.estimate(request, Store(), device))


def ask(
    request: Callable[[], Request],
    about: Callable[[Request], cost.Cost | None],
    device: str,
    label: str,
    key: str,
    ready: bool = True,
    find: Callable[[Any], Entry | None] | None = None,
) -> Entry | None:
    """Draw the cost of a request and the button that runs it, or why it is refused; return the result if it is stored.

    Args:
        request: reads the form.
        about: draws what is said of a request before it runs; returns its cost where the button tells the time.
        ready: nothing is left to be typed.
        find: finds a stored result; None: the one of the request itself.
    """
    built, stored = None, None
    try:
        built = request()
        if (expected := about(built)) and expected.seconds:
            label += f" (about {duration(max(1, expected.seconds))})"
        stored = find(built) if find else Store().find(built)
    except HoldsExport as hint:  # the folder holds an export already
        ready = False
        layout.caption(sentence(hint))
    except UserError as error:
        ready = False
        layout.error(error)
    if stored:
        st.success("You have this already.")
    else:
        more = {"icon": ":material/play_arrow:", "type": "primary", "key": key}
        layout.button(label, begin, [built, device], disabled=not ready, **more)
    return stored
