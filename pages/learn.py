"""The Learn page: absorption explained in six chapters on stored measurements."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from core.base import UserError, capital, escape_markdown, sentence
from core.show import words
from core.show.lessons.guesses import Guess
from core.store import Profile
from pages.ui import current_profile, form, glossary, layout
from pages.ui.tour import Screen, budget, guessed, noise


class Chapter(NamedTuple):
    """One screen of the tour."""

    title: str
    question: str
    draw: Callable[[Profile], Screen]  # raises UserError where a profile lacks the numbers
    terms: str  # of the glossary


CHAPTERS = {
    "perturb": Chapter(
        "Perturb", "What happens when a layer is disturbed?", noise.perturb, "layer, perturbation, gaussian, positions"
    ),
    "drift": Chapter(
        "Drift", "Does a disturbance grow or fade?", noise.drift, "drift, harm, rank correlation, noise floor"
    ),
    "amplify": Chapter(
        "Amplify", "Which layers amplify, and which absorb?", noise.amplify, "gain, verdict, positions, attention sink"
    ),
    "absorb": Chapter(
        "Absorb", "Is it repair or dilution?", noise.absorb, "absorption, dilution, frozen-noise baseline, twin"
    ),
    "allocate": Chapter(
        "Allocate",
        "Should layers that absorb lose more?",
        budget.allocate,
        "budget, OWL, correction, strength, response, nats",
    ),
    "prune": Chapter(
        "Prune",
        "What does pruning one layer cost?",
        budget.prune,
        "Wanda, residual, response, harm, nats, perplexity, skip",
    ),
}
KEYS = list(CHAPTERS)
TITLES = {key: f"{number} {each.title}" for number, (key, each) in enumerate(CHAPTERS.items(), 1)}


def turn(label: str, key: str, at: int) -> None:
    """Draw a button to a chapter; disabled where there is none, for a button that vanished would move its neighbour."""
    there = 0 <= at < len(KEYS)
    chapter = {"chapter": KEYS[at]} if there else {}
    st.button(label, key=key, disabled=not there, on_click=st.session_state.update, kwargs=chapter)


def show_guess(chapter: str, guess: Guess | None) -> None:
    """Draw a question with its answers, or what was measured once one is chosen."""
    if guess is None:
        return
    chosen = guessed(chapter)
    st.markdown(f"**Guess.** {guess.question}" if chosen is None else f"{guess.question} {guess.verdict(chosen)}")
    if chosen is None:
        with layout.row("top"):
            for at, text in enumerate(guess.answers):
                st.button(capital(text), on_click=st.session_state.update, args=({f"guess-{chapter}": at},))


def show(chapter: str, profile: Profile) -> None:
    """Draw a chapter with its picture, links and terms, or say what the profile lacks for it."""
    try:
        screen = CHAPTERS[chapter].draw(profile)
    except UserError as error:
        st.info(f"This profile cannot show this chapter. {escape_markdown(sentence(error))}")
        layout.link("learn", "See it with the bundled model", {"profile": "demo", "chapter": chapter})
        return
    layout.live(screen.figure)
    show_guess(chapter, screen.guess)
    with layout.row("top"):
        for link in screen.links:
            layout.link(*link)
    layout.caption(words.named(profile), profile.provenance.get("text"))
    glossary.words(CHAPTERS[chapter].terms)


profile = current_profile.profile()
title = st.container()
current_profile.warn(profile)
with layout.row():
    chapter = form.switch("Chapter", TITLES, "chapter", KEYS[0], label_visibility="collapsed", wrap=True)
    at = KEYS.index(chapter)
    with layout.row("top", width="content", key="ways"):  # which stay where they are
        turn("Back", "back", at - 1)
        turn("Next", "next", at + 1)
with title:
    layout.title(CHAPTERS[chapter].question)
show(chapter, profile)
before, st.session_state["chapter read"] = st.session_state.get("chapter read"), chapter
if before not in (None, chapter):  # what changes within a chapter stays in sight
    layout.to_top(chapter)
