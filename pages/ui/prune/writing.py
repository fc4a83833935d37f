"""The writing part of the prune page: the dense and the pruned model continue the same words."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.specs import UserError, WritingRequest, naming
from core.specs.formats import sentence
from core.specs.plain import plain
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import buttons, frame, view
from pages.ui.prune import costing
from pages.ui.prune.asking import Pruning

PROMPT = "The old clockmaker opened the door of her shop and"
ABOUT = (
    "Both models pick the likeliest token at every step, so the text is the same each time. One text is an "
    "impression, not a measurement: the numbers are under Results."
)


def show(how: Pruning, profile: Profile, run: Callable[[WritingRequest, str], None]) -> None:
    """The prompt, Run, and what both models wrote for the setting in view and for others."""
    prompt = view.text("prompt", PROMPT)
    st.text_area("Prompt", key="prompt", height=80)
    tokens = view.whole("tokens", 48, 1)
    st.number_input("Most tokens to generate", 1, 512, key="tokens")
    st.markdown(f"**Pruned model:** {plain(naming.setting(how.setting))}")
    request, found = None, None
    try:
        request = how.writing(prompt, tokens)
        found = Store().find(request)
    except UserError as error:
        frame.error(error)
    if found:
        side_by_side(found)
    else:
        costing.say(how, how.device)
        buttons.button(
            "Generate text",
            run,
            [request, how.device],
            icon=":material/edit_note:",
            disabled=request is None,
            key="write",
        )
    st.caption(ABOUT)
    others = [each for each in written(profile) if found is None or each.key != found.key]
    if others:
        with st.expander(f"Earlier texts ({len(others)})"):
            for entry in others:
                side_by_side(entry)


def written(profile: Profile) -> list[Entry]:
    """What was written by the model in view, newest first."""
    return [entry for entry in Store().entries("writing") if entry.spec.model.content == profile.spec.model.content]


def side_by_side(entry: Entry) -> None:
    """Two texts after one prompt; as plain text, for a model may write anything."""
    told = entry.provenance
    st.caption(plain(f"{told['setting']}; after “{told['prompt']}”{entry.mark}"))
    left, right = st.columns(2)
    for place, name in ((left, "dense"), (right, "pruned")):
        with place.container(border=True):
            st.markdown(f"**{name}**")
            st.text(told[name].strip() or "nothing: its first logits are not finite, or it stops at once")
    for warning in told.get("warnings", []):
        st.warning(plain(sentence(warning)))
