"""The stored answers of a model: a list to pick from, and links to them."""

from __future__ import annotations

import streamlit as st

from core.ask.naming import PRUNERS
from core.base.escape import plain
from core.search import best
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import called, frame, view


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


def link(found: Entry) -> None:
    query = view.here("prune.py") | {"part": "best", "best": found.key}
    frame.link("prune.py", "See its answer", query)
