"""Another checkpoint beside the model in view: which one, what it costs to compare them, and the run."""

from __future__ import annotations

import streamlit as st

from core.figures.charts import COMPARED
from core.models import cost, machine
from core.report import remake
from core.specs import Checkpoint, MeasureRequest, UserError, checked, measurements
from core.specs.typed import absolute
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import buttons, frame, view, watch
from pages.ui.prune import costing

IMPORTED = "This profile was imported: measure its model here to compare a checkpoint with it."


def ask(profile: Profile) -> None:
    """Where another checkpoint lies, and the button that compares it with the model in view on the same text."""
    if profile.entry.packs or not profile.provenance.get("model_source"):
        st.caption(IMPORTED)
        return
    job = watch.watched()
    if job:
        watch.panel(job)
    typed = view.text("other", "").strip()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Checkpoint to compare with this model",
            key="other",
            placeholder="a folder, a .gguf file or a Hub id",
            help="A pruned or quantised export or a fine-tune: the same architecture and the same vocabulary.",
            width=420,
        )
        try:
            _offer(request(profile, typed) if typed else None)
        except UserError as error:
            frame.error(error)


def request(profile: Profile, typed: str) -> MeasureRequest:
    """Every layer of the profile's model taken from another checkpoint, on the profile's text.

    Raises:
        UserError: the provenance of the profile makes no request.
    """
    asked = remake.as_told(profile.entry)
    text = asked.text.model_copy(update={"source": absolute(asked.text.source)})
    taken = measurements([checked(Checkpoint, source=absolute(typed))])
    return asked.model_copy(update={"model": absolute(asked.model), "text": text, "measurements": taken})


def _offer(asked: MeasureRequest | None) -> None:
    store, device = Store(), machine.devices()[0]
    found = asked and store.find(asked)
    if found:
        watch.open_profile(found.key, "Open the comparison", group=COMPARED)
        return
    buttons.button("Run comparison", watch.begin, [asked, device], disabled=asked is None, key="compare-run")
    if asked:
        expected = cost.estimate(asked, store, device)
        st.caption(cost.words(expected) if expected else costing.UNKNOWN)
