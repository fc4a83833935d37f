"""Type a sentence, hurt one layer, and watch what the network does with it."""

import streamlit as st

from core.specs.errors import UserError
from core.specs.formats import capital
from pages.ui import frame, view
from pages.ui.lab import answering, asking, taking, writing
from pages.ui.live import lab

ABOUT = (
    "SmolLM2-135M-Instruct, 30 layers, dequantised from Q4_1, live on this computer. One sentence is an example, not a "
    "measurement."
)

st.title("What does the network do with damage?", anchor=False)
st.markdown("Type a sentence, hurt one layer, and watch the damage run up through the layers to the next word.")
field, status = st.columns([5, 2], vertical_alignment="center")
with field:
    typed = asking.sentence()
asked = asking.asked(typed)
try:
    answers, error = dict(answering.answers(asked)), None
except UserError as refused:
    answers, error = {}, f"{capital(str(refused))}."
own = answers.get(answering.name(asked))
view.write()
with status:
    answering.standing(asked, error)
if error:
    st.error(error)
if own is None:
    instead = answering.example()
    if instead is None:
        view.end()
    answers[answering.EXAMPLE] = instead
drawn = answering.drawn if frame.is_first_paint() else None
lab.draw(asked.sentence, asked.state, asking.KINDS, answers, answering.EXAMPLE, view.look(), asking.moved, drawn)
if frame.is_first_paint():
    view.end()
with st.container(horizontal=True, vertical_alignment="center"):
    taking.on_absorption(asked)
    st.caption(ABOUT)
if own is not None:
    taking.numbers(asked, own)
writing.show()
