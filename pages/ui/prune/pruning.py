"""How the model in view is pruned: the allocation of the Allocate page, and the pruner and its calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest, Correction
from core.ask.inputs import USUAL_CALIBRATION
from core.ask.lab import Prompt
from core.ask.naming import PRUNERS
from core.ask.settings import Setting, uniform
from core.ask.studies import StudyRequest
from core.ask.typed import absolute, numbers
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import per_cent
from core.kinds.selection import pattern as read_pattern
from core.kinds.treatments import REPAIRS, USUAL
from core.models.sources import refuse_fetch
from core.plan.spread import Allocation
from core.results import candidates
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import form, frame, view
from pages.ui.absorption import overview
from pages.ui.allocate import settings, spread

CALIBRATION_TEXTS = {**form.TEXTS, "demo": "Demo text, calibration half"}
NONE = {"none": "none"}
SEEDS = "Each draws other windows; three or more show the spread, as in 0,1,2."

# --- the allocation in view ----------------------------------------------------------------------------------------


def allocation_in_view(profile: Profile) -> Allocation:
    """The settings of the Allocate page, layers set by hand included where the budget allows them, which else is said.

    Raises:
        UserError: the settings cannot be met on this profile.
    """
    asked = settings.read(profile, drawn=False)
    if not asked.correction.strength:  # there is no correction, whatever would have driven it
        asked = asked.model_copy(update={"correction": Correction()})
    return spread.in_view(asked, settings.by_hand(asked), profile)


def bars(shown: Allocation) -> None:
    """One line, a bar per layer, and the way back; a page that is still opening ends with it."""
    asked = shown.request
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Allocation in view: {plain(naming.long(asked))}**, {per_cent(asked.target)} zeros")
        st.page_link("allocate.py", label="Change it", icon=":material/tune:")
    frame.live(overview.sparsity_bars(shown.sparsity, asked.target))
    if frame.is_first_paint():
        view.end()


# --- the pruner and its calibration --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pruning:
    """What a study, an export and a prompt have in common."""

    request: StudyRequest  # of the setting in view, with each calibration seed
    device: str
    wrong: str | None = None  # what was typed and cannot be; the usual stands in its place, and nothing may run

    @property
    def setting(self) -> Setting:
        """The setting in view."""
        return self.request.settings[0]

    def settings(self, allocations: Iterable[AllocationRequest]) -> tuple[Setting, ...]:
        """Allocations, each pruned so with every calibration seed."""
        seeded = self.request.settings
        return tuple(each.model_copy(update={"allocation": asked}) for asked in allocations for each in seeded)

    def prompt(self, words: str) -> Prompt:
        return self.request.to(Prompt, setting=self.setting, prompt=words)


def draw(profile: Profile, in_view: AllocationRequest) -> Pruning:
    """Draw how the model in view is to be pruned; every widget keeps its value, also one that cannot be."""
    repairs = {name: row.label for name, row in REPAIRS.items()}
    about = " ".join(row.about for row in REPAIRS.values())
    with st.expander("Pruner, calibration and device"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            pruner = form.switch("Pruner", PRUNERS, "by", USUAL)
            repair = form.switch("Repair", NONE | repairs, "repair", "none", help=about)
            patterns = NONE | {"2:4": "2:4", "4:8": "4:8"}
            about = form.about(Setting, "pattern")
            pattern = form.switch("N:M pattern", patterns, "pattern", "none", help=about)
        calibration = form.windows(
            "Calibration text", CALIBRATION_TEXTS, "calibration", "calibration_", USUAL_CALIBRATION
        )
        left, middle, right = st.columns(3)
        seeds = form.words("Calibration seeds", "seeds", "0", left, help=SEEDS)
        device = form.device(middle)
        about = form.about(Setting, "true_sequential")
        sequential = form.checkbox("True-sequential", "sequential", right, help=about)
    wrong = _away(profile)
    try:
        windows, drawn = calibration(), numbers(seeds)
    except UserError as error:
        windows, drawn, wrong = USUAL_CALIBRATION, (0,), str(error)
    if pattern != "none":
        in_view = uniform(read_pattern(pattern).sparsity)
        st.info(
            f"The pattern {pattern} sets {per_cent(in_view.target)} of every layer to zero, so the uniform "
            "allocation replaces the one in view."
        )
    how = {name: None if value == "none" else value for name, value in (("pattern", pattern), ("repair", repair))}
    asked = candidates.combined([in_view], pruner, drawn, true_sequential=sequential, **how)
    request = StudyRequest(**of_model(profile), profile=profile.entry.key, calibration=windows, settings=asked)
    return Pruning(request, device, wrong)


def of_model(profile: Profile) -> dict[str, str | None]:
    """What a request says of the model in view, as its profile names it."""
    told = profile.provenance
    model = absolute(str(told.get("model_source", "demo")))
    return {"model": model, "revision": told.get("revision"), "dtype": profile.spec.model.dtype}


def _away(profile: Profile) -> str | None:
    """Why the model in view may not be used: only a pack names it, and it is not on this machine."""
    asked = of_model(profile)
    try:
        refuse_fetch(profile.entry, Store(), asked["model"], asked["revision"])
    except UserError as error:
        return str(error)
    return None
