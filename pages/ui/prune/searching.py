"""The best-setting part of the prune page: what is wanted, what finding it costs, and the answers that are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.ask.naming import PRUNERS
from core.ask.requests import BestRequest
from core.ask.typed import fraction, numbers
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import per_cent
from core.base.spec import checked
from core.kinds.treatments import USUAL
from core.models import machine, work
from core.models.sources import refuse_fetch
from core.results.comparison import FEWEST_WINDOWS
from core.search import best, plan, text_splits
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import buttons, called, frame, view
from pages.ui.allocate import settings
from pages.ui.measure import choose
from pages.ui.prune import answering, asking

AIMS = {"target": "a target sparsity", "loss": "a limit on the loss"}
EFFORTS = {"quick": "quick, each method once", "full": "full, the published grids"}
TARGETS = settings.steps(0.05, 0.95, 0.01)
TEXTS = {**choose.TEXTS, "demo": "Demo text: one half calibrates, the other selects and judges"}
ABOUT = (
    "Every method is pruned and evaluated on one text. The best of them, the best of another method and uniform are "
    "then judged on another text: the answer is the best one only if it is certainly better than uniform there."
)
SHARED = (
    "Roles that share a text read documents of their own, calibration three times as many as any other role: nothing "
    "is chosen on what it is judged by."
)
Run = Callable[[BestRequest, str], None]


@dataclass(frozen=True)
class Form:
    """What stands in the widgets."""

    aim: str
    target: float
    loss: str  # as typed: 20% or 0.2
    pruner: str
    effort: str
    text: str
    seeds: str  # as typed
    sequences: int  # of the calibration text
    windows: int  # to select on, and as many to judge on
    length: int
    looks: bool  # at the profile in view, in place of one measured for the candidates
    device: str


def show(profile: Profile, run: Run) -> None:
    """The form with its cost and Run, then the stored answer that was picked."""
    st.caption(ABOUT)
    form = draw()
    found = _ask(form, profile, run)
    stored = answers(profile)
    if not stored:
        st.info("No search has been run for this model: choose what you want, see the cost, and press Run search.")
        return
    shown = pick(stored)
    if found and found.key != shown.key:
        frame.link("prune.py", "See its answer", view.here("prune.py") | {"part": "best", "best": found.key})
    answering.show(shown)


# --- stored answers -----------------------------------------------------------------------------------------------


def answers(profile: Profile) -> dict[str, Entry]:
    """Key -> best setting of the profile's model, the newest first."""
    mine = profile.spec.model
    found = [(entry, entry.spec.model) for entry in Store().entries("best")]
    alike = [entry for entry, its in found if its.weights == mine.weights]
    return {entry.key: entry for entry in alike}


def pick(found: dict[str, Entry]) -> Entry:
    """The answer that the URL names, else the newest; a picker is drawn where there are several."""
    asked = st.query_params.get("best")
    if asked and asked not in found:
        lacking = plain(repr(asked))
        view.unheeded(f"The link asks for the best setting {lacking}, which is not of this model or not in this cache.")
        st.query_params.pop("best")
    key = view.sync("best", list(found), next(iter(found)))
    if len(found) > 1:
        st.selectbox("Answer", list(found), key="best", format_func=lambda each: name(found[each]))
    return found[key]


def name(entry: Entry) -> str:
    """An answer in a list: what was asked."""
    asked = best.provenance_of(entry).request
    aim = f"{100 * asked.target:.4g} %" if asked.target else f"within a loss of {100 * asked.max_loss:.3g} %"
    words = [aim, PRUNERS[asked.pruner], called.source(asked.final), asked.effort, f"{entry.key[:6]}{entry.mark}"]
    return " · ".join(words)


# --- asking --------------------------------------------------------------------------------------------------------


