"""The Measure page: choose a model, a text and perturbations, see the cost, run it, and watch it from any tab."""

import streamlit as st

from core.jobs import cost
from core.requests.commands import command_line
from core.store import Store
from pages.ui import glossary, layout, measurement_form, watch

store = Store()


def about(request):
    """Draw the cost of the measurement, and the command that does the same."""
    st.markdown(cost.words(cost.estimate(request, store, device)))
    layout.command(command_line(request, device, store.elsewhere))


layout.title("Measure a model")
st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
glossary.words("perturbation, gaussian, covariance, residual, skip, positions, layer, linear")
job = watch.watched()
with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
    read, device = measurement_form.measurement()
    if entry := watch.ask(read, about, device, "Run measurement", "run"):
        watch.open_profile(entry.key, "Open on the Absorption page")
