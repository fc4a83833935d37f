"""A running job: where it stands, what it has found so far, and how to stop it. Works from any tab."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import figures
from core.analysis import evaluations, protocols
from core.analysis.evaluations import Evaluations
from core.figures import labels, of_evaluations
from core.jobs import queue
from core.jobs.records import Job
from core.models import cost
from core.models.cost import duration
from core.specs import naming
from core.specs.errors import UserError
from core.specs.formats import capital, model_name, text_name
from core.specs.jobs import BY_REQUEST, Request
from core.specs.measurements import Measurement, MeasureRequest, ProfileSpec
from core.specs.requests import BestRequest, ExportRequest, WritingRequest
from core.specs.settings import Setting
from core.specs.studies import StudyRequest
from core.specs.texts import WindowRequest
from core.store.cache import Entry, Store
from core.store.results import Perturbed
from pages.ui import frame, view
from pages.ui.measure.choose import MODELS
from pages.ui.prune import exporting

HEIGHT = 680  # of the live figure of a study and its folded numbers, so that nothing below moves when it appears


def sidebar() -> None:
    """One line per job that runs or waits; looks again every two seconds only while there is one."""
    found = queue.active(Store())
    if found:
        st.caption("Runs")
        st.fragment(run_every=2.0)(_lines)([job.key for job in found])


def _lines(drawn: list[str]) -> None:
    found = queue.active(Store())
    for job in found:
        state = f"{job.status.fraction:.0%}" if job.state == "running" else "waiting"
        st.page_link(page(job), label=f"{state} · {brief(job.request)}", query_params={"job": job.key})
    if not found and drawn:
        st.rerun()


def page(job: Job) -> str:
    """The page that watches a job."""
    return f"{BY_REQUEST[type(job.request)].page}.py"


def here(page: str) -> dict[str, str]:
    """What a link to a page must repeat of the URL: all of it where the page is the one in view.

    A bare URL on the same page would mean that the reader went back to where nothing was chosen.
    """
    if page.removesuffix(".py") != st.session_state.get("page"):
        return {}
    return {name: value for name, value in view.url().items() if name != "job"}


def brief(request: Request) -> str:
    """What is done and to what, in a narrow line: what differs between runs of one model comes first."""
    match request:
        case MeasureRequest():
            said = ["measuring", source(request.text), f"{request.text.sequences} × {request.text.length}"]
        case StudyRequest():
            said = ["evaluation", _settings(request.settings), source(request.evaluation.text)]
        case ExportRequest():
            said = ["export", naming.allocation(request.setting.allocation)]
        case WritingRequest():
            said = ["writing", naming.allocation(request.setting.allocation)]
        case BestRequest():
            said = ["best setting", labels.percent(request.target) if request.target else "within a loss"]
        case _:
            return request.title
    return " · ".join([*said, model(request)])


def _settings(asked: Sequence[Setting]) -> str:
    return naming.allocation(asked[0].allocation) if len(asked) == 1 else _several(len(asked), "setting")


def watched() -> Job | None:
    """The job that the address names; a warning where there is none of that name."""
    key = st.query_params.get("job")
    try:
        return queue.job(Store(), key) if key else None
    except UserError as error:
        st.warning(str(error))
        return None


def followed(store: Store, key: str, idle: float = queue.IDLE) -> Job:
    """A job that runs or waits, seen from a fragment; draws the whole page anew once it has ended or was deleted."""
    try:
        job = queue.job(store, key)
    except UserError:  # deleted in another tab: the page says so
        st.rerun()
    if not job.active:
        st.rerun()
    if queue.enforce(job) and queue.active(store, job.device):
        queue.ensure_worker(store, job.device, idle)
    return job


def panel(job: Job) -> None:
    """Draw a job, once if it has ended, else every second until it has. The button that began it may be far below."""
    if st.session_state.get("job watched") != job.key:
        st.session_state["job watched"] = job.key
        frame.to_top(job.key)
    with st.container(border=True):
        st.markdown(f"**{title(job.request)}**")
        if job.active:
            st.fragment(run_every=1.0)(_live)(job.key)
        else:
            _ended(job)


def _live(key: str) -> None:
    store = Store()
    job = followed(store, key)
    st.progress(job.status.fraction, text=_headline(store, job))
    with st.container(horizontal=True, vertical_alignment="center"):
        stopping = job.cancelling
        st.button(
            "Cancelling" if stopping else "Cancel", on_click=queue.cancel, args=[job], disabled=stopping, key="cancel"
        )
        if job.state == "queued" and not queue.worker_alive(store, job.device):
            st.button("Start the worker", on_click=queue.ensure_worker, args=[store, job.device], key="start")
        st.caption(_details(job))
    st.caption("You may close this tab: the run goes on, and any tab that opens this address can watch it.")
    if isinstance(job.request, StudyRequest):
        with st.container(height=HEIGHT, border=False):
            _perplexities(store, job)


def standing(job: Job) -> None:
    """How far a job is, in a list of runs; looks again every two seconds until it has ended."""
    st.fragment(run_every=2.0)(_standing)(job.key)


def _standing(key: str) -> None:
    store = Store()
    job = followed(store, key)
    st.progress(job.status.fraction, text=_headline(store, job))
    st.caption(_details(job))


def _headline(store: Store, job: Job) -> str:
    status = job.status
    if job.state == "queued":
        return f"Queued, {queue.waiting(store, job)}"
    if not status.total:
        return capital(status.line)
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


def picture(job: Job) -> None:
    """What a running measurement has found so far; drawn below all else, for nothing there may move when it comes."""
    if job.active and isinstance(job.request, MeasureRequest):
        st.fragment(run_every=1.0)(_found)(job.key)


def _found(key: str) -> None:
    store = Store()
    _matrix(store, followed(store, key))


def _first(count: int | None) -> None:
    """When there will be something to see; nothing is drawn in its place until then."""
    st.caption("The first picture comes with part 1" + (f" of {count}." if count else "."))


def _parts(job: Job) -> int | None:
    """How many parts a measurement has; None where its files tell no more."""
    try:
        expected = cost.estimate(job.request, Store(), job.device)
    except UserError:
        return None
    return expected.parts if expected else None


def _perplexities(store: Store, job: Job) -> None:
    """Perplexity against target of the points that are finished."""
    spec = store.resolved(job.request)
    study = _so_far(spec.key, job.status.parts, job.status.started, store, spec) if spec else None
    done = study.singles if study else ()
    if not done:
        _first(len(job.request.points))
        return
    chart = of_evaluations.perplexity(study, None, view.look())
    st.plotly_chart(chart.figure, key="live-study", alt=chart.alt)
    st.markdown(chart.finding)
    asked = job.request.evaluation.text
    label = f"{source(asked)} · {protocols.badge(study)}"
    st.caption(f"**Protocol:** {label} · {len(done)} of {len(study.points)} points finished.")
    frame.numbers(chart.table, chart.title, frame.file(job.key[:6], chart.name), "live-study")


@st.cache_resource(max_entries=8, show_spinner=False)
def _so_far(key: str, parts: int, started: float, _store: Store, _spec: object) -> Evaluations:
    """Read again only when a part was added."""
    return evaluations.read(_store, _spec)


def _matrix(store: Store, job: Job) -> None:
    """The drift matrix of what is finished; it fills with every part."""
    profile = store.resolved(job.request)
    begun = _begun(job.key, job.status.parts, job.status.started, store, profile) if profile else {}
    if not begun:
        _first(_parts(job))
        return
    name = st.selectbox("Drift measured so far", list(begun), key="live", format_func=lambda name: _label(begun[name]))
    unit = profile.unit(begun[name])
    found = _partial(unit.key, job.status.parts, job.status.started, store, unit)
    chart = figures.heatmap([found], None, None, view.look())
    st.plotly_chart(chart.figure, key="live-matrix", alt=chart.alt)
    st.caption(f"From {found.sequences} of {job.request.text.sequences} sequences.")
    frame.numbers(chart.table, chart.title, frame.file(job.key[:6], chart.name), "live-matrix")


@st.cache_resource(max_entries=8, show_spinner=False)
def _partial(key: str, parts: int, started: float, _store: Store, _unit: object) -> Perturbed | None:
    """Read again only when a part was added."""
    return _store.partial(_unit)


@st.cache_resource(max_entries=8, show_spinner=False)
def _begun(job: str, parts: int, started: float, _store: Store, _profile: ProfileSpec) -> dict[str, Measurement]:
    """Measurements of which something is finished, by name; looked for again only when a part was added."""
    units = {each: _profile.unit(each) for each in _profile.measurements}
    return {each.name: each for each, unit in units.items() if _store.measured(unit) or _store.finished(unit)}


def _label(measurement: Measurement) -> str:
    return measurement.perturbation.label + (f", seed {measurement.seed}" if measurement.seed else "")


def model(request: Request) -> str:
    """The model of a request as pages name it: folders by their last part."""
    return model_name(request.model, MODELS["demo"])


def source(text: WindowRequest) -> str:
    """A text as pages name it: files by their name."""
    return text_name(text.source)


def title(request: Request) -> str:
    """What a request asks for, in one line."""
    match request:
        case MeasureRequest():
            return f"{model(request)} · {_amount(request.text)} · {_several(len(request.measurements), 'perturbation')}"
        case StudyRequest():
            return (
                f"{model(request)} · {_several(len(request.settings), 'setting')} on {_amount(request.evaluation.text)}"
            )
        case ExportRequest():
            return f"{model(request)} · export to {request.folder} · {naming.whole(request.setting)}"
    return request.title


def _amount(text: WindowRequest) -> str:
    return f"{source(text)} · {text.sequences} × {text.length} tokens"


def _several(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count} {what}s"


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
            open_result(job, on_page=True)
        elif not status.bad_request:
            st.button("Resume", on_click=resume, args=[job], key="resume")
        st.button("Close", on_click=_leave, key="close")


def _leave() -> None:
    st.query_params.pop("job", None)


def open_profile(key: str, label: str = "Open") -> None:
    """A link that brings a profile into view."""
    st.page_link("absorption.py", label=label, icon=":material/arrow_forward:", query_params={"profile": key})


def open_result(job: Job, on_page: bool = False) -> None:
    """A link to what a finished job computed, with its page named where asked; an export is said in words."""
    key = job.status.result
    if isinstance(job.request, MeasureRequest):
        open_profile(key, "Open on the Absorption page" if on_page else "Open")
        return
    row = BY_REQUEST[type(job.request)]
    entry = _entry(key, row.kind)
    if entry is None:
        st.caption("The result was deleted since.")
    elif isinstance(job.request, ExportRequest):
        with st.container():
            exporting.finished(entry)
    elif not row.opens:
        st.caption(f"Stored as {row.kind} {entry.key}.")
    else:
        label = "Open on the Prune page" if on_page else "Open"
        query = here("prune.py") | {name: value.format(key=entry.key) for name, value in row.opens}
        asked = getattr(job.request, "profile", None)
        query |= {"profile": asked} if asked else {}
        st.page_link("prune.py", label=label, icon=":material/arrow_forward:", query_params=query)


def _entry(key: str | None, kind: str) -> Entry | None:
    try:
        return Store().by_key(key, (kind,)) if key else None
    except UserError:
        return None


def resume(job: Job) -> None:
    """Queue a job again and see to it that somebody serves the queue."""
    store = Store()
    queue.resume(store, job)
    queue.ensure_worker(store, job.device)


def log(job: Job) -> None:
    """What the run noted, folded away."""
    if job.log and not job.status.bad_request:
        with st.expander("Log"):
            st.code(job.log, language=None, wrap_lines=True)
