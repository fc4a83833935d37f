"""The frame around every page: name, navigation, the profile in view, running jobs."""

from pathlib import Path

import streamlit as st

from core.show.figures import in_palette
from core.store import cache
from pages.ui import choices, current_profile, layout, live, places, url_state, watch

NAME = "Absorption explorer"
UI = Path(__file__).parent / "ui"
# The product's mark: noise, and what the layers leave of it. Its name is in outlines: no machine lacks the font.
MARK, LOGO = ((UI / file).read_text("utf-8") for file in ("mark.svg", "name.svg"))
# The tab's icon is the mark: without one the browser would fetch a page's own icon from the network.
st.set_page_config(page_icon=MARK, layout="wide")
FOOTER = "reference"  # linked below the navigation
UNPROFILED = ("play", "", "evidence", "reference")  # they show the bundled model, or none
PRESENTED = ("play", "", "learn")
LEAVE_SCRIPT = """<script>document.onkeydown = ({ key }) => {
if (key === "Escape") document.querySelector(".st-key-present input:checked")?.click()
}</script>"""


def present() -> None:
    """Draw the switch of the presenter's mode, which Esc leaves."""
    presents = choices.sync("present", [False, True], False)
    st.toggle("Present", key="present")
    if presents:
        st.html(UI / "live" / "room.css")
        st.html(LEAVE_SCRIPT, unsafe_allow_javascript=True)


pages = [
    st.Page(
        f"{name}.py",
        title=name.capitalize(),
        icon=f":material/{icon}:",
        url_path=name,
        visibility="hidden" if name == FOOTER else "visible",
    )
    for name, icon in places.ICONS.items()
]
# A default page answers at the root alone, so the landing page stands here a second time; its first link is lit then.
pages.append(st.Page("play.py", title="Play", url_path="home", default=True, visibility="hidden"))
page = st.navigation(pages)
st.set_page_config(page_title=f"{page.title} · {NAME}")
if not page.url_path:
    link = "[data-testid=stSidebarNavLink][href$='/play']"
    grey = "color-mix(in srgb, currentColor 12%, transparent)"
    st.html(f"<style>{link} {{ background: {grey} }} {link} span {{ font-weight: 600 }}</style>")
wide, narrow = (in_palette(each, url_state.look()) for each in (LOGO, MARK))
st.logo(wide, size="large", icon_image=narrow)
url_state.enter(page.url_path)
st.html(UI / "style.css")
with layout.shortages(), cache.listed_once():
    live.watch_theme()
    if page.url_path not in UNPROFILED:
        current_profile.choose()
    with st.sidebar:
        watch.sidebar()
        st.page_link(f"{FOOTER}.py", label="Reference: commands and words")
    if page.url_path in PRESENTED:
        present()
    with url_state.written(), layout.shortages():
        page.run()
