"""The Learn page: absorption explained in six chapters on stored measurements."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from core.base import UserError, escape_markdown, sentence
from core.show import words
from core.store import Profile
from pages.ui import current_profile, form, glossary, layout
from pages.ui.tour import Screen, budget, noise


class Chapter(NamedTuple):
    """One screen of the tour."""

    title: str
    draw: Callable[[Profile], Screen]  # raises UserError where a profile lacks the numbers
    terms: str  # of the glossary


CHAPTERS = {
    "perturb": Chapter("Perturb", noise.perturb, "layer, perturbation, gaussian, positions"),
    "drift": Chapter("Drift", noise.drift, "drift, harm, rank correlation, noise floor"),
    "amplify": Chapter("Amplify", noise.amplify, "gain, verdict, positions, attention sink"),
    "absorb": Chapter("Absorb", noise.absorb, "absorption, dilution, frozen-noise baseline, twin"),
    "allocate": Chapter("Allocate", budget.allocate, "budget, OWL, correction, strength, response, nats"),
    "prune": Chapter("Prune", budget.prune, "Wanda, residual, response, harm, nats, perplexity, skip"),
}
KEYS = list(CHAPTERS)
TITLES = {key: f"{number} {each.title}" for number, (key, each) in enumerate(CHAPTERS.items(), 1)}


def turn(label: str, key: str, at: int) -> None:
    """Draw a button to a chapter; disabled where there is none, for a button that vanished would move its neighbour."""
    there = 0 <= at < len(KEYS)
    chapter = {"chapter": KEYS[at]} if there else {}
    st.button(label, key=key, disabled=not there, on_click=st.session_state.update, kwargs=chapter)


def show(chapter: str, profile: Profile) -> None:
    """Draw a chapter with its picture, links and terms, or say what the profile lacks for it."""
    try:
        screen = CHAPTERS[chapter].draw(profile)
    except UserError as error:
        st.info(f"This profile cannot show this chapter. {escape_markdown(sentence(error))}")
        layout.link("learn", "See it with the bundled model", {"profile": "demo", "chapter": chapter})
        return
    layout.live(screen.figure)
    if screen.guesses:
        st.markdown(noise.GUESS)
        with layout.row("top"):
            for guess, changes in screen.guesses.items():
                st.button(guess, on_click=st.session_state.update, args=(changes,))
    with layout.row("top"):
        for link in screen.links:
            layout.link(*link)
    layout.caption(words.named(profile), profile.provenance.get("text"))
    if screen.below:
        st.markdown(screen.below)
    glossary.words(CHAPTERS[chapter].terms)


profile = current_profile.profile()
layout.title("What is absorption?")
current_profile.warn(profile)
with layout.row():
    chapter = form.switch("Chapter", TITLES, "chapter", KEYS[0], label_visibility="collapsed", wrap=True)
    at = KEYS.index(chapter)
    with layout.row("top", width="content", key="ways"):  # which stay where they are
        turn("Back", "back", at - 1)
        turn("Next", "next", at + 1)
show(chapter, profile)
before, st.session_state["chapter read"] = st.session_state.get("chapter read"), chapter
if before not in (None, chapter):  # what changes within a chapter stays in sight
    layout.to_top(chapter)
