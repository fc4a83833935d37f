"""What is absorption? The idea in five sentences and one figure."""

import numpy as np
import streamlit as st

from core import absorption
from pages.ui import charts, frame, view, words

profile = view.profile()
view.heading("What is absorption?", profile)
name = "gaussian:0.3" if "gaussian:0.3" in profile.by_name else next(iter(profile.by_name))
seeds = profile.seeds(name)
found = absorption.gains(seeds)
low, high = int(np.nanargmin(found.value[:-1])), int(np.nanargmax(found.value[:-1]))


def fate(layer: int) -> str:
    """What became of the drift injected at a layer."""
    start, gain = found.drift[layer], found.value[layer]
    return f"{words.digits(start)} becomes {words.digits(start * gain)} (gain {words.times(gain)})"


disturbance = words.label(profile.perturbations[name])
st.markdown(
    f"""
1. A language model is a stack of layers, here {profile.layers}, and each reads a shared **stream** of numbers and adds
   to it.
2. Disturb the stream behind one layer (here: {disturbance}) and compare it at every later layer with the undisturbed
   run: their distance, relative to the stream, is the **drift**.
3. The drift at the last layer divided by the drift injected is the **gain** of that layer: above 1 the rest of the
   network *amplifies* the damage, below 1 it *absorbs* it.
4. Injected at layer {low}, a drift of {fate(low)} at the last layer; injected at layer {high}, {fate(high)}.
5. Pruning damages layers too, so a layer whose damage is absorbed might bear more of it: that is for measuring, not
   for believing, because less drift does not always mean a better output.
"""
)
frame.show(charts.curves(seeds, low, view.look()), profile.entry.key[:6], "learn-curves")
st.page_link("absorption.py", label="See every layer, size and control", icon=":material/arrow_forward:")
