"""Gains of several profiles on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.show.figures import labels, overlay
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import frame, subject, view

MANY = 6  # lines that can still be told from each other


def show(store: Store) -> None:
    """Pick profiles and a perturbation they all hold; see their gains."""
    entries = {entry.key: entry for entry in store.entries()}
    if len(entries) < 2:
        said = "Comparing needs two profiles: measure another model, or import a pack."
        frame.nothing(said, "measure.py", "Measure a model")
        return
    keep_known(entries)
    called = subject.names(entries.values())
    # Not a multiselect, whose white words on the dark theme's accent cannot be read.
    st.pills(
        "Profiles",
        list(entries),
        key="overlaid",
        selection_mode="multi",
        format_func=lambda key: plain(called[key]),
    )
    if len(st.session_state["overlaid"]) > MANY:
        st.info(f"More than {MANY} profiles cannot be told apart in one picture: take some away.")
        return
    loaded = []
    for key in st.session_state["overlaid"]:
        try:
            loaded.append(subject.load(key))
        except UserError as error:
            frame.error(error)
    if not loaded:
        st.info("Pick at least one profile.")
        return
    names = common(loaded)
    if not names:
        st.info("These profiles share no perturbation: measure the same one on each, for instance gaussian:0.3.")
        return
    name = view.sync("overlay", names, subject.PREFERRED if subject.PREFERRED in names else names[0])
    called = {each: labels.perturbation(asked) for each, asked in loaded[0].perturbations.items()}
    st.selectbox("What is done to each layer", names, key="overlay", format_func=called.get, width=420)
    frame.show(overlay.of_profiles(loaded, name, look=view.look()), name, "overlay-chart")
    titles = labels.beside_curves(loaded)
    st.caption(
        "Bands are 95 % intervals over sequences. "
        + " ".join(plain(f"{title}: {labels.source(found)}.") for title, found in zip(titles, loaded, strict=True))
    )


def keep_known(entries: dict[str, Entry]) -> None:
    """What was picked and is still there; at first the profile in view and the newest other one of the same text."""
    if "overlaid" in st.session_state:
        st.session_state["overlaid"] = [key for key in st.session_state["overlaid"] if key in entries]
        return
    shown = st.session_state.get("profile")
    first = shown if shown in entries else next(iter(entries))
    alike = [key for key in entries if key != first and entries[key].spec.text == entries[first].spec.text]
    st.session_state["overlaid"] = [first, *alike[:1]]


def common(found: Sequence[Profile]) -> list[str]:
    """Perturbations that every profile holds, in the first one's order."""
    return [name for name in found[0].by_name if all(name in other.by_name for other in found[1:])]
