"""Choose a model, a text and perturbations; see what it costs; run it, and watch it from any tab."""

import streamlit as st

from core.ask.commands import command_line
from core.models import work
from core.store import Store
from pages.ui import frame, glossary, measuring, watch

store = Store()


def about(asked):
    """What the measurement costs, and the command that does the same."""
    st.markdown(work.words(work.estimate(asked, store, device)))
    frame.command(command_line(asked, device, store.elsewhere))


frame.title("Measure a model")
st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
glossary.words("perturbation, gaussian, covariance, residual, skip, positions, layer, linear")
job = watch.watched()
with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
    read, device = measuring.measurement()
    if found := watch.ask(read, about, device, "Run measurement", "run"):
        watch.open_profile(found.key, "Open on the Absorption page")
