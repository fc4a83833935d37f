"""What a running job has found so far: a picture that fills with every part that is finished."""

from __future__ import annotations

import streamlit as st

from core.ask.measurements import Measurement, ProfileSpec
from core.base.errors import UserError
from core.base.escape import plain
from core.jobs.records import Job
from core.models import work
from core.results import evaluations, precision, protocols
from core.results.evaluations import Evaluations
from core.show import figures
from core.show.figures import Chart, labels, of_evaluations
from core.store.cache import Store
from core.store.parts import finished, partial
from core.store.results import Perturbed
from pages.ui import called, frame, subject, view


def perplexities(store: Store, job: Job) -> None:
    """Perplexity against target of the points that are finished."""
    spec = store.resolved(job.request)
    study = _study(spec.key, job.status.parts, job.status.started, store, spec) if spec else None
    done = study.singles if study else ()
    if not done:
        _first(len(job.request.points))
        return
    read = f"{called.source(job.request.evaluation.text)} · {protocols.badge(study)}"
    points = f"{len(done)} of {len(study.points)} points finished."
    _show(of_evaluations.perplexity(study, None, view.look()), job, "live-study", points, read=read)


def matrix(store: Store, job: Job) -> None:
    """The drift matrix of what is finished."""
    profile = store.resolved(job.request)
    begun = _begun(job.key, job.status.parts, job.status.started, store, profile) if profile else {}
    if not begun:
        _first(_parts(store, job))
        return
    name = st.selectbox(
        "Perturbation measured so far", list(begun), key="live", format_func=lambda name: _label(begun[name])
    )
    unit = profile.unit(begun[name])
    found = _partial(unit.key, job.status.parts, job.status.started, store, unit)
    amount = f"From {found.sequences} of {job.request.text.sequences} sequences."
    _show(figures.heatmap([found], None, None, view.look()), job, "live-matrix", amount, finding=False)


def whole(key: str, job: Job) -> None:
    """What a finished measurement found: the finding, and the map in the place where it filled."""
    profile = subject.load(key)
    known = profile.perturbations
    name = st.selectbox(
        "Perturbation", list(known), key="live", format_func=lambda each: labels.perturbation(known[each])
    )
    st.header(precision.finding(profile, name), anchor=False)
    chart = figures.heatmap(profile.seeds(name), profile.floor.drift, None, view.look())
    _show(chart, job, "live-matrix", f"From all {profile.sequences} sequences.", finding=False)
    asked = {"profile": key, "perturbation": labels.at_positions(known[name], "after_first")}
    asked |= {"positions": known[name].positions} if hasattr(known[name], "positions") else {}
    frame.link("absorption.py", "See it on the Absorption page", asked)


def _show(chart: Chart, job: Job, key: str, about: str, finding: bool = True, read: str = "") -> None:
    """The chart, how much of it there is, and its numbers.

    Args:
        read: the protocol, for the help.
    """
    st.plotly_chart(chart.figure, key=key, alt=chart.alt)
    if finding:
        st.markdown(plain(chart.finding))
    st.caption(about, help=plain(read) or None)
    frame.numbers(chart.table, chart.title, frame.file(job.key[:6], chart.name), key)


def _first(count: int | None) -> None:
    """When there will be something to see; nothing is drawn in its place until then."""
    st.caption("The first picture comes with part 1" + (f" of {count}." if count else "."))


def _parts(store: Store, job: Job) -> int | None:
    """How many parts a measurement has; None where its files tell no more."""
    try:
        expected = work.estimate(job.request, store, job.device)
    except UserError:
        return None
    return expected.parts if expected else None


def _label(measurement: Measurement) -> str:
    return labels.perturbation(measurement.perturbation) + (f", seed {measurement.seed}" if measurement.seed else "")


# --- read again only when a part was added -------------------------------------------------------------------------


@st.cache_resource(max_entries=8, show_spinner=False)
def _study(key: str, parts: int, started: float, _store: Store, _spec: object) -> Evaluations:
    return evaluations.read(_store, _spec)


@st.cache_resource(max_entries=8, show_spinner=False)
def _partial(key: str, parts: int, started: float, _store: Store, _unit: object) -> Perturbed | None:
    return partial(_store, _unit)


@st.cache_resource(max_entries=8, show_spinner=False)
def _begun(job: str, parts: int, started: float, _store: Store, _profile: ProfileSpec) -> dict[str, Measurement]:
    """Measurements of which something is finished, by name."""
    units = {each: _profile.unit(each) for each in _profile.measurements}
    return {each.name: each for each, unit in units.items() if _store.measured(unit) or finished(_store, unit)}
