"""Groups of charts of the Absorption page, one drawn at a time; a table of every perturbation's verdict."""

from dataclasses import replace
from functools import lru_cache, partial

import pandas as pd
import streamlit as st

from core.base import UserError, checked, plain, profile_names, sentence, text_name
from core.methods import Checkpoint
from core.models import machine, run_cost
from core.models.sources import text_is_here
from core.requests import MeasureRequest, WindowRequest
from core.requests.measurements import measurements
from core.requests.parsing import absolute
from core.show import figures, words
from core.show.figures import Chart
from core.show.figures.charts import CHECKS, COMPARED, GAIN, GLANCE, GROUPS, PARTS, ChartRow
from core.show.figures.style import KEY, TOP, InView
from core.show.lessons.absorption import with_parts
from core.show.report import remake
from core.show.words import gain_sentences
from core.store import Profile, Store
from pages.ui import current_profile, form, layout, url_state, watch
from pages.ui.absorption import overview

ABOUT_STATISTICS = (
    "The mean of ratios is the paper's coefficient, which we know from secondary sources only. Verdicts always use the "
    "geometric mean."
)
SCROLLED = 430  # px of the table of verdicts


# --- another checkpoint beside the model ---------------------------------------------------------------------------

IMPORTED = "This profile was imported: measure its model here to compare a checkpoint with it."
CHECKPOINT = {
    "placeholder": "a folder, a .gguf file or a Hub id",
    "help": "A pruned or quantised export or a fine-tune: the same architecture and the same vocabulary.",
    "width": 420,
}


def ask(profile: Profile) -> None:
    """Where another checkpoint lies, and the button that compares it with the model in view, or the way to that."""
    if profile.entry.packs or not profile.provenance.get("model_source"):
        st.caption(IMPORTED)
        return
    watch.watched()
    typed = form.words("Checkpoint to compare with this model", "other", **CHECKPOINT).strip()
    label, key, device = "Run comparison", "compare-run", machine.devices()[0]
    if not typed:
        st.button(label, key=key, disabled=True)
    elif found := watch.ask(partial(request, profile, typed), partial(_about, profile, device), device, label, key):
        watch.open_profile(found.key, "Open the comparison", group=COMPARED)


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


def _about(profile: Profile, device: str, asked: MeasureRequest) -> None:
    """What both models read, why that is not the profile's text where it is not, and what it costs."""
    text, told = asked.text, remake.as_told(profile.entry).text.source
    why = "" if absolute(told) == text.source else f", because {text_name(told)} is not on this machine"
    reads = f"Both models read {text_name(text.source)}, {text.sequences} × {text.length} tokens{why}."
    layout.caption(f"{reads} {run_cost.words(run_cost.estimate(asked, Store(), device))}")


def offer_stored(profile: Profile) -> bool:
    """Draw links to the stored comparisons of the model in view; return whether there are any."""
    alike = Store().of_model(profile.spec.model)
    found = [entry for entry in alike if entry.spec.others and entry.key != profile.key]
    if found:
        st.caption("Stored comparisons of this model")
    for entry in found:
        watch.open_profile(entry.key, plain(profile_names.comparison(words.described(entry))), group=COMPARED)
    return bool(found)


# --- the sections ---------------------------------------------------------------------------------------------------


def show(group: str, asked: InView, prefix: str) -> None:
    """A group: its charts two in a line, what is chosen for them above, and what belongs to it below."""
    rows, twin = GROUPS[group], None
    if group == GAIN:  # which asks how gains are averaged
        with layout.row("top"):
            url_state.switch("Average over tokens", figures.STATISTICS, "statistic", help=ABOUT_STATISTICS)
            twin = compare_with(asked.name)
    if group == COMPARED:
        ask(asked.profile)
        stored = offer_stored(asked.profile)
        if asked.name not in asked.profile.others:
            rows = rows[: bool(asked.profile.others or not stored)]  # says what to do; the others would say the same
    lacks_parts = group == PARTS and not any(each.kind == "skip_part" for each in asked.profile.perturbations.values())
    if lacks_parts:
        rows = rows[:1]
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                chart(row, replace(asked, twin=twin), prefix)
    if lacks_parts and (found := with_parts(Store(), asked.profile)):
        watch.open_profile(found.key, "Parts of this model were measured on another text", group=PARTS)
    if group == CHECKS:
        layout.header("What does the network do with each perturbation?")
        alt = "What the network does with each perturbation, in a sentence"
        known = asked.profile.perturbations.items()
        said = [(words.perturbation(each), gain_sentences.of_perturbation(asked.profile, name)) for name, each in known]
        # a grid would cut the sentences
        st.table(pd.DataFrame(said, columns=["perturbation", "verdict"]), height=SCROLLED, hide_index=True, alt=alt)


def chart(row: ChartRow, asked: InView, prefix: str) -> None:
    """A chart, or what to measure to have it."""
    try:
        drawn = _drawn(row, asked)
    except UserError as lacking:
        st.subheader(row.question, anchor=False)
        layout.note(sentence(lacking))
        return
    layout.show(drawn, prefix, row.key, on_select=pick_clicked if row.key == "matrix" else None, brief=True)


@lru_cache
def _drawn(row: ChartRow, asked: InView) -> Chart:
    """A chart, drawn once for all runs of the page and all readers of the same view."""
    drawn = row.draw(asked)
    if row.group == GLANCE:
        drawn.figure.layout.height = KEY - TOP + overview.HEIGHT
    return drawn


def compare_with(name: str) -> Profile | None:
    """The picker of a second profile for the gain chart."""
    known = current_profile.others()
    if not known:
        return None
    twin = form.choice("Compare with", {None: "no other profile", **known}, "compare", None, width=360)
    try:
        other = current_profile.load(twin) if twin else None
    except UserError as error:
        layout.error(error)
        return None
    if other and name not in other.by_name:
        st.caption("The other profile does not hold this perturbation: measure it there to compare.")
    return other


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
