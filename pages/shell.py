"""The frame around every page: navigation, the profile in view, running jobs."""

import streamlit as st

from pages.ui import view, watch

st.set_page_config(page_title="Absorption explorer", layout="wide")
# A finger does not hover: the bar of buttons would lie over the labels of a chart for good.
st.html("<style>@media (hover: none) { .modebar-container { display: none } }</style>")
NAMES = ("learn", "measure", "absorption", "allocate", "prune", "runs", "help", "glossary")
# No icons: the browser would fetch a page's icon from the network for its tab.
pages = [st.Page(f"{name}.py", title=name.capitalize(), url_path=name) for name in NAMES]
# A default page answers at the root alone, so the landing page stands here a second time.
pages.append(st.Page("learn.py", title="Learn", url_path="home", default=True, visibility="hidden"))
page = st.navigation(pages)
view.enter(page.url_path)
view.choose_profile()
with st.sidebar:
    watch.sidebar()
with view.written():
    page.run()
