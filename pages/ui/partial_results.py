"""Partial results of a job, redrawn after every finished part, and the outcome of an export."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from core.base import UserError, escape_markdown, several, text_name
from core.export.card import GGUF, NEEDS
from core.jobs.records import Job
from core.plan import gains_of
from core.requests import COMPRESSED, ExactRecipe, Measurement, ModelSpec, ProfileSpec, in_order, quoted
from core.results import protocols, study_results
from core.show import figures, words
from core.show.figures import Chart, evaluation, perplexity
from core.show.words import gain_sentences, study_lines
from core.store import Entry, Merged, Store, finished, partial, parts
from pages.ui import current_profile, layout

FIRST = "The first picture comes with the first part that is finished."
LOADING = """from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained({folder!r}{file})
tokenizer = AutoTokenizer.from_pretrained({folder!r})"""
SERVING = "The first loads it in Python; the second runs it with {}, which is installed apart. {}"


def perplexities(store: Store, job: Job) -> None:
    """Draw the training of a point; else perplexity against target of the points that are finished."""
    spec = store.resolved(job.request)
    pending = (each.pruned for each in (spec.points if spec else ()) if not store.measured(spec.evaluated(each)))
    if chart := next(filter(None, (training(store, spec.model, each) for each in pending)), None):
        layout.show(chart, job.key[:6], "live", brief=True)
        [best] = chart.table.set_index("tokens trained on").idxmin()
        if best and not job.active:
            layout.to_compress("Use the best so far", "tune", recover_until=f"{best:.0f}")
        return
    read, status = {"text": job.request.evaluation.text, "calibration": job.request.calibration}, job.status
    texts = {name: text_name(each.source) for name, each in read.items()}  # as its provenance will name them
    study = spec and _once(spec.key, status.parts, status.started, lambda: study_results.read(store, spec, texts))
    if not study or not study.singles:
        st.caption(FIRST)
        return
    chart = perplexity.of_evaluations(study, None)
    layout.show(chart, job.key[:6], "live", brief=True)
    amount = f"{len(study.singles)} of {len(study.points)} points finished."
    layout.caption(f"{protocols.short_name(study)}. {amount}", study_lines.badge(study))


def training(store: Store, model: ModelSpec, pruned: ExactRecipe | None) -> Chart | None:
    """Chart of the training of a point; None where none is stored."""
    stored = pruned and pruned.distills and parts.distillation_course(store, model, pruned)
    return evaluation.training(*stored) if stored else None


def matrix(store: Store, job: Job) -> None:
    """The drift matrix of the first perturbation, from the sequences that are finished."""
    profile = store.resolved(job.request)
    first = profile and _once(profile.key, job.status.parts, job.status.started, lambda: _first(store, profile))
    if not first:
        st.caption(FIRST)
        return
    measurement, so_far = first
    amount = f"{so_far.sequences} of {job.request.text.sequences} sequences"
    layout.show(figures.heatmap([so_far], None, None), job.key[:6], "live", brief=True)
    layout.caption(f"{words.perturbation(measurement.perturbation)}, from {amount}.")


@lru_cache
def card(key: str, root: str) -> tuple[str, str, str]:
    """The finding on a profile's gains under its main perturbation, the label of that, and the profile's size.

    Only the units of that perturbation are read.

    Raises:
        UserError: one of them is missing.
    """
    store = Store(Path(root))
    entry = store.profile(key)
    perturbations = {each.name: each for each in in_order(each.perturbation for each in entry.spec.measurements)}
    usual = current_profile.PREFERRED_PERTURBATION
    name = usual if usual in perturbations else next(iter(perturbations))
    seeds = [store.load(entry.spec.unit(each)) for each in entry.spec.measurements if each.perturbation.name == name]
    if None in seeds:
        raise UserError("parts of this profile are missing: measure it again")
    size = [
        entry.provenance.get("family"),
        several(len(seeds[0].ratio), "layer"),
        several(len(perturbations), "perturbation"),
    ]
    gains, label = gains_of(seeds), perturbations[name].told(entry.provenance).label
    return gain_sentences.headline(gains), label, " · ".join(filter(None, size))


def exported(entry: Entry) -> None:
    """Draw the folder of a finished export, and the code that loads it."""
    provenance = entry.provenance
    folder = provenance.get("folder", entry.spec.folder)
    st.markdown(f"Exported to {escape_markdown(folder)}, reloaded and compared.")
    layout.caption(provenance.get("size", ""))
    gguf = entry.spec.format.startswith("gguf")
    file = f", gguf_file={GGUF!r}" if gguf else ""
    st.code(LOADING.format(folder=folder, file=file), "python", wrap_lines=True)
    layout.command(quoted(["llama-cli", "-m", str(Path(folder) / GGUF)] if gguf else ["vllm", "serve", folder]))
    needs = NEEDS if entry.spec.format == COMPRESSED else ""
    st.caption(SERVING.format("llama.cpp" if gguf else "vLLM", needs).strip())
    for warning in provenance.get("warnings", []):
        layout.warn(warning)


@st.cache_resource(max_entries=24, show_spinner=False)
def _once(key: str, parts: int, started: float, _read: Callable[[], Any]) -> Any:
    """Read once for each number of finished parts."""
    return _read()


def _first(store: Store, profile: ProfileSpec) -> tuple[Measurement, Merged] | None:
    """The first measurement of which something is finished, and what is."""
    units = ((asked, profile.unit(asked)) for asked in profile.measurements)
    finished_units = (
        (asked, partial(store, unit)) for asked, unit in units if store.measured(unit) or finished(store, unit)
    )
    return next(finished_units, None)
