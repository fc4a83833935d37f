"""Widgets -> what to prune with. Every choice is held equal to the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.ask.allocations import AllocationRequest
from core.ask.lab import Prompt
from core.ask.naming import PRUNERS
from core.ask.requests import ExportRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import USUAL_CALIBRATION, WindowRequest
from core.ask.typed import absolute, numbers, span
from core.base.errors import UserError
from core.base.paths import resolved
from core.base.spec import checked
from core.kinds.patterns import pattern as read_pattern
from core.kinds.treatments import REPAIRS, USUAL
from core.models import machine
from core.models.sources import refuse_fetch
from core.search import candidates
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.measure.choose import TEXTS

CALIBRATION_TEXTS = {**TEXTS, "demo": "Demo text, calibration half"}
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
        how = (self.pruner, self.seeds, self.pattern, self.true_sequential, self.repair)
        return candidates.combined(allocations, *how)

    def study(self, asked: tuple[Setting, ...], evaluation: EvaluationRequest) -> StudyRequest:
        return checked(StudyRequest, **self._common(), settings=asked, evaluation=evaluation)

    def export(self, folder: str, overwrite: bool, study: str | None) -> ExportRequest:
        where = str(resolved(folder.strip()))
        return checked(
            ExportRequest, **self._common(), setting=self.setting, folder=where, overwrite=overwrite, study=study
        )

    def prompt(self, words: str) -> Prompt:
        of_model = {"model": self.model, "revision": self.revision, "dtype": self.dtype}
        return checked(Prompt, **of_model, profile=self.profile, setting=self.setting, prompt=words)

    def _common(self) -> dict[str, object]:
        return {
            "model": self.model,
            "revision": self.revision,
            "dtype": self.dtype,
            "profile": self.profile,
            "calibration": self.calibration,
        }


def pruning(profile: Profile, in_view: AllocationRequest, opened: bool) -> Pruning:
    """Draw how the model in view is to be pruned; every widget keeps its value, also one that cannot be.

    Args:
        opened: whether the choices are unfolded.
    """
    by = view.sync("by", list(PRUNERS), USUAL)
    mended = view.sync("repair", list(MENDED), "none")
    kept = view.sync("pattern", list(PATTERNS), "none")
    with st.expander("Pruner, calibration and device", expanded=opened):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            view.switch("Pruner", PRUNERS, "by")
            view.switch("Repair", MENDED, "repair", help=" ".join(row.about for row in REPAIRS.values()))
            view.switch("N:M pattern", PATTERNS, "pattern", help="N of every M weights in a row stay, as in 2:4.")
        read, sequential, device = _calibration()
    calibration, seeds, wrong = _read(read)
    pattern = None if kept == "none" else kept
    allocation = in_view
    if pattern:
        allocation = uniform(read_pattern(pattern).sparsity)
        st.info(
            f"The pattern {pattern} sets {100 * allocation.target:.0f} % of every layer to zero, so the uniform "
            "allocation replaces the one in view."
        )
    model, revision = named(profile)
    return Pruning(
        model=model,
        revision=revision,
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
        wrong=wrong or away(profile),
    )


def named(profile: Profile) -> tuple[str, str | None]:
    """The model in view as its profile names it, and its revision."""
    told = profile.provenance
    return absolute(str(told.get("model_source", "demo"))), told.get("revision")


def away(profile: Profile) -> str | None:
    """Why the model in view may not be used: only a pack names it, and it is not on this machine."""
    try:
        refuse_fetch(profile.entry, Store(), *named(profile))
    except UserError as error:
        return str(error)
    return None


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
    source = text("calibration", "Calibration text", CALIBRATION_TEXTS, USUAL_CALIBRATION.source)
    left, middle, right = st.columns(3)
    documents = view.text("calibration_documents", "")
    left.text_input("Documents", key="calibration_documents", placeholder="all of them", help="As in 0-599.")
    count = view.whole("calibration_windows", USUAL_CALIBRATION.sequences, 1)
    middle.number_input("Windows", 1, key="calibration_windows")
    length = view.whole("calibration_length", USUAL_CALIBRATION.length, 8)
    right.number_input("Tokens in each", 8, key="calibration_length", step=8)
    seeds = view.text("seeds", "0")
    left.text_input(
        "Calibration seeds",
        key="seeds",
        help="Each draws other windows; three or more show the spread, as in 0,1,2.",
    )
    device = view.sync("device", machine.devices(), machine.devices()[0])
    middle.selectbox("Device", machine.devices(), key="device")
    sequential = view.sync("sequential", [False, True], False)
    right.checkbox("True-sequential", key="sequential", help="Prune each layer group by group, which is slower.")
    return lambda: (window(source, documents, count, length), numbers(seeds)), sequential, device


def text(key: str, label: str, known: dict[str, str], default: str) -> str:
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
