"""What is absorption? A guided tour in six chapters on real, cached numbers."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import profile_names
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import frame, glossary, subject, view
from pages.ui.tour import CHAPTERS, closing, measured_again, stage

CLOSING = "summary"
KEYS = [*CHAPTERS, CLOSING]
TITLES = {key: f"{number} {each.title}" for number, (key, each) in enumerate(CHAPTERS.items(), 1)}


def way(label: str, key: str, at: int) -> None:
    """A button that turns to a chapter; dead where there is none, for a button that went would move the other."""
    there = 0 <= at < len(KEYS)
    st.button(
        label, key=key, disabled=not there,
        on_click=st.session_state.update, kwargs={"chapter": KEYS[at]} if there else {},
    )  # fmt: skip


def picker() -> str:
    """The chapter, and the ways to the one before and the one after, which stay where they are."""
    chapter = view.sync("chapter", KEYS, KEYS[0])
    titles = TITLES | {CLOSING: "Summary"}
    at = KEYS.index(chapter)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Chapter",
            KEYS,
            key="chapter",
            format_func=titles.get,
            required=True,
            label_visibility="collapsed",
            wrap=True,
        )
        with st.container(horizontal=True, width="content", key="ways"):
            way("Back", "back", at - 1)
            way("Next", "next", at + 1)
        if stage.presenting():
            stage.switch()
    return chapter


def able(chapter: str, profile: Profile) -> tuple[Profile, Any, str]:
    """A profile that can show a chapter, what it shows, and why it is not the one in view; empty where it is.

    Raises:
        UserError: none can.
    """
    lacking: list[UserError] = []
    for each in chain([profile], instead(profile)):
        try:
            return each, CHAPTERS[chapter].find(each), str(lacking[0]) if lacking else ""
        except UserError as error:
            lacking.append(error)
    raise lacking[0]


def instead(profile: Profile) -> Iterator[Profile]:
    """Other profiles to show a chapter with: of the same model those that hold most, then the bundled one."""
    entries = [entry for entry in Store().entries("profile") if entry.key != profile.entry.key]
    entries.sort(key=lambda entry: -len(entry.spec.measurements))
    same = [entry for entry in entries if entry.spec.model.weights == profile.spec.model.weights]
    bundled = [entry for entry in entries if entry.committed and entry not in same]
    for entry in (*same, *bundled[:1]):
        yield subject.load(entry.key)


def show(chapter: str, profile: Profile, note: DeltaGenerator) -> None:
    """The chapter, of the profile in view or, said in a line at `note`, of one that can show it."""
    try:
        shown, found, lacking = able(chapter, profile)
    except UserError as error:
        st.info(f"This profile cannot show this chapter. {plain(sentence(error))}")
        query = {"profile": "demo", "chapter": chapter}
        st.page_link("learn.py", label="See it with the bundled model", query_params=query)
        return
    if lacking:
        with note:
            needs = CHAPTERS[chapter].needs if profile.layers > 1 else "a second layer"
            st.caption(instead_of(profile, shown, needs), help=plain(sentence(lacking)))
    CHAPTERS[chapter].draw(shown, found)


def instead_of(profile: Profile, shown: Profile, needs: str) -> str:
    """Why another profile is shown than the one in view, and which."""
    here, there, about = profile.spec.model, shown.spec.model, shown.provenance
    untrained = here.content == there.content and here.initialised is not None and there.initialised is None
    model = plain(profile_names.model(str(about.get("model", "?"))))
    seen = "the trained model instead," if untrained else model
    text = plain(str(about.get("text", "?")).partition(",")[0])
    return f":material/info: This profile lacks {needs} for this chapter, so you see {seen} on {text}."


def ending(chapter: str) -> None:
    """What stands below a chapter: its words and, below the first, the numbers made anew."""
    glossary.words(CHAPTERS[chapter].terms)
    if chapter == KEYS[0]:
        st.divider()
        measured_again.draw()


def begin_at_top(chapter: str) -> None:
    """A chapter that was turned to is read from its beginning; what changes within a chapter stays in sight."""
    before = st.session_state.get("chapter read")
    st.session_state["chapter read"] = chapter
    if before not in (None, chapter):
        frame.to_top(chapter)


profile = subject.profile()
stage.choose()
stage.dress()
if not stage.presenting():
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("What is absorption?", anchor=False, width="content")
        stage.switch()
    subject.warn(profile)
with st.container(gap=None, key="presenting" if stage.presenting() else None):  # a note under the picker takes one line
    chapter = picker()
    note = st.container()
if chapter == CLOSING:
    st.header("What you have learned", anchor=False)
    closing.draw(profile, TITLES)
else:
    show(chapter, profile, note)
    if not stage.presenting():
        ending(chapter)
begin_at_top(chapter)
