"""The search on the Compress page: the search form with its cost, and the stored answers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from core.base import UserError, access, capital, escape_markdown, megabytes, sentence, text_name
from core.methods import (
    ANY,
    DEFAULT_PRUNER,
    GGUF,
    NO_REPAIR,
    PRUNERS,
    REPAIRS_WITHOUT_BUDGET,
    SEARCHED,
    SPARSIFIERS,
    default_pruner,
)
from core.requests import BestRequest, WindowRequest, numbers, with_absolute_paths
from core.results import FEWEST_WINDOWS, Best, best, text_splits
from core.show.report import remake
from core.show.words import study_lines
from core.store import Entry, Profile, Store
from pages.ui import best_setting, form, layout, studies
from pages.ui.compress import pruning
from pages.ui.model import stored

READ = {"label": "Calibration windows"}
JUDGED = {"label": "Windows to select on, and to judge on", "min_value": FEWEST_WINDOWS}
ROUNDINGS = {name: label for name, label in SEARCHED.items() if PRUNERS[name].budget_unit.bits}
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


def options(profile: Profile | None, aim: str) -> tuple[Callable[[], dict[str, Any]], str, str]:
    """Draw how, by which text and where; what reads the fields of the request, the pruner and the device."""
    about = partial(form.about, BestRequest)
    pruners, key, usual = SPARSIFIERS | {ANY: ANY}, "best_by", DEFAULT_PRUNER
    if aim == "size":
        pruners, key, usual = ROUNDINGS, "best_type", default_pruner(GGUF)
    st.caption(ABOUT)
    with layout.row("bottom"):
        pruner = form.choice("Rounded by" if aim == "size" else "Pruned by", pruners, key, usual, help=about("pruner"))
        repair, trains, trained = NO_REPAIR, False, {}
        if aim != "size":
            repair = form.choice("Repair", REPAIRED, "best_repair", USUAL_SEARCH.repair, help=about("repair"))
            trains = form.checkbox("Train the winner", "best_trains", help=about("recover_minutes"))
        if trains:
            trained = form.fields(BestRequest, pruning.TRAINING, "best_", recover_minutes=pruning.MINUTES)
    left, right = st.columns([2, 1])
    text = form.source("Text", TEXTS, "best_text", "demo", left, f"{form.TYPED} It needs 3 documents.")
    usual = ",".join(map(str, USUAL_SEARCH.seeds))
    seeds = form.words("Calibration seeds", "best_seeds", usual, right, help=about("seeds"))
    left, middle, right = places = st.columns(3)
    amounts = form.fields(WindowRequest, ["sequences"], "best_", USUAL_SEARCH.calibration, places, sequences=READ)
    keys = {"sequences": "windows", "length": "length"}
    judged = form.fields(WindowRequest, keys, "best_", USUAL_SEARCH.final, places[1:], sequences=JUDGED)
    looks = form.checkbox("Look at the profile in view", "best_looks", left, help=LOOKS)
    device = form.device(middle)

    def read():
        calibration = form.window(text, **judged | amounts)
        judging = form.window("demo:evaluation" if text == "demo" else text, **judged)
        roles = {"calibration": calibration, "selection": judging, "final": judging}
        key = profile.key if profile and looks else None
        return {"pruner": pruner, "repair": repair, "profile": key, "seeds": numbers(seeds), **roles, **trained}

    return read, pruner, device


def answers(profile: Profile, current: Entry | None) -> None:
    """Draw the stored answer that was picked, the one in view first."""
    entries = {entry.key: entry for entry in Store().of_model(profile.spec.model, "best")}
    if entries:
        usual = current.key if current and current.key in entries else next(iter(entries))
        _answer(entries[form.choice("Answer", {key: name(entry) for key, entry in entries.items()}, "best", usual)])


# --- the answer ----------------------------------------------------------------------------------------------------


def name(entry: Entry) -> str:
    """An answer in a list: what was asked."""
    return f"{capital(best.provenance_of(entry).request.title)} · {entry.key[:6]}"


@st.cache_resource(max_entries=8, show_spinner="Reading the answer")
def _read(path: str, _entry: Entry) -> Best:
    """Read once: a folder's name is the hash of what it means."""
    return best.load(Store(), _entry)


def read(entry: Entry) -> Best:
    """A stored answer."""
    return _read(str(entry.path), entry)


def _answer(entry: Entry) -> None:
    """The answer in a sentence, its files, what it rests on, and the button that uses it."""
    best_answer = read(entry)
    if not (best_answer.selection.complete and best_answer.final.complete):
        raise UserError("a measurement that this answer rests on is gone from the cache: ask the same again to have it")
    layout.header("The answer")
    answer = best_answer.judged(best_answer.answer)
    studies.hero(f"Perplexity of {study_lines.called(best_answer.answer)}", answer, answer.against_uniform)
    st.markdown(
        f"**{escape_markdown(study_lines.answer(best_answer))}** {escape_markdown(study_lines.loss(best_answer))}"
    )
    for each in files(best_answer):
        size = megabytes(each.provenance["bytes"])
        st.success(f"The file: `{escape_markdown(each.spec.folder)}`, {size}, read back and compared.")
    with layout.row():
        best_setting.button(partial(in_view, best_answer), "use")
        stored.report(entry)
    layout.caption(text_splits.described(best_answer.request))
    texts = best_answer.provenance.texts
    texts = texts | {"text": texts.get("final", text_name(best_answer.request.final.source))}
    studies.badge(replace(best_answer.final, provenance=best_answer.final.provenance | texts))
    studies.helped((*best_answer.final.singles, *best_answer.selection.singles))
    _background(best_answer)


def files(best_answer: Best) -> list[Entry]:
    """Exports of the answer that are still there."""
    exports = Store().of_model(best_answer.spec.model, "export")
    made = (each for each in exports if each.provenance.get("setting") == best_answer.answer.name)
    return [each for each in made if access.permits(folder := Path(each.spec.folder)) and folder.is_dir()]


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
    layout.commands(remake.best(best_answer), "The search on the command line")


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
