"""Choose a model, a text and perturbations; see what it costs; run it, and watch it from any tab."""

import streamlit as st

from core.models import run_cost
from core.requests.commands import command_line
from core.store import Store
from pages.ui import glossary, layout, measurement_form, watch

store = Store()


def about(asked):
    """What the measurement costs, and the command that does the same."""
    st.markdown(run_cost.words(run_cost.estimate(asked, store, device)))
    layout.command(command_line(asked, device, store.elsewhere))


layout.title("Measure a model")
st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
glossary.words("perturbation, gaussian, covariance, residual, skip, positions, layer, linear")
job = watch.watched()
with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
    read, device = measurement_form.measurement()
    if found := watch.ask(read, about, device, "Run measurement", "run"):
        watch.open_profile(found.key, "Open on the Absorption page")
