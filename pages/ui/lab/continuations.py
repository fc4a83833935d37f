"""Texts that the dense and the pruned model write after a prompt, in the lab and on Prune."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

import streamlit as st

from core.ask.lab import SPARSITIES, Prompt, prompt
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import per_cent, several
from core.jobs import warm
from core.show.words import forecast
from core.store import scenes
from core.store.cache import Store
from core.store.scenes import Generated
from pages.ui import form, frame, studies, subject, view
from pages.ui.lab import answers

METHODS = {"uniform": "Uniform", "owl": "OWL", "response": "Response"}
USUAL = 0.5
ABOUT = (
    "Both models take the likeliest word at every step. Weights are chosen in one look at the dense model on the "
    "bundled text, whatever the calibration on Prune, which goes layer by layer and measures the cost. One text is an "
    "impression."
)
WORDS = "The old clockmaker opened the door of her shop and"
LOOK = 0.4  # seconds between two looks at what is not written yet


def _kept() -> dict[Prompt, Generated]:
    """The texts of this tab."""
    return st.session_state.setdefault("lab texts", {})


def show() -> None:
    """Draw the lab's prompt, the pruning and both texts."""
    st.header("How does pruning change what the model writes?", anchor=False)
    prompts = form.alike(asked.prompt for asked in scenes.written())
    about = "Choose one, or type your own."
    words = form.source("Words to continue", prompts, "write", next(iter(prompts), WORDS), help=about)
    left, right = st.columns(2)
    with left:
        method = form.switch("Spread over layers by", METHODS, "method", "response")
    zeros = view.sync("zeros", SPARSITIES, USUAL)
    with right:
        st.select_slider("Weights removed by Wanda", SPARSITIES, key="zeros", format_func=per_cent)
        with suppress(UserError):  # nothing that predicts is committed
            profile, setting = subject.load(Store().demo().key), prompt(WORDS, method, zeros).setting
            st.caption(plain(forecast.one(*studies.predicted(setting, profile))))
    _text(lambda: prompt(words, method, zeros))


def under(asked: Callable[[str], Prompt]) -> None:
    """Draw texts after the reader's words by the model in view, dense and pruned by one setting, once asked for.

    Args:
        asked: makes the question from the words.
    """
    words = view.text("prompt", WORDS)
    st.text_area("Prompt", key="prompt", height=80)
    _text(lambda: asked(words), at_once=False)


def _text(asked: Callable[[], Prompt], at_once: bool = True) -> None:
    """Draw both texts, or what they wait for."""
    try:
        question = asked()
    except UserError as error:
        frame.error(error)
        return
    if found := (scenes.written() | _kept()).get(question):
        for place, name in zip(st.columns(2), ("dense", "pruned"), strict=True):
            with place.container(border=True):
                st.markdown(f"**{name}**")
                text = getattr(found, name).strip()
                st.text(text or "nothing: its first logits are not finite, or it stops at once")
    elif at_once or st.session_state.get("prompt asked") == question:
        future = warm.ask("text", question, None, *answers.tab().asker)
        st.fragment(run_every=LOOK)(_writing)(question, future)
    else:
        ask = partial(st.session_state.update, {"prompt asked": question})
        frame.button("Generate text", ask, icon=":material/edit_note:", key="generate")
    st.caption(ABOUT)


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
