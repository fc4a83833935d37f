"""Texts that the dense and the pruned model write after a prompt."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import streamlit as st

from core.ask.lab import Prompt
from core.base.errors import UserError
from core.base.formats import several
from core.jobs import warm
from core.store.scenes import Generated
from pages.ui import frame, view
from pages.ui.lab import answers
from pages.ui.lab.question import PROMPT

ABOUT = (
    "Both models take the likeliest word at every step. Weights are chosen in one look at the dense model on the "
    "bundled text, whatever the calibration on Prune, which goes layer by layer and measures the cost. One text is an "
    "impression."
)
LOOK = 0.4  # seconds between two looks at what is not written yet


def show(asked: Callable[[str], Prompt]) -> None:
    """Draw texts after the reader's words by the model in view, dense and pruned by one setting, once asked for.

    Args:
        asked: makes the question from the words.
    """
    words = view.text("prompt", PROMPT)
    st.text_area("Prompt", key="prompt", height=80)
    try:
        question = asked(words)
    except UserError as error:
        frame.error(error)
        return
    if found := _kept().get(question):
        for place, name in zip(st.columns(2), ("dense", "pruned"), strict=True):
            with place.container(border=True):
                st.markdown(f"**{name}**")
                text = getattr(found, name).strip()
                st.text(text or "nothing: its first logits are not finite, or it stops at once")
    elif st.session_state.get("prompt asked") == question:
        future = warm.ask("text", question, None, *answers.tab().asker)
        st.fragment(run_every=LOOK)(_writing)(question, future)
    else:
        ask = partial(st.session_state.update, {"prompt asked": question})
        frame.button("Generate text", ask, icon=":material/edit_note:", key="generate")
    st.caption(ABOUT)


def _kept() -> dict[Prompt, Generated]:
    """The texts of this tab."""
    return st.session_state.setdefault("texts", {})


def _writing(asked: Prompt, future: Future) -> None:
    if not future.done():
        ahead = warm.ahead(future)
        said = f"{several(ahead, 'question')} ahead of yours." if ahead else "Writing the text."
        said = said if warm.state() == "ready" else "The model is loading, a few seconds. Your words are next."
        st.caption(f":material/hourglass: {said}")
        return
    if not future.cancelled():
        try:
            _kept()[asked] = future.result()
        except UserError as error:
            frame.error(error)
            return
    st.rerun()
