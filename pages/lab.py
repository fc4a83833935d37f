"""Type a sentence, hurt one layer, and watch what the network does with it."""

import streamlit as st

from core.base.errors import UserError
from pages.ui import frame, view
from pages.ui.lab import answering, continuing, question, taking
from pages.ui.live import grid

ABOUT = (
    "SmolLM2-135M-Instruct, 30 layers, dequantised from Q4_1, live on this computer. One sentence is an example, not a "
    "measurement."
)

st.title("What does the network do with damage?", anchor=False)
st.markdown("Type a sentence, click a layer to hurt it, and watch the damage run up to the next word.")
field, status = st.columns([5, 2], vertical_alignment="center")
with field:
    typed = question.sentence()
asked = question.asked(typed)
try:
    (answers, stage), error = answering.answers(asked), None
except UserError as refused:
    answers, stage, error = {}, answering.REFUSED, str(refused)
own = answers.get(answering.name(asked))
view.write()
with status:
    answering.standing(asked, stage)
if error:
    frame.error(error)
if own is None:
    instead = answering.example()
    if instead is None:
        view.end()
    answers[answering.EXAMPLE] = instead
drawn = answering.drawn if frame.is_first_paint() else None
grid.draw(asked.sentence, asked.state, question.KINDS, answers, answering.EXAMPLE, view.look(), question.moved, drawn)
if frame.is_first_paint():
    view.end()
with st.container(horizontal=True, vertical_alignment="center"):
    taking.on_absorption(asked)
    st.caption(ABOUT)
if own is not None:
    taking.numbers(asked, own)
continuing.show()
