"""A stored best setting: the answer in a sentence, what it rests on, and what can be done with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from core.analysis import protocols
from core.analysis.evaluations import Evaluations, slice_of
from core.export import check_early
from core.figures import Chart, evaluation
from core.figures.style import LIGHT, Palette
from core.search import best
from core.search.best import Best
from core.search.roles import roles
from core.specs import ExportRequest, Setting, UserError, grammar, naming
from core.specs.grammar import words
from core.specs.typed import whole
from core.store.cache import Entry, Store
from pages.ui import called, frame, view, watch
from pages.ui.allocate import settings
from pages.ui.prune import costing, exporting, stored

JUDGED = "Winner and runner-up against uniform, on the text that judges"
SELECTED = "On the text that selects, where the best of many is better by luck too: only the text that judges counts."
COMMANDS = (
    "`best` looks for the answer again, all candidates and seeds; the others make its profile and the answer alone."
)
NO_COMMAND = "No command: its options do not say texts of several lengths, another packing or start token."


@dataclass(frozen=True, eq=False)
class Answer:
    """A best setting with everything worked out."""

    found: Best
    sentences: tuple[str, ...]  # the answer first
    rows: dict  # name -> change against uniform on the text that judges, per cent
    judged: pd.DataFrame
    candidates: pd.DataFrame


def show(entry: Entry, run: Callable[[ExportRequest, str], None], device: str) -> None:
    """Everything that is known of an answer."""
    try:
        answer = _read(str(entry.path), entry)
    except UserError as error:
        st.error(str(error))
        return
    found = answer.found
    st.header("The answer", anchor=False)
    first, *more = answer.sentences
    st.markdown("\n".join([f"**{first}**", "", *(f"- {each}" for each in more)]))
    st.caption(roles(found.request))
    _protocol(found, found.final, "final")
    _links(found)
    for sentence in warnings(found):
        st.warning(sentence)
    if answer.rows:
        frame.show(chart(answer, view.look()), f"{found.spec.key[:6]}-best", "best-changes")
        _protocol(found, found.final, "final")
    frame.show_table(answer.judged, "Winner, runner-up, uniform and dense on the text that judges")
    _protocol(found, found.final, "final")
    st.header("All candidates", anchor=False)
    st.caption(SELECTED)
    frame.show_table(answer.candidates, "Every candidate with its loss on the text that selects")
    _protocol(found, found.selection, "selection")
    _left_out(found)
    _trials(found)
    _commands(found)
    _export(found, run, device)


def _protocol(found: Best, study: Evaluations, role: str) -> None:
    """The protocol of the study that selects or judges; the answer's provenance names the text of each."""
    texts = found.provenance.get("texts", {})
    told = found.provenance | ({"calibration": texts["calibration"]} if "calibration" in texts else {})
    name = texts.get(role, called.source(getattr(found.request, role)))
    said = protocols.badge(replace(study, provenance=told), name)
    stored.stamp(said, protocols.versions(study.points))


def warnings(found: Best) -> list[str]:
    """A sentence for every setting that pruning had to be helped along with, of those that were tried or judged."""
    points = [each for study in (found.final, found.selection) for each in study.singles]
    return list(dict.fromkeys(f"{each.name}. {each.helped}" for each in points if each.helped))


@st.cache_resource(max_entries=8, show_spinner="Reading the answer")
def _read(path: str, _entry: Entry) -> Answer:
    """Read once: a folder's name is the hash of what it means."""
    return answered(best.load(Store(), _entry))


def answered(found: Best) -> Answer:
    """Work out everything that is drawn.

    Raises:
        UserError: a measurement is gone from the cache.
    """
    if not (found.selection.complete and found.final.complete):
        raise UserError("a measurement that this answer rests on is gone from the cache: ask the same again to have it")
    sentences = (found.sentence, *found.more_sentences, found.loss_sentence)
    return Answer(found, sentences, changes(found), judged(found), candidates(found))


def contenders(found: Best) -> dict[str, Setting]:
    """Name -> winner, runner-up and uniform, each once, as they are called on this page."""
    listed = [each for each in (found.winner, found.runner_up, found.uniform) if each is not None]
    return {name: setting for setting, name in naming.titles(listed).items()}


def changes(found: Best) -> dict:
    """Name -> change of perplexity against uniform on the text that judges, per cent."""
    others = {name: each for name, each in contenders(found).items() if each != found.uniform}
    return {name: found.against(each, found.uniform).windows for name, each in others.items()}


def chart(answer: Answer, look: Palette = LIGHT) -> Chart:
    """The contenders against uniform, the winner highlighted."""
    shown = next((name for name, each in contenders(answer.found).items() if each == answer.found.winner), None)
    return evaluation.changes(answer.rows, shown, "uniform", look, JUDGED)


def judged(found: Best) -> pd.DataFrame:
    """A row per contender, and the answer where it is none: perplexity, and what is lost against the dense model."""
    lower = {} if found.answer in (found.winner, found.uniform) else {naming.setting(found.answer): found.answer}
    rows = [{"role": "dense", "setting": "dense", "perplexity": found.judged(None).perplexity}]
    for name, setting in (contenders(found) | lower).items():
        lost = found.against(setting, None).windows
        row = {"role": _role(found, setting), "setting": name, "perplexity": found.judged(setting).perplexity}
        rows.append(row | {"against dense, %": lost.value, "low": lost.low, "high": lost.high})
    return pd.DataFrame(rows)


