"""Widgets -> what to prune with and what to evaluate. Every choice is held equal to the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.models import machine
from core.search import families
from core.specs import (
    USUAL_CALIBRATION,
    USUAL_EVALUATION,
    AllocationRequest,
    EvaluationRequest,
    ExportRequest,
    Setting,
    StudyRequest,
    UserError,
    WindowRequest,
    WritingRequest,
    checked,
    uniform,
)
from core.specs.naming import PRUNERS
from core.specs.patterns import pattern as read_pattern
from core.specs.pruners import REPAIRS, USUAL
from core.specs.typed import absolute, fractions, numbers, span
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.allocate import settings
from pages.ui.measure.choose import TEXTS

EVALUATION_TEXTS = {"demo:evaluation": "Demo text, evaluation half", **TEXTS, "demo": "Demo text, calibration half"}
CALIBRATION_TEXTS = {**TEXTS, "demo": "Demo text, calibration half"}
GREATEST = settings.steps(0.01, 0.3, 0.01)
MENDED = {"none": "none"} | {name: row.label for name, row in REPAIRS.items()}
PATTERNS = {"none": "none", "2:4": "2:4", "4:8": "4:8"}


@dataclass(frozen=True)
class Pruning:
    """How a model is pruned: everything a study and an export have in common."""

    model: str
    revision: str | None
    dtype: str
    profile: str
    allocation: AllocationRequest
    pruner: str
    repair: str | None
    pattern: str | None
    true_sequential: bool
    seeds: tuple[int, ...]
    calibration: WindowRequest
    device: str
    wrong: str | None = (
        None  # what was typed and cannot be, in a sentence; the usual stands in its place, and nothing may run
    )

    @property
    def setting(self) -> Setting:
        """The setting in view."""
        return self.settings([self.allocation])[0]

    def settings(self, allocations: Sequence[AllocationRequest]) -> tuple[Setting, ...]:
        return families.combined(allocations, self.pruner, self.seeds, self.pattern, self.true_sequential, self.repair)

    def study(self, asked: tuple[Setting, ...], evaluation: EvaluationRequest) -> StudyRequest:
        return checked(StudyRequest, **self._common(), settings=asked, evaluation=evaluation)

    def export(self, folder: str, overwrite: bool, study: str | None) -> ExportRequest:
        where = str(Path(folder.strip()).expanduser().resolve())
        return checked(
            ExportRequest, **self._common(), setting=self.setting, folder=where, overwrite=overwrite, study=study
        )

    def writing(self, prompt: str, tokens: int) -> WritingRequest:
        if not prompt.strip():
            raise UserError("the prompt is empty: give the words to be continued")
        return checked(WritingRequest, **self._common(), setting=self.setting, prompt=prompt, tokens=tokens)

    def _common(self) -> dict[str, object]:
        return {
            "model": self.model,
            "revision": self.revision,
            "dtype": self.dtype,
            "profile": self.profile,
            "calibration": self.calibration,
        }


def pruning(profile: Profile, in_view: AllocationRequest) -> Pruning:
    """Draw how the model in view is to be pruned; every widget keeps its value, also one that cannot be."""
    by = view.sync("by", list(PRUNERS), USUAL)
    mended = view.sync("repair", list(MENDED), "none")
    kept = view.sync("pattern", list(PATTERNS), "none")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view.switch("Pruned by", PRUNERS, "by")
        view.switch("Repair", MENDED, "repair", help="Refit: the weights that stay are solved anew by least squares.")
        view.switch(
            "Pattern, kept of every", PATTERNS, "pattern", help="N weights stay of every M inputs of a row, as in 2:4."
        )
    with st.expander("Calibration, device"):
        read, sequential, device = _calibration()
    calibration, seeds, wrong = _read(read)
    pattern = None if kept == "none" else kept
    allocation = in_view
    if pattern:
        allocation = uniform(read_pattern(pattern).sparsity)
        st.info(
            f"{pattern} fixes every layer at {allocation.target:.0%} zeros: the uniform allocation takes the place of "
            "the one in view."
        )
    return Pruning(
        model=absolute(str(profile.provenance.get("model_source", "demo"))),
        revision=profile.provenance.get("revision"),
        dtype=profile.spec.model.dtype,
        profile=profile.entry.key,
        allocation=allocation,
        pruner=by,
        repair=None if mended == "none" else mended,
        pattern=pattern,
        true_sequential=sequential,
        seeds=seeds,
        calibration=calibration,
        device=device,
        wrong=wrong,
    )


def _read(
    read: Callable[[], tuple[WindowRequest, tuple[int, ...]]],
) -> tuple[WindowRequest, tuple[int, ...], str | None]:
    """Calibration windows and seeds; where they cannot be, the usual ones and what is wrong."""
    try:
        return *read(), None
    except UserError as error:
        return USUAL_CALIBRATION, (0,), str(error)


def _calibration() -> tuple[Callable[[], tuple[WindowRequest, tuple[int, ...]]], bool, str]:
    """The widgets; what was typed is read when all are drawn, so that what is wrong with it hides none of them."""
    source = _text("calibration", "Calibration text", CALIBRATION_TEXTS, USUAL_CALIBRATION.source)
    left, middle, right = st.columns(3)
    documents = view.text("calibration_documents", "")
    left.text_input("Documents", key="calibration_documents", placeholder="all of them", help="As in 0-599.")
    count = view.whole("calibration_windows", USUAL_CALIBRATION.sequences, 1)
    middle.number_input("Windows", 1, key="calibration_windows")
    length = view.whole("calibration_length", USUAL_CALIBRATION.length, 8)
    right.number_input("Tokens in each", 8, key="calibration_length", step=8)
    seeds = view.text("seeds", "0")
    left.text_input(
        "Calibration seeds", key="seeds", help="Each draws other windows; 3 or more show the spread, as in 0,1,2."
    )
    device = view.sync("device", machine.devices(), machine.devices()[0])
    middle.selectbox("Device", machine.devices(), key="device")
    sequential = view.sync("sequential", [False, True], False)
    right.checkbox("True-sequential", key="sequential", help="Prune a layer group by group: slower.")
    return lambda: (window(source, documents, count, length), numbers(seeds)), sequential, device


def _text(key: str, label: str, known: dict[str, str], default: str) -> str:
    source = view.text(key, default)
    st.selectbox(
        label,
        list(dict.fromkeys([*known, source])),
        key=key,
        format_func=lambda each: known.get(each, each),
        accept_new_options=True,
        help="Choose one, or type file:PATH (.txt, .raw, .jsonl, .parquet) or the id of a Hub dataset.",
    )
    return source


def window(source: str | None, documents: str, count: int, length: int) -> WindowRequest:
    """A text as typed.

    Raises:
        UserError: no text, or no such range of documents.
    """
    if not (source or "").strip():
        raise UserError("the text is empty: choose or type one")
    chosen = span(documents.strip() or None)
    return checked(WindowRequest, source=absolute(source.strip()), documents=chosen, sequences=count, length=length)


# --- what is evaluated ---------------------------------------------------------------------------------------------


def asked(how: Pruning, profile: Profile) -> tuple[tuple[Setting, ...], str, list[str]]:
    """Draw what to evaluate: the settings, which of `families.WHAT` they are, and what had to be left out.

    Raises:
        UserError: something typed cannot be.
    """
    what = view.sync("evaluate", list(families.WHAT), "alone")
    view.switch("Evaluate", families.WHAT, "evaluate")
    if how.pattern or what == "alone":
        st.caption("Dense and uniform are always measured too, and a corrected setting brings its own base.")
        return how.settings(families.alone(how.allocation)), "alone", []
    if what == "family":
        return how.settings(_family(how, profile)), what, []
    targets = view.text("targets", "0.5, 0.6, 0.7")
    st.text_input("Target sparsities", key="targets")
    found, left_out = families.methods(how.allocation, fractions(targets, "targets"), profile)
    return how.settings(found), what, left_out


def _family(how: Pruning, profile: Profile) -> list[AllocationRequest]:
    st.caption("Dense, uniform and the base without a correction are always measured too.")
    names = list(profile.by_name)
    usual = "gaussian:0.3" if "gaussian:0.3" in names else names[0]
    driver = view.sync("driver", names, usual, word=settings.ALLOCATION)
    left, middle, right = st.columns(3)
    left.selectbox("Driven by the gain of", names, key="driver", format_func=lambda n: settings.disturbance(profile, n))
    greatest = view.sync("greatest", GREATEST, 0.1)
    middle.select_slider("Greatest strength", GREATEST, key="greatest", format_func="{:g}".format)
    count = view.whole("steps", 6, 2)
    right.number_input("Strengths, 0 included", 2, key="steps")
    controls = view.several("controls", list(families.CONTROLS), families.CONTROLS)
    named, about = families.CONTROLS.get, settings.ABOUT_CONTROLS
    st.pills("Controls", families.CONTROLS, selection_mode="multi", key="controls", format_func=named, help=about)
    shuffles = view.whole("shuffles", 5, 1, drawn="shuffled" in controls)
    if "shuffled" in controls:
        st.number_input("Shuffles at each strength", 1, key="shuffles", help="Fewer than 5 make a poor range.")
    return families.family(how.allocation, driver, families.steps(greatest, count), controls, shuffles)


def evaluation() -> EvaluationRequest:
    """Draw what the pruned models are judged by.

    Raises:
        UserError: something typed cannot be.
    """
    left, right = st.columns(2, gap="large")
    with left:
        source = _text("text", "Evaluation text", EVALUATION_TEXTS, USUAL_EVALUATION.source)
        one, two, three = st.columns(3)
        documents = view.text("documents", "")
        one.text_input("Documents", key="documents", placeholder="all of them", help="As in 800-999.")
        count = view.whole("windows", USUAL_EVALUATION.sequences, 1)
        two.number_input("Windows", 1, key="windows", help="Intervals need 8 or more.")
        length = view.whole("length", USUAL_EVALUATION.length, 8)
        three.number_input("Tokens in each", 8, key="length", step=8)
    with right:
        names = view.text("tasks", "")
        st.text_input(
            "Zero-shot tasks", key="tasks", placeholder="none", help="Names with commas between, as in boolq, rte."
        )
        one, two = st.columns([2, 1])
        folder = view.text("tasks_from", "")
        one.text_input(
            "Folder of task files",
            key="tasks_from",
            placeholder="the harness's own, from the Hub",
            help="As lm-eval's.",
        )
        examples = view.whole("examples", 200, 1)
        two.number_input("Examples per task", 1, key="examples", help="A seeded sample.")
    tasks = tuple(dict.fromkeys(filter(None, (each.strip() for each in names.split(",")))))
    where = str(Path(folder.strip()).expanduser().resolve()) if tasks and folder.strip() else None
    return checked(
        EvaluationRequest,
        text=window(source, documents, count, length),
        tasks=tasks,
        tasks_from=where,
        examples=examples,
    )
