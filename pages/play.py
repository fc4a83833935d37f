"""The Play page: a model that writes while it is damaged; below, a sentence and the damage that spreads over it."""

from contextlib import suppress

import streamlit as st

from core.base import UserError
from core.lab import scheduler
from core.show.report import claims
from core.store import Store
from pages.ui import layout, url_state, watch
from pages.ui.lab import answers, question, talk
from pages.ui.live import grid

ABOUT = (
    "SmolLM2-135M-Instruct, 30 layers, dequantised from Q4_1, live on this computer. One sentence is an example, not a "
    "measurement."
)


def drawn() -> None:
    """The picture stands in a browser: the rest of the page follows, and the model gets ready."""
    layout.go_on()
    scheduler.wake()


layout.title("Break it while it talks")
talk.show(drawn if layout.is_first_paint() else None)
if layout.is_first_paint():
    url_state.end()
layout.header("What does the network do with damage?")
with st.container(key="intro"):
    st.markdown("Type a sentence, click a layer to hurt it, and watch the damage run up to the next word.")
typed = question.sentence()
question.examples()
status = st.container(key="status")
view = question.current_view(typed)
try:
    (scenes, stage), words, error = answers.answers(view), answers.words(view), None
except UserError as refused:
    scenes, stage, words, error = {}, answers.REFUSED, {}, str(refused)
own = scenes.get(answers.name(view))
url_state.write()
with status:
    answers.status(view, stage, words is None)
if error:
    layout.error(error)
if own is None:
    instead = answers.example()
    if instead is None:
        url_state.end()
    scenes[answers.EXAMPLE] = instead
grid.draw(view.sentence, view.state, question.KINDS, scenes, words or {}, answers.EXAMPLE, question.moved)
with layout.row():
    with suppress(UserError):  # no profile is committed
        entry, layer = Store().demo(), str(view.state.layer)
        choice = {"perturbation": view.word} if view.word in entry.spec.names else {}
        watch.open_profile(entry.key, f"Layer {layer} on Model, measured on many sentences", layer=layer, **choice)
        layout.link("evidence", claims.with_numbers(claims.LINK), {"question": claims.PAPER})
    st.caption(ABOUT)
