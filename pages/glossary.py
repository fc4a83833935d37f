"""What do the words mean? One sentence and one formula each."""

import streamlit as st

from pages.ui import glossary, layout

layout.title("What do the words mean?")
st.caption("The same words on every page, on the command line and in the files.")
st.markdown(" · ".join(f"[{term}](#{glossary.anchor(term)})" for term in glossary.TERMS))
for term, known in glossary.TERMS.items():
    with st.container(border=True):
        st.header(term, anchor=glossary.anchor(term))
        st.markdown(known.sentence)
        st.markdown(glossary.formula(known))
