"""Choose a model, a text and perturbations; see what it costs; run it, and watch it from any tab."""

import streamlit as st

from core.ask.commands import command_line
from core.base.errors import UserError
from core.models import work
from core.store import profiles
from core.store.cache import Store
from pages.ui import buttons, frame, glossary, measuring, watch

store = Store()


def decide() -> None:
    """The form, Run beside what it costs, and the command that does the same."""
    try:
        asked, device = measuring.measurement()
        expected = work.estimate(asked, store, device)
    except UserError as error:
        frame.error(error)
        buttons.button("Run measurement", lambda: None, disabled=True, key="run")
        return
    found = store.find(asked) or profiles.committed(store, asked)
    with st.container(horizontal=True, vertical_alignment="center"):
        if found:
            st.success("Already measured: open it, or choose something else to measure.")
            watch.open_profile(found.key, "Open on the Absorption page")
        else:
            buttons.button("Run measurement", watch.begin, [asked, device], icon=":material/play_arrow:", key="run")
            st.markdown(work.words(expected))
    frame.command(command_line(asked, device, store.elsewhere))


st.title("Measure a model", anchor=False)
st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
glossary.words(("perturbation", "gaussian", "covariance", "residual", "skip", "positions", "layer", "linear"))
job = watch.watched()
if job:
    watch.panel(job)
with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
    decide()
