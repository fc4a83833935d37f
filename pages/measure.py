"""Choose a model, a text and perturbations; see what it costs; run it, and watch it from any tab."""

import streamlit as st

from core.ask.commands import command_line
from core.base.errors import UserError
from core.models import work
from core.store import profiles
from core.store.cache import Store
from pages.ui import buttons, frame, glossary, measuring, watch

store = Store()


def run(choice: measuring.Choice) -> None:
    """Measure what was chosen, and watch it."""
    watch.begin(choice.request, choice.device, choice.engine)


def decide() -> None:
    """The form, Run beside what it costs, and the command that does the same."""
    choice, expected, found, trouble = None, None, None, None
    try:
        choice = measuring.measurement()
        expected = work.estimate(choice.request, store, choice.device)
        found = store.find(choice.request) or profiles.committed(store, choice.request)
    except UserError as error:
        choice, trouble = None, str(error)
    with st.container(horizontal=True, vertical_alignment="center"):
        if found:
            st.success("Already measured: open it, or choose something else to measure.")
            watch.open_profile(found.key, "Open on the Absorption page")
        else:
            play = ":material/play_arrow:"
            buttons.button("Run measurement", run, [choice], icon=play, disabled=choice is None, key="run")
        if trouble:
            frame.error(trouble)
        elif not found:
            st.markdown(work.words(expected))
    if choice:
        line = command_line(choice.request, choice.device, store.elsewhere, engine=choice.engine)
        frame.command(line)


st.title("Measure a model", anchor=False)
st.caption("Perturb every layer in turn and see which layers amplify the damage and which absorb it.")
glossary.words(("perturbation", "gaussian", "covariance", "residual", "skip", "positions", "layer", "linear"))
job = watch.watched()
if job:
    watch.panel(job)
with st.expander("Measure something else", expanded=job.status.bad_request) if job else st.container():
    decide()
if job:
    watch.picture(job)
