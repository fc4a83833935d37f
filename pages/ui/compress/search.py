"""The search on the Compress page: the search form with its cost, and the stored answers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from core.base import UserError, capital, checked, escape_markdown, sentence, text_name
from core.jobs import cost
from core.methods import ANY, DEFAULT_PRUNER, NO_REPAIR, REPAIRS_WITHOUT_BUDGET, SPARSIFIERS
from core.requests import BestRequest, WindowRequest, fraction, numbers, with_absolute_paths
from core.results import FEWEST_WINDOWS, Best, best, text_splits
from core.show.report import remake
from core.show.words import study_lines
from core.store import Entry, Profile, Store
from pages.ui import best_setting, form, layout, studies, watch
from pages.ui.compress import pruning

AIMS = {"target": "a target sparsity", "loss": "a limit on the loss"}
WANTED = {  # label, what it opens with, field of the request and help of an aim's number
    "target": ("Target sparsity", "70%", "target", "As in 70% or 0.7."),
    "loss": (
        "Greatest rise of the perplexity",
        "20%",
        "max_loss",
        "Against the dense model, as in 20%. The largest target within it is predicted in steps of 1 %, then tried.",
    ),
}
READ = {"label": "Calibration windows"}
JUDGED = {"label": "Windows to select on, and to judge on", "min_value": FEWEST_WINDOWS}
REPAIRED = {NO_REPAIR: NO_REPAIR, **REPAIRS_WITHOUT_BUDGET, ANY: ANY}
USUAL_SEARCH = BestRequest(target=0.7)
TEXTS = {**form.TEXTS, "demo": "Demo text: one half calibrates, the other selects and judges"}
ABOUT = (
    "Hundreds of allocations are predicted, and those that may be the best are pruned and evaluated on one text. The "
    "best of them and uniform are then judged on another text: the answer is the best one only if it is certainly "
    "better than uniform there."
)
SHARED = (
    "Roles that share a text read documents of their own, calibration three times as many as any other role: nothing "
    "is chosen on what it is judged by."
)
LOOKS = "Else one is measured on the calibration text. It may not have read the text that selects or judges."
SELECTED = "On the text that selects, the best of many is better by luck too: only the text that judges counts."


def show(profile: Profile) -> None:
    """The form with its cost and Run, then the stored answer that was picked."""
    st.caption(ABOUT)
    request, device = _draw(profile)

    def about(request):
        st.markdown(f"{escape_markdown(text_splits.described(request))} {SHARED}")
        expected = cost.estimate(request, Store(), device)
        st.markdown(f"{'**At most:** ' if expected else ''}{cost.words(expected)}")

    stored = watch.ask(request, about, device, "Run search", "best-run")
    answers = {entry.key: entry for entry in Store().of_model(profile.spec.model, "best")}
    if answers:
        usual = stored.key if stored and stored.key in answers else next(iter(answers))
        _answer(answers[form.choice("Answer", {key: name(entry) for key, entry in answers.items()}, "best", usual)])
    else:
        st.info("No search has been run for this model: choose what you want, see the cost, and press Run search.")


# --- asking --------------------------------------------------------------------------------------------------------


def _draw(profile: Profile) -> tuple[Callable[[], BestRequest], str]:
    """Draw the widgets; what is returned tells what they ask, and the device."""
    about = partial(form.about, BestRequest)
    with layout.row("bottom"):
        aim = form.switch("The best setting for", AIMS, "best_for", "target")
        pruner = form.switch("Pruned by", SPARSIFIERS | {ANY: ANY}, "best_by", DEFAULT_PRUNER, help=about("pruner"))
        repair = form.choice("Repair", REPAIRED, "best_repair", USUAL_SEARCH.repair, help=about("repair"))
        trains = form.checkbox("Train the winner", "best_trains", help=about("recover_minutes"))
        trained = form.fields(BestRequest, pruning.TRAINING, "best_", recover_minutes=pruning.MINUTES) if trains else {}
    left, middle, right = st.columns([1, 2, 1])
    label, usual, field, example = WANTED[aim]
    wanted = form.words(label, f"best_{aim}", usual, left, help=example)
    text = form.source("Text", TEXTS, "best_text", "demo", middle, f"{form.TYPED} It needs 3 documents.")
    usual = ",".join(map(str, USUAL_SEARCH.seeds))
    seeds = form.words("Calibration seeds", "best_seeds", usual, right, help=about("seeds"))
    with st.expander("Amount of text, profile, device"):
        left, middle, right = places = st.columns(3)
        amounts = form.fields(WindowRequest, ["sequences"], "best_", USUAL_SEARCH.calibration, places, sequences=READ)
        keys = {"sequences": "windows", "length": "length"}
        judged = form.fields(WindowRequest, keys, "best_", USUAL_SEARCH.final, places[1:], sequences=JUDGED)
        looks = form.checkbox("Look at the profile in view", "best_looks", left, help=LOOKS)
        device = form.device(middle)

    def asked():
        calibration = form.window(text, **judged | amounts)
        judging = form.window("demo:evaluation" if text == "demo" else text, **judged)
        roles = {"calibration": calibration, "selection": judging, "final": judging}
        of = pruning.of_model(profile) | {field: fraction(wanted, label.lower())} | roles
        key = profile.key if looks else None
        return checked(BestRequest, **of, pruner=pruner, repair=repair, profile=key, seeds=numbers(seeds), **trained)

    return asked, device


# --- the answer ----------------------------------------------------------------------------------------------------


def name(entry: Entry) -> str:
    """An answer in a list: what was asked."""
    return f"{capital(best.provenance_of(entry).request.title)} · {entry.key[:6]}"


@st.cache_resource(max_entries=8, show_spinner="Reading the answer")
def _read(path: str, _entry: Entry) -> Best:
    """Read once: a folder's name is the hash of what it means."""
    return best.load(Store(), _entry)