def _role(found: Best, setting: Setting) -> str:
    known = {"winner": found.winner, "runner-up": found.runner_up, "uniform": found.uniform}
    return ", ".join(role for role, each in known.items() if each == setting) or "answer"


def candidates(found: Best) -> pd.DataFrame:
    """A row per candidate, the best on the text that selects first."""
    listed = found.candidates
    names = naming.titles(each.setting for each in listed)
    return pd.DataFrame(
        [
            {
                "setting": names[each.setting],
                "loss, nats/token": each.loss,
                "perplexity": each.perplexity,
                "against uniform, %": found.selected(each).value,
                "low": found.selected(each).low,
                "high": found.selected(each).high,
                "written": words(each.setting.allocation),
            }
            for each in listed
        ]
    )


def _left_out(found: Best) -> None:
    if found.left_out:
        with st.expander(f"Left out: {len(found.left_out)}"):
            st.markdown("\n".join(f"- {each}" for each in found.left_out))
    else:
        st.caption("Nothing was left out.")


def _trials(found: Best) -> None:
    """Which targets were tried for a greatest loss."""
    tried = found.provenance.get("trials", [])
    if not tried:
        return
    with st.expander(f"Targets tried: {len(tried)}"):
        rows = [
            {
                "target": each["target"],
                "loss, %": 100 * each["loss"],
                "of": each["allocation"],
                "uniform's loss, %": math.nan if each.get("uniform") is None else 100 * each["uniform"],
            }
            for each in tried
        ]
        frame.show_table(pd.DataFrame(rows).sort_values("target"), "Targets that were tried, with the loss of each")


def _commands(found: Best) -> None:
    with st.expander("The same on the command line"):
        whole, parts = best.whole_line(found.request), best.commands(found)
        for each in filter(None, (whole, *parts)):
            st.code(each, None, wrap_lines=True)
        if whole:
            st.caption(COMMANDS)
        elif not parts:
            st.caption(NO_COMMAND)


# --- into view -----------------------------------------------------------------------------------------------------


def _links(found: Best) -> None:
    """The answer on the Allocate page, and among the results here."""
    try:
        query = in_view(found.answer) | {"profile": _profile(found)}
    except UserError as error:
        st.caption(f"No link: {error}.")
        return
    setting = found.answer
    here = {"by": setting.pruner, "repair": setting.repair or "none", "pattern": "none"}
    here |= {"sequential": str(setting.true_sequential), "part": "results"}
    here |= {"within": slice_of(setting).name}
    here |= {"study": found.final.spec.key} if Store().path(found.final.spec) else {}
    with st.container(horizontal=True):
        st.page_link("allocate.py", label="See it on the Allocate page", icon=":material/tune:", query_params=query)
        st.page_link(
            "prune.py",
            label="See it among the results",
            icon=":material/arrow_forward:",
            query_params=watch.here("prune.py") | query | here,
        )


def in_view(setting: Setting) -> dict[str, str]:
    """What the URL must say so that the Allocate page shows a setting, defaults included: what is left out would stay.

    Raises:
        UserError: a value that the page's widgets do not have.
    """
    asked, fix = setting.allocation, setting.allocation.correction
    steps = [(each.label, each.options, getattr(asked.base, each.name)) for each in asked.base.parameters()]
    labels = {"target": "Target sparsity", "low": "Least", "high": "Greatest"}
    steps += [(label, settings.TARGETS, getattr(asked, key)) for key, label in labels.items()]
    steps += [("Strength", settings.STRENGTHS, fix.strength), ("Gains count up to", list(settings.CLIPS), fix.clip)]
    for label, options, value in steps:
        if value not in options:
            raise UserError(f"the Allocate page has no step {value:g} of {label}: use the command line below")
    return {"allocation": grammar.write(asked), "hand": ""}


def _profile(found: Best) -> str:
    """The profile that the candidates looked at.

    Raises:
        UserError: it was deleted.
    """
    if Store().path(found.spec.profile) is None:
        raise UserError("the profile that the candidates looked at was deleted, and others give other sparsities")
    return found.profile


# --- export --------------------------------------------------------------------------------------------------------


def _export(found: Best, run: Callable[[ExportRequest, str], None], device: str) -> None:
    with st.expander("Export the answer"):
        st.markdown(f"**Exported is:** {naming.setting(found.answer)}")
        st.caption(exporting.HONEST)
        folder = st.text_input("Folder", key="best-folder", placeholder="/home/me/pruned", help=exporting.FOLDER)
        overwrite = st.checkbox("Overwrite an earlier export in that folder", key="best-overwrite")
        request = _asked(found, folder or "", overwrite)
        if request:
            costing.say(request, device)
        ready = request is not None and bool((folder or "").strip()) and _free(request)
        if ready:
            exporting.where(folder, request)
        st.button(
            "Export",
            icon=":material/save:",
            disabled=not ready,
            on_click=run,
            args=[request, device],
            key="best-export",
        )


def _asked(found: Best, folder: str, overwrite: bool) -> ExportRequest | None:
    """The request, or None with one sentence why there is none."""
    where = Path(folder.strip()).expanduser().resolve()
    try:
        return best.export_request(found, whole(found.request), str(where), overwrite)
    except UserError as error:
        st.error(str(error))
        return None


def _free(request: ExportRequest) -> bool:
    """Whether the folder may be written to; one sentence where it may not."""
    try:
        check_early(Path(request.folder), request.overwrite, request.model, request.revision, request.dtype, Store())
    except UserError as error:
        st.error(str(error))
        return False
    return True
