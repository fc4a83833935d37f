"""The evaluate view of the prune page: what is measured, what it costs, what repeats it elsewhere, and Run."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.ask.allocations import AllocationRequest
from core.ask.commands import Studying, alone, command_line
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.study_file import STUDY_FILE, write_study
from core.ask.texts import USUAL_EVALUATION
from core.ask.typed import fractions
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.base.paths import resolved
from core.base.spec import checked
from core.models import work
from core.search import candidates
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import buttons, frame, view
from pages.ui.allocate import settings
from pages.ui.measure.choose import TEXTS
from pages.ui.prune.asking import Pruning, text, window

EVALUATION_TEXTS = {"demo:evaluation": "Demo text, evaluation half", **TEXTS, "demo": "Demo text, calibration half"}
GREATEST = settings.steps(0.01, 0.3, 0.01)
Run = Callable[[StudyRequest, str], None]


def show(how: Pruning, profile: Profile, run: Run) -> None:
    """The form, what it costs, what repeats it elsewhere, and Run."""
    request, found, left_out, what = None, None, [], "alone"
    try:
        chosen, what, left_out = asked(how, profile)
    except UserError as error:
        frame.error(error)
        chosen = None
    try:
        judged = evaluation()
        if chosen is not None and not how.wrong:
            request = how.study(chosen, judged)
            expected = work.estimate(request, Store(), how.device)
            found = Store().find(request)
    except UserError as error:
        frame.error(error)
        request = None
    for each in left_out:
        st.warning(plain(sentence(each)))
    if request:
        count = len(request.points)
        st.markdown(f"**{count} points**, dense and uniform among them. " + work.words(expected))
        st.caption("Stored points are not measured again; each new one is saved as soon as it is finished.")
        along(request, how, what)
    if found:
        st.success("Already evaluated.")
        link = view.here("prune.py") | {"study": found.key, "part": "results"}
        st.page_link("prune.py", label="See the results", icon=":material/arrow_forward:", query_params=link)
    else:
        buttons.button(
            "Run evaluation",
            run,
            [request, how.device],
            icon=":material/play_arrow:",
            disabled=request is None,
            key="run",
        )


def along(request: StudyRequest, how: Pruning, what: str) -> None:
    """The command of a single setting, the file of a family."""
    with st.expander("The same on the command line"):
        if what == "alone":
            for setting in request.settings[-len(how.seeds) :]:
                repeated(lambda setting=setting: command_line(alone(request, setting), how.device, Store().elsewhere))
        try:
            text = write_study(request)
        except UserError as error:
            st.caption(f"No study file: {plain(error)}.")
        else:
            frame.command(command_line(Studying(file=STUDY_FILE), how.device, Store().elsewhere))
            st.download_button(STUDY_FILE, text, STUDY_FILE, "application/toml", on_click="ignore", key="toml")


def repeated(command: Callable[[], str]) -> None:
    """A command, or why there is none."""
    try:
        frame.command(command())
    except UserError as error:
        st.caption(f"No command: {plain(error)}.")


def asked(how: Pruning, profile: Profile) -> tuple[tuple[Setting, ...], str, list[str]]:
    """Draw what to evaluate: the settings, which of `candidates.WHAT` they are, and what had to be left out.

    Raises:
        UserError: something typed cannot be.
    """
    what = view.sync("evaluate", list(candidates.WHAT), "alone")
    view.switch("Evaluate", candidates.WHAT, "evaluate")
    if how.pattern or what == "alone":
        st.caption("Dense and uniform are always evaluated too, and so is the base of a corrected setting.")
        return how.settings(candidates.alone(how.allocation)), "alone", []
    if what == "family":
        return how.settings(_family(how, profile)), what, []
    targets = view.text("targets", "0.5, 0.6, 0.7")
    st.text_input("Target sparsities", key="targets")
    found, left_out = candidates.methods(how.allocation, fractions(targets, "targets"), profile)
    return how.settings(found), what, left_out


def _family(how: Pruning, profile: Profile) -> list[AllocationRequest]:
    st.caption("Dense, uniform and the uncorrected base are always evaluated too.")
    names = list(profile.by_name)
    usual = "gaussian:0.3" if "gaussian:0.3" in names else names[0]
    driver = view.sync("driver", names, usual, word=settings.ALLOCATION)
    left, middle, right = st.columns(3)
    left.selectbox("Gains to correct by", names, key="driver", format_func=lambda n: settings.disturbance(profile, n))
    greatest = view.sync("greatest", GREATEST, 0.1)
    middle.select_slider("Largest strength", GREATEST, key="greatest", format_func="{:g}".format)
    count = view.whole("steps", 6, 2)
    right.number_input("Number of strengths, including 0", 2, key="steps")
    controls = view.several("controls", list(candidates.CONTROLS), candidates.CONTROLS)
    named, about = candidates.CONTROLS.get, settings.ABOUT_CONTROLS
    st.pills("Controls", candidates.CONTROLS, selection_mode="multi", key="controls", format_func=named, help=about)
    shuffles = view.whole("shuffles", 5, 1, drawn="shuffled" in controls)
    if "shuffled" in controls:
        st.number_input("Shuffles at each strength", 1, key="shuffles", help="Fewer than 5 make a poor range.")
    return candidates.family(how.allocation, driver, candidates.steps(greatest, count), controls, shuffles)


def evaluation() -> EvaluationRequest:
    """Draw what the pruned models are judged by.

    Raises:
        UserError: something typed cannot be.
    """
    left, right = st.columns(2, gap="large")
    with left:
        source = text("text", "Evaluation text", EVALUATION_TEXTS, USUAL_EVALUATION.source)
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
        folder = one.text_input(  # never from a link: task files are code of a kind
            "Folder of task files",
            key="tasks-folder",
            placeholder="the harness's own, from the Hub",
            help="As lm-eval's.",
        )
        examples = view.whole("examples", 200, 1)
        two.number_input("Examples", 1, key="examples", help="Of each task: a seeded sample.")
    tasks = tuple(dict.fromkeys(filter(None, (each.strip() for each in names.split(",")))))
    where = str(resolved(folder.strip())) if tasks and (folder or "").strip() else None
    return checked(
        EvaluationRequest,
        text=window(source, documents, count, length),
        tasks=tasks,
        tasks_from=where,
        examples=examples,
    )
