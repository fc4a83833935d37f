"""What a job has found so far, a picture that fills with every part that is finished, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.ask.commands import quoted
from core.ask.measurements import Measurement, ProfileSpec
from core.base.escape import plain
from core.base.formats import sentence, text_name
from core.jobs.records import Job
from core.results import evaluations, findings, protocols
from core.show import figures, words
from core.show.figures import Chart, perplexity
from core.store.cache import Entry, Store
from core.store.parts import finished, partial
from pages.ui import frame, subject, view

FIRST = "The first picture comes with the first part that is finished."
LOADING = """from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained({folder!r})
tokenizer = AutoTokenizer.from_pretrained({folder!r})"""
SERVING = "The first loads it in Python; the second serves it with vLLM, which is installed apart."


def perplexities(store: Store, job: Job) -> None:
    """Perplexity against target of the points that are finished."""
    spec = store.resolved(job.request)
    study = spec and _new(spec.key, job, lambda: evaluations.read(store, spec))
    done = study.singles if study else ()
    if not done:
        st.caption(FIRST)
        return
    read = f"{text_name(job.request.evaluation.text.source)} · {protocols.badge(study)}"
    points = f"{len(done)} of {len(study.points)} points finished."
    _show(perplexity.of_evaluations(study, None, view.look()), job, "live-study", points, read=read)


def matrix(store: Store, job: Job) -> None:
    """The drift matrix of what is finished."""
    profile = store.resolved(job.request)
    begun = profile and _new(job.key, job, lambda: _begun(store, profile))
    if not begun:
        st.caption(FIRST)
        return
    name = st.selectbox(
        "Perturbation measured so far", list(begun), key="live", format_func=lambda name: _label(begun[name])
    )
    unit = profile.unit(begun[name])
    found = _new(unit.key, job, lambda: partial(store, unit))
    amount = f"From {found.sequences} of {job.request.text.sequences} sequences."
    _show(figures.heatmap([found], None, None, view.look()), job, "live-matrix", amount, finding=False)


def whole(key: str, job: Job) -> None:
    """What a finished measurement found: the finding, and the map in the place where it filled."""
    profile = subject.load(key)
    known = profile.perturbations
    name = st.selectbox(
        "Perturbation", list(known), key="live", format_func=lambda each: words.perturbation(known[each])
    )
    st.header(findings.of_perturbation(profile, name), anchor=False)
    chart = figures.heatmap(profile.seeds(name), profile.floor.drift, None, view.look())
    _show(chart, job, "live-matrix", f"From all {profile.sequences} sequences.", finding=False)
    asked = {"profile": key, "perturbation": words.at_positions(known[name], "after_first")}
    asked |= {"positions": known[name].positions} if hasattr(known[name], "positions") else {}
    frame.link("absorption.py", "See it on the Absorption page", asked)


def exported(entry: Entry) -> None:
    """What a finished export left behind, and how to load it."""
    told = entry.provenance
    folder = told.get("folder", entry.spec.folder)
    st.markdown(f"Exported to {plain(folder)}, reloaded and compared.")
    st.caption(plain(told.get("size", "")))
    st.code(LOADING.format(folder=folder), "python", wrap_lines=True)
    frame.command(quoted(["vllm", "serve", folder]))
    st.caption(SERVING)
    for warning in told.get("warnings", []):
        st.warning(plain(sentence(warning)))


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


def _label(measurement: Measurement) -> str:
    return words.perturbation(measurement.perturbation) + (f", seed {measurement.seed}" if measurement.seed else "")


@st.cache_resource(max_entries=24, show_spinner=False)
def _once(key: str, parts: int, started: float, _read: Callable[[], Any]) -> Any:
    """What is read, again only when a part was added."""
    return _read()


def _new(key: str, job: Job, read: Callable[[], Any]) -> Any:
    return _once(key, job.status.parts, job.status.started, read)


def _begun(store: Store, profile: ProfileSpec) -> dict[str, Measurement]:
    """Measurements of which something is finished, by name."""
    units = {each: profile.unit(each) for each in profile.measurements}
    return {each.name: each for each, unit in units.items() if store.measured(unit) or finished(store, unit)}
