"""The profile in view: picked, named, read, and the layer of it that every page shows."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from core.base import UserError, distinct, profile_names, pruning_troubles
from core.requests import ModelSpec
from core.show import words
from core.store import Entry, Profile, Store, largest_committed, profiles
from pages.ui import choices, glossary, layout, url_state

PREFERRED_PERTURBATION = "gaussian:0.3"  # the perturbation shown unasked, where it was measured


def choose() -> None:
    """The picker of profiles, in the sidebar; keeps the choice in `?profile=`."""
    entries = {entry.key: entry for entry in Store().entries("profile")}
    if not entries:
        return
    unasked = largest_committed(entries.values()) or next(iter(entries.values()))  # else the newest
    choices.sync("profile", list(entries), unasked.key, _abbreviated(), named=not unasked.committed)
    st.sidebar.selectbox("Profile", list(entries), key="profile", format_func=names(entries.values()).get)


def _abbreviated() -> dict[str, str]:
    """The key of which the URL has the beginning, or `demo`."""
    typed = st.query_params.get("profile", "")
    try:
        return {typed: Store().profile(typed).key}
    except UserError:
        return {}


def names(entries: Iterable[Entry]) -> dict[str, str]:
    """Key -> name of each profile in a list, no two alike."""
    listed = list(entries)
    named = zip(listed, distinct(profile_names.forms(words.described(each)) for each in listed), strict=True)
    return {each.key: name for each, name in named}


def name(entry: Entry) -> str:
    """A profile by itself, with the beginning of its key."""
    return f"{profile_names.profile(words.described(entry))} · {entry.key[:6]}"


def profile() -> Profile:
    """The profile in view; a page without one ends here with a sentence that says what to do."""
    key = st.session_state.get("profile")
    if key is None:
        st.info("Nothing is measured yet: run a measurement, or remake the demo with `make demo`.")
        url_state.end()
    return load(key)


def load(key: str) -> Profile:
    """A profile by its key, read once from each cache folder: keys name content, but not where it came from."""
    return _load(key, str(Store().root))


@st.cache_resource(max_entries=8, show_spinner=False)
def _load(key: str, root: str) -> Profile:
    place = Store(Path(root))
    return profiles.load(place, place.profile(key))


def of_model(model: ModelSpec) -> str | None:
    """The key of a profile of a model in any precision, the one in view where that is one; None: none is here."""
    alike = [each.key for each in Store().of_model(model)]
    current = st.session_state.get("profile")
    return current if current in alike else next(iter(alike), None)


def others() -> dict[str, str]:
    """Key -> name of every profile but the one in view, random-initialised twins first."""
    entries = [entry for entry in Store().entries("profile") if entry.key != st.session_state.get("profile")]
    entries.sort(key=lambda entry: not str(entry.provenance.get("model", "")).startswith("random:"))
    return names(entries)


def heading(title: str, profile: Profile, terms: str = "") -> None:
    """The page's question, what it is answered from, and the words it uses."""
    layout.title(title)
    layout.caption(words.named(profile), profile.provenance.get("text"))
    if terms:
        glossary.words(terms)
    warn(profile)


def warn(profile: Profile) -> None:
    """Show the warnings that were stored with the measurement."""
    warning = pruning_troubles(profile.provenance.get("warnings", []))
    if warning:
        layout.warn(warning)


def layer(profile: Profile) -> int:
    """The layer picked, the same on every page."""
    return choices.sync("layer", range(profile.layers), profile.layers // 3)
