"""The pruning of the model in view: the allocation that is tuned, the pruner, its calibration, and its measurement."""

from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from core.base import UserError, checked, escape_markdown, per_cent, unique
from core.methods import Treatment
from core.methods import pattern as read_pattern
from core.requests import (
    DEFAULT_CALIBRATION,
    DEFAULT_EVALUATION,
    AllocationRequest,
    Correction,
    EvaluationRequest,
    Recipe,
    StudyRequest,
    absolute,
    fractions,
    numbers,
    recipe_names,
    uniform,
)
from core.results import candidates
from core.show.report import remake
from core.store import Profile, Store
from pages.ui import choices, form, layout, watch
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


# --- the form that measures the setting in view, its cost, commands that repeat it elsewhere, and Run ------------

TEXTS = {"demo:evaluation": "Demo text, evaluation half", **form.TEXTS}
SHUFFLES = 5  # at each strength: fewer make a poor range


def evaluate(how: Pruning, profile: Profile) -> None:
    """Draw the form, its cost, the commands that repeat it elsewhere, and Run."""
    allocations_of, judged = _settings(how, profile), _evaluation()

    def request():
        settings = tuple(each.replace(allocation=one) for one in allocations_of() for each in how.request.settings)
        return how.request.to(StudyRequest, settings=settings, evaluation=judged())  # with every calibration seed

    def about(study):
        expected = watch.expected(study, how.device)
        st.markdown(f"**{len(study.points)} points**, dense and uniform among them. {expected}")
        layout.commands(remake.of_study(study, how.device, Store().elsewhere))

    if entry := watch.ask(request, about, how.device, "Run evaluation", "run"):
        layout.to_compress("See the results", "results", study=entry.key)
    st.caption("Stored points are not measured again; each new one is saved as soon as it is finished.")


def _settings(how: Pruning, profile: Profile) -> Callable[[], list[AllocationRequest]]:
    """Draw the choice of settings; return a function of the allocations, which says which are left out."""
    here = how.setting.allocation
    what = "alone" if here.budget_unit.levels else form.switch("Evaluate", candidates.WHAT, "evaluate", "alone")
    if how.setting.pattern or what == "alone":
        st.caption("Dense and uniform are always evaluated too, and so is the base of a corrected setting.")
        return lambda: candidates.alone(here)
    if what == "family":
        return _family(here, profile)
    targets = form.words("Target sparsities", "targets", "0.5, 0.6, 0.7")

    def methods():
        allocations, left_out = candidates.methods(here, fractions(targets, "targets"), profile)
        for note in left_out:
            layout.warn(note)
        return allocations

    return methods


def _family(here: AllocationRequest, profile: Profile) -> Callable[[], list[AllocationRequest]]:
    st.caption("Dense, uniform and the uncorrected base are always evaluated too; Allocate sets whose gains correct.")
    driver = settings.read(profile, drawn=False).correction.driver
    strengths = form.words("Strengths", "strengths", "0.02, 0.04, 0.06, 0.08, 0.1")
    picked = choices.several("controls", list(candidates.CONTROLS), candidates.CONTROLS)
    controls = [each for each in candidates.CONTROLS if each in picked]  # in an order of their own
    st.pills("Controls", candidates.CONTROLS, selection_mode="multi", key="controls", help=settings.ABOUT_CONTROLS)
    return lambda: candidates.family(here, driver, fractions(strengths, "strengths"), controls, SHUFFLES)


def _evaluation() -> Callable[[], EvaluationRequest]:
    """Draw the evaluation of the pruned models; return a function that reads it."""
    left, right = st.columns(2, gap="large")
    with left:
        text = form.windows("Evaluation text", TEXTS, "text", "", DEFAULT_EVALUATION)
    with right:
        names = form.words(
            "Zero-shot tasks", "tasks", placeholder="none", help="Names with commas between, as in boolq, rte."
        )
        examples = form.fields(EvaluationRequest, ["examples"], examples={"min_value": 1})
    tasks = tuple(unique(filter(None, (each.strip() for each in names.split(",")))))
    return lambda: checked(EvaluationRequest, text=text(), tasks=tasks, **examples)
