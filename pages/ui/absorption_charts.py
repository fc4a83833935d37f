"""Chart groups of the Absorption page, drawn one at a time, and a table of every perturbation's verdict."""

from dataclasses import replace
from functools import lru_cache, partial

import pandas as pd
import streamlit as st

from core.base import UserError, checked, escape_markdown, profile_names, sentence, text_name
from core.methods import Checkpoint
from core.models import machine
from core.models.sources import text_is_here
from core.requests import MeasureRequest, WindowRequest, absolute
from core.requests.measurements import measurements
from core.show import figures, words
from core.show.figures import Chart
from core.show.figures.charts import CHECKS, COMPARED, GAIN, GLANCE, GROUPS, PARTS, WHY, ChartRow
from core.show.figures.style import KEY, TOP, InView
from core.show.lessons.shared import sketched_twin, with_parts
from core.show.report import remake
from core.show.words import gain_sentences
from core.store import Profile, Store
from pages.ui import current_profile, form, layout, watch
from pages.ui.live import overview

ABOUT_STATISTICS = (
    "The mean of ratios is the paper's coefficient, which we know from secondary sources only. Verdicts always use the "
    "geometric mean."
)
SCROLLED = 430  # px of the table of verdicts


# --- another checkpoint beside the model ---------------------------------------------------------------------------

UNKNOWN = "This profile does not say where its model lies: measure the model here to compare a checkpoint with it."
CHECKPOINT = {
    "placeholder": "a folder, a .gguf file or a Hub id",
    "help": "A pruned or quantised export or a fine-tune: the same architecture and the same vocabulary.",
    "width": 420,
}


def ask(profile: Profile) -> None:
    """Draw the field for another checkpoint and the button that compares it with the model in view."""
    if not profile.provenance.get("model_source"):
        st.caption(UNKNOWN)
        return
    watch.watched()
    typed = form.words("Checkpoint to compare with this model", "other", **CHECKPOINT).strip()
    label, key, device = "Run comparison", "compare-run", machine.devices()[0]
    if not typed:
        st.button(label, key=key, disabled=True)
    elif entry := watch.ask(partial(request, profile, typed), partial(_about, profile, device), device, label, key):
        watch.open_profile(entry.key, "Open the comparison", group=COMPARED)


def request(profile: Profile, typed: str) -> MeasureRequest:
    """The request that takes each layer of the profile's model from another checkpoint, on the profile's text.

    Where that text is not on this machine, the bundled one takes its place.

    Raises:
        UserError: the provenance of the profile makes no request.
    """
    measured = remake.request_of_profile(profile.entry)
    source = absolute(measured.text.source)
    text = measured.text.replace(source=source) if text_is_here(source) else WindowRequest()
    taken = measurements([checked(Checkpoint, source=absolute(typed))])
    return measured.replace(model=absolute(measured.model), text=text, measurements=taken)


def _about(profile: Profile, device: str, request: MeasureRequest) -> None:
    """Draw which text both models read, the reason if it is not the profile's, and the cost."""
    text, named = request.text, remake.request_of_profile(profile.entry).text.source
    why = "" if absolute(named) == text.source else f", because {text_name(named)} is not on this machine"
    reads = f"Both models read {text_name(text.source)}, {text.sequences} × {text.length} tokens{why}."
    layout.caption(f"{reads} {watch.expected(request, device)}")


def offer_stored(profile: Profile) -> bool:
    """Draw links to the stored comparisons of the model in view; return whether there are any."""
    alike = Store().of_model(profile.spec.model)
    comparisons = [entry for entry in alike if entry.spec.others and entry.key != profile.key]
    if comparisons:
        st.caption("Stored comparisons of this model")
    for entry in comparisons:
        watch.open_profile(entry.key, escape_markdown(profile_names.comparison(words.described(entry))), group=COMPARED)
    return bool(comparisons)


# --- the sections ---------------------------------------------------------------------------------------------------


def show(group: str, view: InView, prefix: str) -> None:
    """Draw a group: its choices, its charts two in a row, and its tables or links below."""
    rows, twin = GROUPS[group], None
    if group == GAIN:  # which asks how gains are averaged
        with layout.row("top"):
            form.segments("Average over tokens", figures.STATISTICS, "statistic", help=ABOUT_STATISTICS)
            twin = compare_with(view.name)
    if group == WHY and view.profile.sketch and (other := sketched_twin(Store(), view.profile)):
        twin = current_profile.load(other.key)
    if group == COMPARED:
        ask(view.profile)
        stored = offer_stored(view.profile)
        if view.name not in view.profile.others:
            rows = rows[: bool(view.profile.others or not stored)]  # says what to do; the others would say the same
    lacks_parts = group == PARTS and not any(each.kind == "skip_part" for each in view.profile.perturbations.values())
    if lacks_parts:
        rows = rows[:1]
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                chart(row, replace(view, twin=twin), prefix)
    if lacks_parts and (measured := with_parts(Store(), view.profile)):
        watch.open_profile(measured.key, "Parts of this model were measured on another text", group=PARTS)
    if group == CHECKS:
        layout.header("What does the network do with each perturbation?")
        alt = "What the network does with each perturbation, in a sentence"
        perturbations = view.profile.perturbations.items()
        verdicts = [
            (words.perturbation(each), gain_sentences.of_perturbation(view.profile, name))
            for name, each in perturbations
        ]
        # a grid would cut the sentences
        st.table(pd.DataFrame(verdicts, columns=["perturbation", "verdict"]), height=SCROLLED, hide_index=True, alt=alt)


def chart(row: ChartRow, view: InView, prefix: str) -> None:
    """Draw a chart, or say what to measure for it."""
    try:
        drawn = _drawn(row, view)
    except UserError as lacking:
        st.subheader(row.question, anchor=False)
        layout.note(sentence(lacking))
        return
    layout.show(drawn, prefix, row.key, on_select=pick_clicked if row.key == "matrix" else None, brief=True)


@lru_cache
def _drawn(row: ChartRow, view: InView) -> Chart:
    """A chart, built once for all runs of the page and all readers of the same view."""
    drawn = row.draw(view)
    if row.group == GLANCE:
        drawn.figure.layout.height = KEY - TOP + overview.HEIGHT
    return drawn


def compare_with(name: str) -> Profile | None:
    """The picker of a second profile for the gain chart."""
    profiles = current_profile.others()
    if not profiles:
        return None
    twin = form.choice("Compare with", {None: "no other profile", **profiles}, "compare", None, width=360)
    other = None
    with layout.shortages():
        other = current_profile.load(twin) if twin else None
    if other and name not in other.by_name:
        st.caption("The other profile does not hold this perturbation: measure it there to compare.")
    return other


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
