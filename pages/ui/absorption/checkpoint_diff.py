"""Another checkpoint beside the model in view: which one, what it costs to compare them, the run, and stored ones."""

import streamlit as st

from core.ask import MeasureRequest, WindowRequest
from core.ask.measurements import measurements
from core.ask.typed import absolute
from core.base import UserError, checked, plain, profile_names, text_name
from core.kinds import Checkpoint
from core.models import machine, work
from core.models.sources import text_is_here
from core.show import words
from core.show.figures.charts import COMPARED
from core.show.report import remake
from core.store import Profile, Store
from pages.ui import frame, view, watch

IMPORTED = "This profile was imported: measure its model here to compare a checkpoint with it."


def ask(profile: Profile) -> None:
    """Where another checkpoint lies, and the button that compares it with the model in view, or the way to that."""
    if profile.entry.packs or not profile.provenance.get("model_source"):
        st.caption(IMPORTED)
        return
    watch.watched()
    typed = view.text("other", "").strip()
    store, device = Store(), machine.devices()[0]
    asked, found, said, trouble = None, None, "", None
    try:
        if typed:
            asked = request(profile, typed)
            found, said = store.find(asked), _said(profile, asked, work.estimate(asked, store, device))
    except UserError as error:
        asked, trouble = None, error
    with frame.row("bottom"):
        st.text_input(
            "Checkpoint to compare with this model",
            key="other",
            placeholder="a folder, a .gguf file or a Hub id",
            help="A pruned or quantised export or a fine-tune: the same architecture and the same vocabulary.",
            width=420,
        )
        if found:
            watch.open_profile(found.key, "Open the comparison", group=COMPARED)
        else:
            frame.button("Run comparison", watch.begin, [asked, device], disabled=asked is None, key="compare-run")
    if trouble:
        frame.error(trouble)
    elif said and not found:
        st.caption(plain(said))


def request(profile: Profile, typed: str) -> MeasureRequest:
    """Every layer of the profile's model taken from another checkpoint, on the profile's text.

    Where that text is not on this machine, the bundled one takes its place.

    Raises:
        UserError: the provenance of the profile makes no request.
    """
    asked = remake.as_told(profile.entry)
    source = absolute(asked.text.source)
    text = asked.text.replace(source=source) if text_is_here(source) else WindowRequest()
    taken = measurements([checked(Checkpoint, source=absolute(typed))])
    return asked.replace(model=absolute(asked.model), text=text, measurements=taken)


def _said(profile: Profile, asked: MeasureRequest, expected: work.Cost | None) -> str:
    """What both models read, why that is not the profile's text where it is not, and what it costs."""
    text, told = asked.text, remake.as_told(profile.entry).text.source
    why = "" if absolute(told) == text.source else f", because {text_name(told)} is not on this machine"
    reads = f"Both models read {text_name(text.source)}, {text.sequences} × {text.length} tokens{why}."
    return f"{reads} {work.words(expected)}"


def offer_stored(profile: Profile) -> bool:
    """Draw links to the stored comparisons of the model in view; return whether there are any."""
    alike = Store().of_model(profile.spec.model)
    found = [entry for entry in alike if entry.spec.others and entry.key != profile.entry.key]
    if found:
        st.caption("Stored comparisons of this model")
    for entry in found:
        watch.open_profile(entry.key, plain(profile_names.comparison(words.described(entry))), group=COMPARED)
    return bool(found)
