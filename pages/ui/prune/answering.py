"""A stored best setting: the answer in a sentence, what it rests on, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.ask.requests import ExportRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.results import protocols
from core.results.evaluations import Evaluations
from core.search import best
from core.search.best import Best
from core.search.roles import roles
from core.store.cache import Entry, Store
from pages.ui import called, frame, view
from pages.ui.prune import answer_links, answer_numbers, stored
from pages.ui.prune.answer_numbers import Answer

SELECTED = (
    "Measured on the text that selects, where the best of many is better by luck too: only the text that judges counts."
)
COMMANDS = (
    "`best` looks for the answer again, all candidates and seeds; the others make its profile and the answer alone."
)
NO_COMMAND = "No command: its options do not say texts of several lengths, another packing or start token."


def show(entry: Entry, run: Callable[[ExportRequest, str], None], device: str) -> None:
    """Everything that is known of an answer."""
    try:
        answer = _read(str(entry.path), entry)
    except UserError as error:
        frame.error(error)
        return
    found = answer.found
    st.header("The answer", anchor=False)
    first, *more = answer.sentences
    st.markdown("\n".join([f"**{plain(first)}**", "", *(f"- {plain(each)}" for each in more)]))
    st.caption(plain(roles(found.request)))
    _protocol(found)
    if entry.packs:
        st.caption("Imported: these numbers came in a pack and were not measured here.")
    answer_links.links(found)
    for each in warnings(found):
        st.warning(plain(each))
    if answer.rows:
        frame.show(answer_numbers.chart(answer, view.look()), f"{found.spec.key[:6]}-best", "best-changes")
    frame.show_table(answer.judged, "Winner, runner-up, uniform and dense on the text that judges")
    st.header("All candidates", anchor=False)
    st.caption(SELECTED)
    frame.show_table(answer.candidates, "Every candidate with its loss on the text that selects")
    _left_out(found)
    _trials(found)
    _commands(found)
    answer_links.export(entry, found, run, device)


def _protocol(found: Best) -> None:
    """The one protocol line: of the text that judges; that of the text that selects is in its help."""
    judges, selects = (_named(found, study, role) for study, role in
                       ((found.final, "final"), (found.selection, "selection")))  # fmt: skip
    told = f"{protocols.badge(judges)}. Selected on {protocols.badge(selects)}."
    stored.stamp(protocols.line(judges), f"{told} {protocols.versions(judges.points)}")


def _named(found: Best, study: Evaluations, role: str) -> Evaluations:
    """A study with its texts called as the answer's provenance calls them."""
    texts = found.provenance.get("texts", {})
    told = {"text": texts.get(role, called.source(getattr(found.request, role)))}
    told |= {"calibration": texts["calibration"]} if "calibration" in texts else {}
    return replace(study, provenance=found.provenance | told)


def warnings(found: Best) -> list[str]:
    """A sentence for every setting that pruning had to be helped along with, of those that were tried or judged."""
    points = [each for study in (found.final, found.selection) for each in study.singles]
    return list(dict.fromkeys(f"{each.name}. {each.helped}" for each in points if each.helped))


@st.cache_resource(max_entries=8, show_spinner="Reading the answer")
def _read(path: str, _entry: Entry) -> Answer:
    """Read once: a folder's name is the hash of what it means."""
    return answer_numbers.answered(best.load(Store(), _entry))


def _left_out(found: Best) -> None:
    if not found.left_out:
        st.caption("Nothing was left out.")
        return
    with st.expander(f"Left out: {len(found.left_out)}"):
        st.markdown("\n".join(f"- {plain(sentence(each))}" for each in found.left_out))
        if line := best.linears_line(found, Store().elsewhere):
            st.caption(best.LINEARS)
            frame.command(line)


def _trials(found: Best) -> None:
    """Which targets were tried for a greatest loss."""
    tried = answer_numbers.trials(found)
    if len(tried):
        with st.expander(f"Targets tried: {len(tried)}"):
            frame.show_table(tried, "Targets that were tried, with the loss of each")


def _commands(found: Best) -> None:
    with st.expander("The same on the command line"):
        cache = Store().elsewhere
        whole, parts = best.whole_line(found.request, cache), best.commands(found, cache)
        for each in filter(None, (whole, *parts)):
            frame.command(each)
        if whole:
            st.caption(COMMANDS)
        elif not parts:
            st.caption(NO_COMMAND)
