"""A running job: where it stands, what it has found so far, and how to stop it. Works from any tab."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import jobs
from core.cost import duration
from core.errors import UserError
from core.records import Job
from core.results import Perturbed
from core.specs import Measurement, MeasureRequest
from core.store import Store
from pages.ui import charts, view, words
from pages.ui.choose import MODELS

HEIGHT = 610  # of the live figure and its picker, so that nothing moves when it appears


def sidebar() -> None:
    """One line per job that runs or waits; looks again every two seconds only while there is one."""
    found = jobs.active(Store())
    if found:
        st.caption("Runs")
        st.fragment(run_every=2.0)(_lines)([job.key for job in found])


def _lines(drawn: list[str]) -> None:
    found = jobs.active(Store())
    for job in found:
        state = f"{job.status.fraction:.0%}" if job.state == "running" else "waiting"
        st.page_link("measure.py", label=f"{state} · {model(job.request)}", query_params={"job": job.key})
    if not found and drawn:
        st.rerun()


def panel(job: Job) -> None:
    """Draw a job, once if it has ended, else every second until it has."""
    with st.container(border=True):
        st.markdown(f"**{title(job.request)}**")
        if job.active:
            st.fragment(run_every=1.0)(_live)(job.key)
        else:
            _ended(job)


def _live(key: str) -> None:
    store = Store()
    try:
        job = jobs.job(store, key)
    except UserError:  # deleted in another tab: the page says so
        st.rerun()
    if not job.active:
        st.rerun()
    if jobs.enforce(job) and jobs.active(store, job.device):
        jobs.ensure_worker(store, job.device)
    st.progress(job.status.fraction, text=_headline(store, job))
    with st.container(horizontal=True, vertical_alignment="center"):
        stopping = job.cancelling
        st.button(
            "Cancelling" if stopping else "Cancel", on_click=jobs.cancel, args=[job], disabled=stopping, key="cancel"
        )
        if job.state == "queued" and not jobs.worker_alive(store, job.device):
            st.button("Start the worker", on_click=jobs.ensure_worker, args=[store, job.device], key="start")
        st.caption(_details(job))
    with st.container(height=HEIGHT, border=False):
        _picture(store, job)
    st.caption("You may close this tab: the run goes on, and any tab that opens this address can watch it.")


def _headline(store: Store, job: Job) -> str:
    status = job.status
    if job.state == "queued":
        return f"Queued, {jobs.waiting(store, job)}"
    if not status.total:
        return status.line[:1].upper() + status.line[1:]
    left = (
        f"about {duration(status.seconds_left)} left" if status.seconds_left is not None else "time left not known yet"
    )
    return f"{status.fraction:.0%}, {left}"


def _details(job: Job) -> str:
    status = job.status
    said = [status.line] if status.total else []
    said += [f"{status.rate / 1e3:.0f} GFLOP/s"] if status.rate else []
    said += [f"{status.memory / 2**30:.1f} GiB of memory"] if status.memory else []
    return " · ".join([*said, job.device])


def _picture(store: Store, job: Job) -> None:
    """The drift matrix of what is finished; it fills with every part."""
    profile = store.resolved(job.request)
    names = {each.name: each for each in job.request.measurements}
    name = st.selectbox("Drift measured so far", list(names), key="live", format_func=lambda name: _label(names[name]))
    unit = profile.unit(names[name]) if profile else None
    found = _partial(unit.key, job.status.parts, job.status.started, store, unit) if unit else None
    if found is None:
        st.skeleton(height=HEIGHT - 160)
        return
    chart = charts.heatmap([found], None, None, view.look())
    st.plotly_chart(chart.figure, key="live-matrix", alt=f"{chart.title}. {chart.finding}")
    st.caption(f"From {found.sequences} of {job.request.text.sequences} sequences.")


@st.cache_resource(max_entries=8, show_spinner=False)
def _partial(key: str, parts: int, started: float, _store: Store, _unit: object) -> Perturbed | None:
    """Read again only when a part was added."""
    return _store.partial(_unit)


def _label(measurement: Measurement) -> str:
    return words.label(measurement.perturbation) + (f", seed {measurement.seed}" if measurement.seed else "")


def model(request: MeasureRequest) -> str:
    """The model of a request as pages name it: folders by their last part."""
    typed = request.model.removeprefix("random:")
    name = MODELS.get(typed) or (Path(typed).name if Path(typed).is_absolute() else typed)
    return name if typed == request.model else f"random weights in the shape of {name}"


def title(request: MeasureRequest) -> str:
    """What a request measures, in one line."""
    text, count = request.text, len(request.measurements)
    source = "demo text" if text.source == "demo" else Path(text.source).name if ":" in text.source else text.source
    kinds = "one perturbation" if count == 1 else f"{count} perturbations"
    return f"{model(request)} · {source} · {text.sequences} × {text.length} tokens · {kinds}"


# --- after the end -------------------------------------------------------------------------------------------------


def _ended(job: Job) -> None:
    status = job.status
    if job.state == "done":
        st.success(f"Done in {duration(status.updated - (status.started or status.updated))}.")
    elif job.state == "failed":
        st.error(status.error or "the run failed")
        log(job)
    else:
        kept = "Finished parts are kept, and a run goes on from them."
        st.warning(f"{job.state.capitalize()} at {status.fraction:.0%}. {kept}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.state == "done":
            open_profile(status.result, "Open on the Absorption page")
        elif not status.bad_request:
            st.button("Resume", on_click=resume, args=[job], key="resume")
        st.button("Close", on_click=_leave, key="close")


def _leave() -> None:
    st.query_params.pop("job", None)


def open_profile(key: str, label: str = "Open") -> None:
    """A link that brings a profile into view."""
    st.page_link("absorption.py", label=label, icon=":material/arrow_forward:", query_params={"profile": key})


def resume(job: Job) -> None:
    """Queue a job again and see to it that somebody serves the queue."""
    store = Store()
    jobs.resume(store, job)
    jobs.ensure_worker(store, job.device)


def log(job: Job) -> None:
    """What the run noted, folded away."""
    if job.log and not job.status.bad_request:
        with st.expander("Log"):
            st.code(job.log, language=None, wrap_lines=True)
