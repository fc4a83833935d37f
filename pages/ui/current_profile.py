"""The profile in view: picked, named, read, and the layer of it that every page shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import streamlit as st

from core.base import UserError, distinct, escape_markdown, profile_names, pruning_troubles
from core.models.sources import text_is_here
from core.requests import MeasureRequest, ModelSpec, WindowRequest, absolute
from core.show import words
from core.show.report import remake
from core.store import Entry, Profile, Store, largest_committed, profiles
from pages.ui import choices, layout, url_state

PREFERRED_PERTURBATION = "gaussian:0.3"  # the perturbation shown unasked, where it was measured


def choose() -> None:
    """The picker of profiles, in the sidebar; keeps the choice in `?profile=`."""
    entries = {entry.key: entry for entry in Store().entries("profile")}
    if not entries:
        return
    if (last := url_state.last("profile", "")) not in ("", *entries):
        url_state.refuse(f"The profile {escape_markdown(last)} was deleted; this is another one.")
    unasked = largest_committed(entries.values()) or next(iter(entries.values()))  # else the newest
    current = choices.sync("profile", list(entries), unasked.key, _abbreviated(), named=not unasked.committed)
    listed = [current, *(each.key for each in uncovered(entries.values()))]
    named = names(each for each in entries.values() if each.key in listed)
    st.sidebar.selectbox("Profile", list(named), key="profile", format_func=named.get)


def uncovered(entries: Iterable[Entry]) -> list[Entry]:
    """Profiles without those of whose measurements another holds all, and more."""
    listed = {entry.key: entry for entry in entries}
    return [listed[key] for key in _uncovered(tuple(listed), listed)]


@st.cache_resource(max_entries=8, show_spinner=False)  # keys name specs, and to compare every two takes milliseconds
def _uncovered(keys: tuple[str, ...], _entries: Mapping[str, Entry]) -> list[str]:
    return [key for key in keys if not _covered(_entries[key], _entries.values())]


def _covered(entry: Entry, among: Iterable[Entry]) -> bool:
    """True if another profile holds the same measurements of the same text, and more."""
    return any(
        (each.spec.model, each.spec.text) == (entry.spec.model, entry.spec.text)
        and entry.spec.sketch in (None, each.spec.sketch)
        and set(entry.spec.measurements) <= set(each.spec.measurements)
        and (entry.spec.measurements, entry.spec.sketch) != (each.spec.measurements, each.spec.sketch)
        for each in among
    )


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
    """A profile as the picker calls it."""
    return names(Store().entries("profile")).get(entry.key) or profile_names.profile(words.described(entry))


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


def of_source(source: str) -> str | None:
    """The key of the profile that tells most of a model, by its name or folder; None: none is here."""
    entries = Store().entries("profile")
    alike = [each for each in entries if source and each.provenance.get("model_source") == absolute(source)]
    return min(alike, key=lambda each: each.spec.sketch is None).key if alike else None


def others() -> dict[str, str]:
    """Key -> name of every profile but the one in view, random-initialised twins first."""
    entries = [entry for entry in Store().entries("profile") if entry.key != st.session_state.get("profile")]
    entries.sort(key=lambda entry: not str(entry.provenance.get("model", "")).startswith("random:"))
    return names(entries)


def heading(title: str, profile: Profile) -> None:
    """The page's question, and what it is answered from."""
    layout.title(title)
    layout.caption(words.named(profile), profile.provenance.get("text"))
    warn(profile)


def warn(profile: Profile) -> None:
    """Show the warnings that were stored with the measurement."""
    warning = pruning_troubles(profile.provenance.get("warnings", []))
    if warning:
        layout.warn(warning)


def request_again(profile: Profile) -> MeasureRequest:
    """The request that measured a profile, on the bundled text where its own is not on this machine.

    Raises:
        UserError: the provenance of the profile makes no request.
    """
    measured = remake.request_of_profile(profile.entry)
    source = absolute(measured.text.source)
    text = measured.text.replace(source=source) if text_is_here(source) else WindowRequest()
    return measured.replace(model=absolute(measured.model), text=text)


def layer(profile: Profile) -> int:
    """The layer picked, the same on every page."""
    return choices.sync("layer", range(profile.layers), profile.layers // 3)
