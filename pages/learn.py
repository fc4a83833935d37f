"""What is absorption? A guided tour in six chapters on real, cached numbers."""

from pathlib import Path

import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.show import lessons, words
from core.store.profiles import Profile
from pages.ui import form, frame, glossary, studies, subject, tour, view
from pages.ui.tour import CHAPTERS

SUMMARY = "summary"
KEYS = [*CHAPTERS, SUMMARY]
TITLES = {key: f"{number} {each.title}" for number, (key, each) in enumerate(CHAPTERS.items(), 1)}
NEXT = {
    "lab.py": "Try your own sentence",
    "absorption.py": "Explore every layer",
    "allocate.py": "Allocate a budget",
    "measure.py": "Measure your own model",
}
STYLE = Path(tour.__file__).with_name("tour.css").read_text("utf-8")


def turn(label: str, key: str, at: int) -> None:
    """A button that turns to a chapter; disabled where there is none, for one that went would move the other."""
    there = 0 <= at < len(KEYS)
    chapter = {"chapter": KEYS[at]} if there else {}
    st.button(label, key=key, disabled=not there, on_click=st.session_state.update, kwargs=chapter)


def picker() -> str:
    """The chapter, and the buttons to the one before and the one after, which stay where they are."""
    titles = TITLES | {SUMMARY: "Summary"}
    with st.container(horizontal=True, vertical_alignment="center"):
        chapter = form.switch("Chapter", titles, "chapter", KEYS[0], label_visibility="collapsed", wrap=True)
        at = KEYS.index(chapter)
        with st.container(horizontal=True, width="content", key="ways"):
            turn("Back", "back", at - 1)
            turn("Next", "next", at + 1)
    return chapter


def show(chapter: str, profile: Profile) -> None:
    """The chapter's picture, its links and its terms, or what the profile lacks for it."""
    try:
        found = CHAPTERS[chapter].find(profile)
    except UserError as error:
        said = f"This profile cannot show this chapter. {plain(sentence(error))}"
        query = {"profile": "demo", "chapter": chapter}
        frame.nothing(said, "learn.py", "See it with the bundled model", query)
        return
    screen = CHAPTERS[chapter].draw(profile, found)
    frame.live(screen.figure)
    if frame.is_first_paint():  # the rest follows once the browser shows the picture
        view.end()
    with st.container(horizontal=True):
        for link in screen.links:
            frame.link(*link)
    st.caption(plain(words.source(screen.profile)))
    if screen.below:
        st.markdown(screen.below)
    glossary.words(CHAPTERS[chapter].terms.split(", "))


def summary(profile: Profile) -> None:
    """A sentence for each chapter, as this profile tells it, with a button that goes there; then other pages."""
    st.header("What you have learned", anchor=False)
    for chapter, said in lessons.closing(profile).items():
        with st.container(gap=None):
            st.button(
                f"**{TITLES[chapter]}**", key=f"again-{chapter}", type="tertiary",
                on_click=st.session_state.update, kwargs={"chapter": chapter},
            )  # fmt: skip
            st.markdown(said)
    whole = lessons.measured(studies.groups(profile).values())
    if whole:
        st.markdown(f"**All layers at once.** {lessons.ranked(whole)}")
    with st.container(horizontal=True):
        for page, label in NEXT.items():
            frame.link(*tour.parts.link(page, label, profile))


def begin_at_top(chapter: str) -> None:
    """Scroll up where another chapter was turned to; what changes within a chapter stays in sight."""
    before = st.session_state.get("chapter read")
    st.session_state["chapter read"] = chapter
    if before not in (None, chapter):
        frame.to_top(chapter)


profile = subject.profile()
st.html(f"<style>{STYLE}</style>")
st.title("What is absorption?", anchor=False)
subject.warn(profile)
chapter = picker()
if chapter == SUMMARY:
    summary(profile)
else:
    show(chapter, profile)
begin_at_top(chapter)
