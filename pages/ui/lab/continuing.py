"""What the dense and the pruned models write: three prompts that are stored, and the reader's own."""

from __future__ import annotations

from concurrent.futures import Future

import streamlit as st

from core.jobs import warm
from core.specs.errors import UserError
from core.specs.lab import ALLOCATIONS, SPARSITIES, Prompt, prompt
from core.store import scenes
from core.store.scenes import Generated
from pages.ui import view
from pages.ui.lab import answering
from pages.ui.live import texts
from pages.ui.live.texts import Chosen, Continued, Method

METHODS = [Method("uniform", "Uniform"), Method("owl", "OWL"), Method("response", "Response")]
USUAL = SPARSITIES.index(0.7)
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
    prompts = list(dict.fromkeys(each.prompt for each in stored()))
    st.header("How does pruning change what the model writes?", anchor=False)
    own = view.text("write", "").strip()
    stories = [str(at + 1) for at in range(len(prompts))] + [OWN] * bool(own)
    story = stories.index(view.sync("story", stories, "1"))
    zeros = view.sync("zeros", [f"{share:g}" for share in SPARSITIES], f"{SPARSITIES[USUAL]:g}")
    chosen = Chosen(story, [f"{share:g}" for share in SPARSITIES].index(zeros))
    place = st.container()
    st.text_input("Or type your own words", key="write", placeholder="Once a year the whole village", on_change=_typed)
    known = stored() | _kept()
    shown = [_continued(each, known) for each in prompts]
    if own:
        shown.append(_continued(own, known, own=True))
    with place:
        texts.draw(shown, SPARSITIES, METHODS, chosen, lambda chosen: _chosen(stories, chosen))
    if stories[story] == OWN:
        _write(own, SPARSITIES[chosen.zeros])
    st.caption(
        "Every model takes the likeliest word at every step; marked words differ from the dense text. One text is an "
        "impression: the Prune page measures the cost."
    )


def _typed() -> None:
    """The reader's own words are shown once they are typed."""
    if st.session_state["write"].strip():
        st.session_state["story"] = OWN


def _chosen(stories: list[str], chosen: Chosen) -> None:
    st.session_state.update({"story": stories[chosen.prompt], "zeros": f"{SPARSITIES[chosen.zeros]:g}"})


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
        asked = [prompt(words, name, share) for name in ALLOCATIONS]
    except UserError as error:
        st.error(str(error))
        return
    missing = [each for each in asked if each not in _kept()]
    if missing:
        future = warm.generate(missing[0], answering.tab().reader)
        st.fragment(run_every=LOOK)(_writing)(missing[0], future, len(asked) - len(missing))


def _writing(asked: Prompt, future: Future, done: int) -> None:
    if not future.done():
        st.caption(f":material/hourglass: Writing, {done} of {len(METHODS)} done.")
        return
    if not future.cancelled():
        try:
            _kept()[asked] = future.result()
        except UserError as error:
            st.error(str(error))
            return
        while len(_kept()) > KEPT:
            del _kept()[next(iter(_kept()))]
    st.rerun()
