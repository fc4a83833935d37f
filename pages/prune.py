"""What does it cost? Prune, evaluate, compare, export."""

from collections.abc import Callable

import streamlit as st

from core.allocation.spread import layer_parameters
from core.analysis import protocols
from core.jobs import queue
from core.models import cost
from core.specs import BestRequest, ExportRequest, StudyRequest, UserError, WritingRequest
from core.specs.commands import Studying, alone, command_line
from core.specs.study_file import STUDY_FILE, write_study
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import frame, view, watch
from pages.ui.prune import asking, exporting, inview, results, searching, stored, writing

store = Store()
PARTS = {
    "results": "What it cost",
    "evaluate": "Evaluate",
    "best": "Best setting",
    "writing": "What it writes",
    "export": "Export",
}


def run(request: StudyRequest | BestRequest | WritingRequest | ExportRequest, device: str) -> None:
    """Queue a request, see to it that somebody serves the queue, and watch it."""
    job = queue.submit(store, request, device)
    queue.ensure_worker(store, job.device)
    st.query_params["job"] = job.key


def evaluate(how: asking.Pruning, profile: Profile) -> None:
    """The form, what it costs, what repeats it elsewhere, and Run."""
    request, found, left_out, what = None, None, [], "alone"
    try:
        chosen, what, left_out = asking.asked(how, profile)
    except UserError as error:
        st.error(str(error))
        chosen = None
    try:
        evaluation = asking.evaluation()
        if chosen is not None and not how.wrong:
            request = how.study(chosen, evaluation)
            expected = cost.of_study(request, store, how.device)
            found = store.find(request)
    except UserError as error:
        st.error(str(error))
        request = None
    for sentence in left_out:
        st.warning(sentence)
    if request:
        count = len(request.points)
        st.markdown(
            f"**{count} points**, dense and uniform among them. "
            + (cost.words(expected) if expected else "What it costs is not known until the model is here.")
        )
        st.caption("Points that are stored already are not measured again; each is saved as soon as it is finished.")
        along(request, how, what)
    if found:
        st.success("This has been evaluated already.")
        link = watch.here("prune.py") | {"study": found.key, "part": "results"}
        st.page_link("prune.py", label="See what it cost", icon=":material/arrow_forward:", query_params=link)
    else:
        st.button(
            "Run",
            icon=":material/play_arrow:",
            disabled=request is None,
            on_click=run,
            args=[request, how.device],
            key="run",
        )


def along(request: StudyRequest, how: asking.Pruning, what: str) -> None:
    """The command of a single setting, the file of a family."""
    with st.expander("The same on the command line"):
        if what == "alone":
            for setting in request.settings[-len(how.seeds) :]:
                repeated(lambda setting=setting: command_line(alone(request, setting), how.device, store.elsewhere))
        try:
            text = write_study(request)
        except UserError as error:
            st.caption(f"No study file: {error}.")
        else:
            st.code(command_line(Studying(file=STUDY_FILE), how.device, store.elsewhere), None, wrap_lines=True)
            st.download_button(STUDY_FILE, text, STUDY_FILE, "application/toml", on_click="ignore", key="toml")


def repeated(command: Callable[[], str]) -> None:
    """A command, or why there is none."""
    try:
        st.code(command(), None, wrap_lines=True)
    except UserError as error:
        st.caption(f"No command: {error}.")


profile = view.profile()
TERMS = ("budget", "correction", "control", "response", "harm", "perplexity", "nats", "rank correlation")
view.heading("What does it cost?", profile, TERMS)
try:
    layer_parameters(profile)
    in_view = inview.read(profile)
except UserError as error:
    st.error(str(error))
    st.page_link("allocate.py", label="Change the allocation", icon=":material/tune:")
    view.end()
job = watch.watched()
if job:
    watch.panel(job)
numbers = inview.show(in_view)
if frame.is_first_paint():
    view.end()
frame.numbers(numbers, "sparsity of each layer", frame.file(profile.entry.key[:6], "allocation-in-view"), "in-view")
groups = stored.groups(profile)
part = view.sync("part", list(PARTS), "results" if groups else "evaluate")
view.switch("Part of the page", PARTS, "part")
if part == "best":
    searching.show(profile, run)
    view.end()
how = asking.pruning(profile, in_view.request)
if how.wrong:
    st.error(how.wrong)
    if part in ("writing", "export"):
        view.end()

group = stored.choose(groups, how.setting) if groups and part in ("results", "export") else None
if part == "evaluate":
    evaluate(how, profile)
elif part == "writing":
    writing.show(how, profile, run)
elif part == "export":
    key = protocols.holding(group, how.setting) if group else None
    exporting.show(how, profile, key, run)
elif group:
    results.show(group, profile, how.setting, profile.entry.key[:6])
else:
    st.info(
        "Nothing was pruned and evaluated of this model yet: choose Evaluate above, look at the cost, and press Run."
    )
