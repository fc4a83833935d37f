"""The frame around every page: navigation, the profile in view, running jobs."""

import streamlit as st

from pages.ui import view, watch

st.set_page_config(page_title="Absorption explorer", layout="wide")
page = st.navigation(
    [
        st.Page("learn.py", title="Learn", icon=":material/school:", url_path="learn"),
        st.Page("measure.py", title="Measure", icon=":material/straighten:", url_path="measure"),
        st.Page("absorption.py", title="Absorption", icon=":material/water_drop:", default=True),
        st.Page("runs.py", title="Runs", icon=":material/history:", url_path="runs"),
    ]
)
st.session_state["page"] = page.url_path
with st.sidebar:
    view.choose_profile()
    watch.sidebar()
page.run()
