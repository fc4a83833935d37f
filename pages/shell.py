"""The frame around every page: navigation, the profile in view, running jobs."""

import streamlit as st

from pages.ui import view, watch

st.set_page_config(page_title="Absorption explorer", layout="wide")
# No icons: the browser would fetch a page's icon from the network for its tab.
page = st.navigation(
    [
        st.Page("learn.py", title="Learn", url_path="learn"),
        st.Page("measure.py", title="Measure", url_path="measure"),
        st.Page("absorption.py", title="Absorption", url_path="absorption"),
        st.Page("allocate.py", title="Allocate", url_path="allocate"),
        st.Page("prune.py", title="Prune", url_path="prune"),
        st.Page("runs.py", title="Runs", url_path="runs"),
        st.Page("help.py", title="Help", url_path="help"),
        st.Page("glossary.py", title="Glossary", url_path="glossary"),
        # A default page answers at the root alone, so the landing page stands here a second time.
        st.Page("learn.py", title="Learn", url_path="home", default=True, visibility="hidden"),
    ]
)
view.enter(page.url_path)
view.choose_profile()
with st.sidebar:
    watch.sidebar()
with view.written():
    page.run()
