"""What is absorption? A guided tour in six chapters on real, cached numbers."""

import streamlit as st

from core.errors import UserError
from pages.ui import glossary, view
from pages.ui.tour import CHAPTERS, again

KEYS = list(CHAPTERS)


def turn(key: str) -> None:
    """Go to a chapter; for `on_click`."""
    st.session_state["chapter"] = key


def leaf(key: str) -> None:
    """The ways to the chapters before and behind."""
    at = KEYS.index(key)
    with st.container(horizontal=True, vertical_alignment="center"):
        if at > 0:
            st.button(f"Back: {CHAPTERS[KEYS[at - 1]].title}", key="back", on_click=turn, args=[KEYS[at - 1]])
        if at + 1 < len(KEYS):
            label = f"Next: {CHAPTERS[KEYS[at + 1]].title}"
            st.button(label, key="next", icon=":material/arrow_forward:", on_click=turn, args=[KEYS[at + 1]])
        glossary.words(CHAPTERS[key].terms)


profile = view.profile()
view.heading("What is absorption?", profile)
chapter = view.sync("chapter", KEYS, KEYS[0])
titles = {key: f"{number} {each.title}" for number, (key, each) in enumerate(CHAPTERS.items(), 1)}
st.segmented_control(
    "Chapter", KEYS, key="chapter", format_func=titles.get, required=True, label_visibility="collapsed"
)
try:
    CHAPTERS[chapter].draw(profile)
except UserError as error:
    st.info(f"This chapter cannot be shown: {error}.")
    st.page_link(
        "learn.py", label="Take it with the bundled model", query_params={"profile": "demo", "chapter": chapter}
    )
leaf(chapter)
st.divider()
again.draw()
