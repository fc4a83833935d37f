"""Type a sentence, hurt one layer, and watch what the network does with it."""

import streamlit as st

from pages.ui import frame, view
from pages.ui.lab import answering, asking
from pages.ui.live import lab

st.title("What does the network do with damage?", anchor=False)
st.markdown("Type a sentence, hurt one layer, and watch the damage run up through the layers to the next word.")
typed = asking.sentence()
opening, scene = next(iter(asking.examples().items()))
asked = asking.asked(typed, scene.layers)
answers = answering.answers(asked)
fallback = answering.name(asked)
if fallback not in answers:
    fallback = "example"
    answers["example"] = answering.answered(opening, scene)
view.write()
lab.draw(typed, asked.state, asking.KINDS, answers, fallback, view.look(), asking.moved, frame.go_on if frame.is_first_paint() else None)
