"""The Reference page: commands to paste, each of which works on the bundled model, and the words they use."""

import streamlit as st

from core.show import help_lines
from pages.ui import form, glossary, layout

LISTS = {"commands": "Commands", "words": "Words"}


def commands() -> None:
    """Draw the lines of every group, each with what it does."""
    layout.title("How do I do this on the command line?")
    st.markdown(
        "Run these in the project's folder, after `source .venv/bin/activate` (on Windows `.venv\\Scripts\\activate`); "
        "or write `.venv/bin/python` in place of `python`. All work on the bundled model, without a network; add "
        "`--json` for one JSON object, `--cache DIR` to keep results elsewhere."
    )
    for title, lines in help_lines.GROUPS.items():
        layout.header(title)
        for line, about in lines.items():
            st.markdown(about)
            layout.command(f"python -m core {line}")


def words() -> None:
    """Draw a sentence and a formula for each word."""
    layout.title("What do the words mean?")
    st.caption("The same words on every page, on the command line and in the files.")
    st.markdown(" · ".join(f"[{term}](#{glossary.anchor(term)})" for term in glossary.TERMS))
    for term, entry in glossary.TERMS.items():
        with st.container(border=True):
            st.header(term, anchor=glossary.anchor(term))
            st.markdown(entry.sentence)
            st.markdown(glossary.formula(entry))


chosen = form.switch("List", LISTS, "list", "commands", label_visibility="collapsed")
commands() if chosen == "commands" else words()
