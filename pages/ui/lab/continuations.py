"""What the dense and the pruned models write: stored prompts and the reader's own, in the lab and on Prune."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import streamlit as st

from core.ask import naming
from core.ask.lab import ALLOCATIONS, SPARSITIES, Prompt, prompt
from core.ask.settings import Setting
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import several
from core.jobs import warm
from core.store import scenes
from core.store.scenes import Generated
from pages.ui import buttons, frame, view
from pages.ui.lab import answers
from pages.ui.live import texts
from pages.ui.live.texts import Continued

METHODS = {"uniform": "Uniform", "owl": "OWL", "response": "Response"}
ZEROS = [f"{share:g}" for share in SPARSITIES]
USUAL = "0.5"
ABOUT = (
    "Every model takes the likeliest word at every step; marked words differ from the dense text. Weights are chosen "
    "in one look at the dense model; the Prune page goes layer by layer, and measures the cost."
)
IMPRESSION = (
    "Both models take the likeliest word at every step. Weights are chosen in one look at the dense model on the "
    "bundled text, whatever the calibration above. One text is an impression: the numbers are under Results."
)
WORDS = "The old clockmaker opened the door of her shop and"
OWN = "own"
KEPT = 60  # texts of the reader's own
LOOK = 0.4  # seconds between two looks at what is not written yet


def stored() -> dict[Prompt, Generated]:
    """The committed texts."""
    return _stored(str(scenes.folder()))


@st.cache_resource(max_entries=2, show_spinner=False)
def _stored(folder: str) -> dict[Prompt, Generated]:
    return scenes.written()


def show() -> None:
    """The prompts, the slider, and what each model writes."""
    st.header("How does pruning change what the model writes?", anchor=False)
    own, known = view.text("write", "").strip(), stored() | _kept()
    prompts = dict.fromkeys(each.prompt for each in stored())
    stories = {str(at): _continued(words, known) for at, words in enumerate(prompts, 1)}
    if own:
        stories[OWN] = _continued(own, known, own=True)
    place = st.container()
    st.text_input("Or type your own words", key="write", placeholder="Once a year the whole village", on_change=_typed)
    if stories:
        with place:
            story, zeros = _draw(stories)
        if story == OWN:
            _write(own, float(zeros))
    st.caption(ABOUT)


def _draw(stories: dict[str, Continued]) -> tuple[str, str]:
    """Draw the texts; which story is chosen, and which sparsity."""
    names = list(stories)
    story, zeros = view.sync("story", names, names[0]), view.sync("zeros", ZEROS, USUAL)
    state = {"prompt": names.index(story), "zeros": ZEROS.index(zeros)}

    def moved(chosen: dict[str, int]) -> None:
        st.session_state.update({"story": names[chosen["prompt"]], "zeros": ZEROS[chosen["zeros"]]})

    texts.draw(list(stories.values()), SPARSITIES, METHODS, state, moved, view.look())
    return story, zeros


def _typed() -> None:
    """The reader's own words are shown once they are typed."""
    if st.session_state["write"].strip():
        st.session_state["story"] = OWN


def _kept() -> dict[Prompt, Generated]:
    return st.session_state.setdefault("lab texts", {})


def _continued(words: str, known: dict[Prompt, Generated], own: bool = False) -> Continued:
    """A prompt with all that is known to follow it."""
    found = {name: [known.get(prompt(words, name, share)) for share in SPARSITIES] for name in ALLOCATIONS}
    dense = next((each.dense for row in found.values() for each in row if each), None)
    return Continued(words, dense, {name: [each and each.pruned for each in row] for name, row in found.items()}, own)


def _write(words: str, share: float) -> None:
    """Ask for the reader's own texts, one after the other, and look until they have come."""
    try:
        asked = {label: prompt(words, name, share) for name, label in METHODS.items()}
    except UserError as error:
        frame.error(error)
        return
    missing = {label: each for label, each in asked.items() if each not in _kept()}
    if missing:
        label, first = next(iter(missing.items()))
        at = list(METHODS.values()).index(label) + 1
        _wait(first, f"Writing text {at} of {len(METHODS)}, pruned by {label}.")


def under(setting: Setting, asked: Callable[[str], Prompt]) -> None:
    """What the model in view writes after the reader's words, dense and pruned by one setting.

    Args:
        asked: makes the question from the words.
    """
    words = view.text("prompt", WORDS)
    st.text_area("Prompt", key="prompt", height=80)
    st.markdown(f"**Pruned model:** {plain(naming.setting(setting))}")
    question, found = None, None
    try:
        question = asked(words)
        found = _kept().get(question)
    except UserError as error:
        frame.error(error)
    if found:
        _side_by_side(found)
    elif question and st.session_state.get("prompt asked") == question:
        _wait(question, "Writing the text.")
    else:
        ask = partial(st.session_state.update, {"prompt asked": question})
        buttons.button("Generate text", ask, icon=":material/edit_note:", disabled=question is None, key="write")
    st.caption(IMPRESSION)


def _side_by_side(found: Generated) -> None:
    """Two texts after one prompt; as plain text, for a model may write anything."""
    texts_of = {"dense": found.dense, "pruned": found.pruned}
    for place, (name, text) in zip(st.columns(2), texts_of.items(), strict=True):
        with place.container(border=True):
            st.markdown(f"**{name}**")
            st.text(text.strip() or "nothing: its first logits are not finite, or it stops at once")


def _wait(asked: Prompt, running: str) -> None:
    """Ask for a text, and look until it has come.

    Args:
        running: is said once it is written.
    """
    future = warm.generate(asked, answers.tab().reader)
    st.fragment(run_every=LOOK)(_writing)(asked, future, running)


def _said(future: Future, running: str) -> str:
    """What the reader's next text waits for."""
    if warm.state() != "ready":
        return "The model is loading, a few seconds. Your words are next."
    ahead = warm.ahead(future)
    return f"{several(ahead, 'question')} ahead of yours." if ahead else running


def _writing(asked: Prompt, future: Future, running: str) -> None:
    if not future.done():
        st.caption(f":material/hourglass: {_said(future, running)}")
        return
    if not future.cancelled():
        try:
            _kept()[asked] = future.result()
        except UserError as error:
            frame.error(error)
            return
        while len(_kept()) > KEPT:
            del _kept()[next(iter(_kept()))]
    st.rerun()
