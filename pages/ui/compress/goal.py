"""The goal part of the Compress page: a size, zeros or a loss; what can meet it, and the button that makes it."""

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import streamlit as st

from core.base import Fields, UserError, access, checked, listed, megabytes, model_name
from core.export.file_sizes import counts_of
from core.export.target import check_search
from core.jobs import cost
from core.methods import ANY, DEFAULT_PRUNER, GGUF, HALF, Treatment, default_pruner
from core.plan import taken
from core.plan.sizes import DENSE, sizes
from core.requests import BestRequest, Counts, absolute, command_line, fraction, read_bytes, whole_path
from core.results import Frontier, best, text_splits
from core.show.figures import Chart, frontier
from core.store import Entry, Profile, Store
from pages.ui import choices, current_profile, form, layout, studies, watch
from pages.ui.compress import pruning, search
from pages.ui.model import measure

AIMS = {"size": "MB", "target": "% zeros", "loss": "% more perplexity"}
LABELS = {"size": "At most", "target": "At least", "loss": "At most"}
NUMBERS = {"target": "target", "loss": "largest loss"}
FIELDS = {"size": "at_most", "target": "target", "loss": "max_loss"}
EXAMPLES = {
    "size": "Of all weights, as in 100 or 1.2GB.",
    "target": "Of the matrices' weights, as in 70 or 0.7.",
    "loss": "Against the unpruned model, as in 20. The largest target within it is predicted, then tried.",
}
OPENS = {"target": "70", "loss": "20"}
QUESTION = "What should the compressed model be?"
ROOM = 0.7  # share saved by the size that the page opens with: between the two smallest types
STANDS_FOR = "The divergence stands for the loss until settings were evaluated: it is rarely the smaller of the two."
STAYS = "You may close the tab; what is finished is kept."
UNMEASURED = "Too little was measured to predict a loss: making it measures the rest first."


def show(profile: Profile) -> None:
    """Draw the goal, the frontier with the recommended point, the button, and the answers that are stored."""
    other = _other(profile)
    layout.title(QUESTION) if other else current_profile.heading(QUESTION, profile)
    line = layout.row("bottom")
    named = {"": model_name(str(profile.provenance.get("model", "?")))} | form.alike(measure.in_cache("model"))
    with line:
        place = st.container(width=260)
        form.source("Model", named, "best_model", "", place, measure.ABOUT_MODEL, on_change=_bring_profile)
    counts = _counts(model := {"model": other} if other else pruning.of_model(profile))
    with line:
        aim, typed = _goal(counts)
    if other and not counts:
        return
    shown = None if other else profile
    upper = st.container()
    with st.expander("More: pruner, repair, training, folder, text and device"):
        more, pruner, device = search.options(shown, aim)
        details = st.container()
    with upper:
        if counts and shown:
            _frontier(profile, aim, typed, Treatment(DEFAULT_PRUNER if pruner == ANY else pruner), counts)
        elif other:
            _measured(other, counts)
        stored = _make(model, aim, typed, more, device, details)
    if shown:
        search.answers(profile, stored)


def _other(profile: Profile) -> str:
    """The model that was chosen, or nothing where it is the one of the profile in view."""
    typed = choices.text("best_model", "").strip()
    model = typed and absolute(typed)
    return "" if model == profile.provenance.get("model_source") else model


def _bring_profile() -> None:
    """Bring the profile of the model that was chosen into view, if there is one."""
    if key := current_profile.of_source(st.session_state["best_model"] or ""):
        st.session_state.update(profile=key, best_model="")


def _measured(model: str, counts: Counts) -> None:
    """Say what a model takes of which nothing is measured yet, or show the way to what was measured since."""
    if key := current_profile.of_source(model):
        return layout.link("goal", "Open what was measured of it", {"profile": key})
    takes = listed(f"{megabytes(size)} as {name}" for name, size in sizes(counts, DENSE, HALF).items())
    layout.note(f"Its weights take {takes}. {UNMEASURED}")


def _counts(model: Fields) -> Counts | None:
    """Count the numbers of the model; None, which is said, where it is not here."""
    try:
        return counts_of(model, Store())
    except UserError as error:
        layout.warn(error)
        return None


def _goal(counts: Counts | None) -> tuple[str, str]:
    """Draw the line that says what is wanted; its kind, and what was typed."""
    usual = 100e6
    if counts:
        usual = taken(counts, Treatment(default_pruner(GGUF)), ROOM)
    opens = OPENS | {"size": f"{round(usual / 5e6) * 5 or usual / 1e6:g}"}
    number = st.container(width=200)
    aim = form.switch("Of what", AIMS, "best_for", "size")
    typed = form.words(LABELS[aim], f"best_{aim}", opens[aim], number, help=EXAMPLES[aim])
    return aim, typed