def draw() -> Form:
    """Draw the widgets, each held equal to the URL."""
    aim = view.sync("best_for", list(AIMS), "target")
    by = view.sync("by", list(PRUNERS), USUAL)
    effort = view.sync("best_effort", list(EFFORTS), "quick")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view.switch("The best setting for", AIMS, "best_for")
        view.switch("Pruned by", PRUNERS, "by")
        view.switch("Effort", EFFORTS, "best_effort", help="Full tries many settings of every method: far slower.")
    left, middle, right = st.columns([1, 2, 1])
    target = view.sync("best_target", TARGETS, 0.7, drawn=aim == "target")
    loss = view.text("best_loss", "20%", drawn=aim == "loss")
    with left:
        _aim(aim)
    text = view.text("best_text", "demo")
    middle.selectbox(
        "Text",
        list(dict.fromkeys([*TEXTS, text])),
        key="best_text",
        format_func=lambda each: TEXTS.get(each, each),
        accept_new_options=True,
        help="Choose one, or type file:PATH (.jsonl, .parquet) or the id of a Hub dataset. It needs 3 documents.",
    )
    seeds = view.text("best_seeds", "0,1,2")
    right.text_input("Calibration seeds", key="best_seeds", help="Of the final comparison; the first one selects.")
    with st.expander("Amount of text, profile, device"):
        return Form(aim, target, loss, by, effort, text, seeds, *_more())


def _aim(aim: str) -> None:
    """The number that belongs to the aim."""
    if aim == "target":
        st.select_slider("Target sparsity", TARGETS, key="best_target", format_func=per_cent)
    else:
        st.text_input(
            "Greatest rise of the perplexity",
            key="best_loss",
            help="Against the dense model, as in 20%. The largest target within it is searched in steps of 5 %.",
        )


def _more() -> tuple[int, int, int, bool, str]:
    left, middle, right = st.columns(3)
    sequences = view.whole("best_sequences", 16, 1)
    left.number_input("Calibration windows", 1, key="best_sequences")
    windows = view.whole("best_windows", 12, FEWEST_WINDOWS)
    middle.number_input(
        "Windows to select on, and to judge on",
        FEWEST_WINDOWS,
        key="best_windows",
        help=f"As many of either; intervals need {FEWEST_WINDOWS}.",
    )
    length = view.whole("best_length", 256, 8)
    right.number_input("Tokens in each", 8, key="best_length", step=8)
    looks = view.sync("best_looks", [False, True], False)
    left.checkbox(
        "Look at the profile in view",
        key="best_looks",
        help="Else one is measured on the calibration text. It may not have read the text that selects or judges.",
    )
    device = view.sync("device", machine.devices(), machine.devices()[0])
    middle.selectbox("Device", machine.devices(), key="device")
    return sequences, windows, length, looks, device


def request(form: Form, profile: Profile) -> BestRequest:
    """What the form asks of the model in view.

    Raises:
        UserError: something typed cannot be, said in one sentence.
    """
    calibration = asking.window(form.text, "", form.sequences, form.length)
    other = "demo:evaluation" if calibration.source == "demo" else calibration.source
    judging = asking.window(other, "", form.windows, form.length)
    model, revision = asking.named(profile)
    refuse_fetch(profile.entry, Store(), model, revision)
    return checked(
        BestRequest,
        model=model,
        revision=revision,
        dtype=profile.spec.model.dtype,
        target=form.target if form.aim == "target" else None,
        max_loss=fraction(form.loss) if form.aim == "loss" else None,
        pruner=form.pruner,
        calibration=calibration,
        selection=judging,
        final=judging,
        profile=profile.entry.key if form.looks else None,
        seeds=numbers(form.seeds),
        effort=form.effort,
    )


def _ask(form: Form, profile: Profile, run: Run) -> Entry | None:
    """Roles, cost and Run; returns the answer if it is stored already."""
    asked, found, store = None, None, Store()
    try:
        asked = request(form, profile)
        st.markdown(f"{plain(text_splits.described(asked))} {SHARED}")
        st.markdown(_cost(asked, plan.estimate(asked, store, form.device)))
        found = store.find(asked)
    except UserError as error:
        frame.error(error)
        asked = None
    if found:
        st.success("Already answered.")
    else:
        buttons.button(
            "Run search",
            run,
            [asked, form.device],
            icon=":material/play_arrow:",
            disabled=asked is None,
            key="best-run",
        )
    return found


def _cost(asked: BestRequest, expected: work.Cost | None) -> str:
    if expected is None:
        return work.words(None)
    tries = f" Up to {plan.trials(asked)} targets are tried." if asked.max_loss else ""
    return f"**At most, as a rough guess:** {work.words(expected)}{tries} Stored parts are not measured again."
