"""The Help page: commands to paste, each of which works on the bundled model."""

import streamlit as st

from core.show import help_lines
from pages.ui import layout

layout.title("How do I do this on the command line?")
st.markdown(
    "Run these in the project's folder, after `source .venv/bin/activate` (on Windows `.venv\\Scripts\\activate`); or "
    "write `.venv/bin/python` in place of `python`. All work on the bundled model, without a network; add `--json` for "
    "one JSON object, `--cache DIR` to keep results elsewhere."
)
for title, lines in help_lines.GROUPS.items():
    layout.header(title)
    for words, about in lines.items():
        st.markdown(about)
        layout.command(f"python -m core {words}")
layout.link("glossary.py", "What the words mean")
layout.link("learn.py", "The tour")
