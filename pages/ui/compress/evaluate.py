"""The form that measures the setting in view, its cost, commands that repeat it elsewhere, and Run."""

from collections.abc import Callable

import streamlit as st

from core.base import checked, unique
from core.requests import DEFAULT_EVALUATION, AllocationRequest, EvaluationRequest, StudyRequest, fractions
from core.results import candidates
from core.show.report import remake
from core.store import Profile, Store
from pages.ui import choices, form, layout, watch
from pages.ui.compress import settings
from pages.ui.compress.pruning import Pruning

TEXTS = {"demo:evaluation": "Demo text, evaluation half", **form.TEXTS}
SHUFFLES = 5  # at each strength: fewer make a poor range


def show(how: Pruning, profile: Profile) -> None:
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
