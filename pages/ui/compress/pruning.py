"""The pruning of the model in view: the allocation that is tuned, the pruner and its calibration."""

from typing import Any, NamedTuple

import streamlit as st

from core.base import UserError, escape_markdown, per_cent
from core.methods import Treatment
from core.methods import pattern as read_pattern
from core.requests import (
    DEFAULT_CALIBRATION,
    AllocationRequest,
    Correction,
    Recipe,
    StudyRequest,
    absolute,
    numbers,
    recipe_names,
    uniform,
)
from core.results import candidates
from core.store import Profile
from pages.ui import choices, form, layout
from pages.ui.compress import current_allocation, settings

PATTERNS = form.alike(("none", "2:4", "4:8"))
TRAINING = {"recover_minutes": "minutes", "recover_dtype": "bfloat16"}
OPTIONS = {"recover_text": "own"} | {each: each for each in ("recover_tokens", "pruner_windows", "recover_until")}
MINUTES, NONE = {"usual": 10, "min_value": 1}, {"usual": 0, "min_value": 0}  # where the request has None
SEEDS = "Each draws other windows; three or more show the spread, as in 0,1,2."

# --- the allocation in view ----------------------------------------------------------------------------------------


def allocation_in_view(profile: Profile) -> AllocationRequest:
    """The request that is tuned, with layers set by hand where the budget allows them; else an error is drawn.

    Raises:
        UserError: the settings cannot be met on this profile.
    """
    request = settings.read(profile, drawn=False)
    return without_idle(current_allocation.in_view(request, choices.text("hand", ""), profile).request)


def without_idle(request: AllocationRequest) -> AllocationRequest:
    """The request without a correction of no strength, whatever would have driven it."""
    return request if request.correction.strength else request.replace(correction=Correction())


def in_a_line(recipe: Recipe) -> None:
    """Draw the setting in view in one line, and the way back to it."""
    with layout.row():
        st.markdown(f"**Setting in view:** {escape_markdown(recipe_names.setting(recipe.seedless))}")
        layout.to_compress("Change it", "tune", "tune")


# --- the pruner and its calibration --------------------------------------------------------------------------------


class Pruning(NamedTuple):
    """The pruning in view, as evaluations and exports share it."""

    request: StudyRequest  # of the setting in view, with each calibration seed
    device: str
    wrong: str | None = None  # what was typed and cannot be; the usual stands in its place, and nothing may run

    @property
    def setting(self) -> Recipe:
        """The setting in view."""
        return self.request.settings[0]


def draw(profile: Profile, in_view: AllocationRequest, treatment: Treatment | None = None) -> Pruning:
    """Draw the choice of pruner, calibration and device; every widget keeps its value, even an invalid one.

    Args:
        treatment: pruner and repair, where they are drawn elsewhere.
    """
    with st.expander("Calibration, training and device"):
        treatment = treatment or settings.treatment(in_view.budget_unit)
        how = {} if in_view.budget_unit.levels else _training_and_pattern(treatment)
        calibration = form.windows("Calibration text", form.TEXTS, "calibration", "calibration_", DEFAULT_CALIBRATION)
        left, middle, right = st.columns(3)
        seeds = form.words("Calibration seeds", "seeds", "0", left, help=SEEDS)
        device = form.device(middle)
        how |= form.fields(Recipe, {"true_sequential": "sequential"}, places=[right])
    model, wrong = of_model(profile), None
    try:
        windows, drawn = calibration(), numbers(seeds)
    except UserError as error:
        windows, drawn, wrong = DEFAULT_CALIBRATION, (0,), str(error)
    if pattern := how.get("pattern"):
        in_view = uniform(read_pattern(pattern).sparsity)
        st.info(
            f"The pattern {pattern} sets {per_cent(in_view.target)} of every layer to zero, so the uniform "
            "allocation replaces the one in view."
        )
    recipes = candidates.combined([in_view], treatment.pruner, drawn, repair=treatment.repair, **how)
    return Pruning(StudyRequest(**model, profile=profile.key, calibration=windows, settings=recipes), device, wrong)


def _training_and_pattern(treatment: Treatment) -> dict[str, Any]:
    """Draw the training of a repair that has one, and the N:M pattern of zeros; return these fields of a setting."""
    how = {}
    with layout.row("bottom"):
        if "distill" in (treatment.repair or ""):
            how = form.fields(Recipe, TRAINING | OPTIONS, recover_minutes=MINUTES, recover_tokens=NONE)
            del how["recover_minutes" if how["recover_tokens"] else "recover_tokens"]
        pattern = form.switch("N:M pattern", PATTERNS, "pattern", "none", help=form.about(Recipe, "pattern"))
    return how if pattern == "none" else how | {"pattern": pattern}


def of_model(profile: Profile) -> dict[str, str | None]:
    """Fields of a request that name the model in view, as its profile does."""
    provenance = profile.provenance
    model = absolute(str(provenance.get("model_source", "demo")))
    return {"model": model, "revision": provenance.get("revision"), "dtype": profile.spec.model.dtype}