def _wanted(aim: str, typed: str) -> float:
    """The number that was typed; bare ones count as the unit beside them.

    Raises:
        UserError: it is none.
    """
    bare = typed.strip().replace(".", "", 1).isdecimal()
    if aim == "size":
        return read_bytes(f"{typed.strip()}MB" if bare else typed)
    return fraction(f"{typed.strip()}%" if bare and float(typed) >= 1 else typed, NUMBERS[aim])


# --- what can meet it ------------------------------------------------------------------------------------------------


def _frontier(profile: Profile, aim: str, typed: str, treatment: Treatment, counts: Counts) -> None:
    """Draw the frontier and what is recommended, or why nothing is known yet."""
    groups = studies.groups(profile)
    forecast, _ = studies.forecast_of(groups, profile, treatment)
    study = forecast.study if forecast else next(iter(groups), None)
    results = [each for each in study.settings if each.setting.treatment == treatment] if study else []
    ways = _ways(profile, treatment, counts, tuple(results), forecast)
    try:
        wanted = _wanted(aim, typed)
    except UserError:  # said beside the button
        return
    try:
        drawn = _drawn(ways, aim, wanted)
    except UserError as error:
        return layout.note(UNMEASURED) if profile.sketch is None else layout.warn(error)
    layout.show(drawn, "compress", "frontier")
    if aim == "loss":
        layout.caption(STANDS_FOR)


_ways = lru_cache(maxsize=16)(Frontier)  # kept for all readers: its points take a second


@lru_cache(maxsize=64)
def _drawn(ways: Frontier, aim: str, wanted: float) -> Chart:
    """The frontier with what is recommended, drawn once for all readers.

    Raises:
        UserError: nothing can meet what is wanted, or nothing predicts.
    """
    chosen = ways.best(_amount(ways, aim, wanted))
    request = chosen.request
    even = ways.even(request.target, request.outside) if request.base.measured else None
    return frontier.frontier(ways, chosen, even, None if aim == "loss" else wanted)


def _amount(ways: Frontier, aim: str, wanted: float) -> float:
    """Bytes, or zeros, that are aimed at; of sizes that cannot be had the nearest, for the button says why.

    Raises:
        UserError: no setting keeps within the loss.
    """
    if aim == "loss":
        return ways.amount_within(wanted)
    return min(max(wanted, ways.plans[-1].amount), ways.plain[0].amount) if aim == "size" else wanted


# --- making it -------------------------------------------------------------------------------------------------------


def _make(model: Fields, aim: str, typed: str, more: Callable[[], dict], device: str, details: Any) -> Entry | None:
    """Draw the time and the button; the folder, the texts and the command in `details`. Return the stored answer."""
    with details, layout.row("bottom"):
        free = _free(model["model"], f"{typed}{AIMS[aim]}")
        place = form.words("Folder of the file", "best_folder", placeholder=free).strip() or free
        overwrite = form.checkbox("Replace an earlier export there", "best_overwrite")

    def request():
        folder = place and str(whole_path(access.inside(Path(place))))
        goal = {FIELDS[aim]: _wanted(aim, typed)}
        return checked(BestRequest, **model, **goal, **more(), folder=folder or None, overwrite=overwrite)

    def about(request):
        check_search(request, Store())
        expected = cost.estimate(request, Store(), device)
        goes = place and f" The file goes to {place}."
        if not find(request):
            layout.caption(f"{cost.words(expected).replace('About', 'Up to', 1)} {STAYS}{goes}")
        with details:
            about = f"{text_splits.described(request)} {search.SHARED}"
            layout.commands([(about, command_line(request, device, Store().elsewhere))])
        return expected

    def find(request):
        return Store().find(request.replace(folder=None, overwrite=False))

    stored = watch.ask(request, about, device, "Make it", "best-run", find=find)
    if stored and place and not search.files(answer := search.read(stored)):
        export = best.export_request(answer, request(), request().folder)
        layout.button("Make its file", watch.begin, [export, device], key="make-file", type="primary")
    return stored


def _free(model: str, goal: str) -> str:
    """A folder that is not there yet, named after the model and the goal; none on a server for others."""
    if access.is_shared() or access.is_read_only():
        return ""
    name = f"{model_name(model)}-{goal}"
    name = "".join(each for each in name if each.isalnum() or each in "-.")
    home = access.root() or Path.home()
    names = (f"{name}-{n}" if n > 1 else name for n in count(1))
    return str(next(home / each for each in names if not (home / each).exists()))