def _answer(entry: Entry) -> None:
    """The answer in a sentence, what it rests on, and the button that uses it."""
    best_answer = _read(str(entry.path), entry)
    if not (best_answer.selection.complete and best_answer.final.complete):
        raise UserError("a measurement that this answer rests on is gone from the cache: ask the same again to have it")
    layout.header("The answer")
    answer = best_answer.judged(best_answer.answer)
    studies.hero(f"Perplexity of {study_lines.called(best_answer.answer)}", answer, answer.against_uniform)
    st.markdown(
        f"**{escape_markdown(study_lines.answer(best_answer))}** {escape_markdown(study_lines.loss(best_answer))}"
    )
    best_setting.button(partial(in_view, best_answer), "use")
    layout.caption(text_splits.described(best_answer.request))
    texts = best_answer.provenance.texts
    texts = texts | {"text": texts.get("final", text_name(best_answer.request.final.source))}
    studies.badge(replace(best_answer.final, provenance=best_answer.final.provenance | texts))
    studies.helped((*best_answer.final.singles, *best_answer.selection.singles))
    _background(best_answer)


def _background(best_answer: Best) -> None:
    """Draw links to all numbers, the excluded settings, and the command that repeats the search."""
    for study, label in (
        (best_answer.final.spec, "All that was judged"),
        (best_answer.selection.spec, "All candidates"),
    ):
        if Store().path(study):
            layout.to_compress(label, "results", study=study.key, detail="all")
    st.caption(SELECTED)
    if best_answer.provenance.predicted:
        with st.expander("Predicted and measured on the text that selects"):
            layout.bullets(study_lines.of_search(best_answer))
    if left_out := best_answer.provenance.left_out:
        with st.expander(f"Left out: {len(left_out)}"):
            layout.bullets(map(sentence, left_out))
    layout.commands(remake.best(best_answer))


def in_view(best_answer: Best) -> dict[str, str]:
    """The URL query that brings the answer into view.

    Raises:
        UserError: the page has no choice for it.
    """
    export = best.export_request(best_answer, with_absolute_paths(best_answer.request), "")
    if Store().path(best_answer.spec.profile) is None:
        raise UserError(best_setting.GONE)
    if not best_setting.chosen(export.calibration):
        raise UserError("the page has no choice for the windows of its calibration text: use the command line below")
    study = best_answer.final.spec.key if Store().path(best_answer.final.spec) else None
    return best_setting.in_view(export.setting, export.calibration, best_answer.profile, study)
