"""The Glossary page: one sentence and one formula for each word."""

import streamlit as st

from pages.ui import glossary, layout

layout.title("What do the words mean?")
st.caption("The same words on every page, on the command line and in the files.")
st.markdown(" · ".join(f"[{term}](#{glossary.anchor(term)})" for term in glossary.TERMS))
for term, entry in glossary.TERMS.items():
    with st.container(border=True):
        st.header(term, anchor=glossary.anchor(term))
        st.markdown(entry.sentence)
        st.markdown(glossary.formula(entry))
