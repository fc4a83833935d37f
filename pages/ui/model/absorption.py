"""The absorption part of the Model page: layers that amplify and layers that absorb, at every measured size."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pandas as pd
import streamlit as st

from core.base import OUTDATED, UserError, escape_markdown, sentence
from core.plan import Gains, gains_of
from core.show import words
from core.show.figures import Chart
from core.show.figures.charts import CHECKS, COMPARED, GLANCE, GROUPS, PARTS, WHY, ChartRow
from core.show.figures.style import KEY, MOST_DRAWN, TOP, InView
from core.show.lessons.shared import sketched_twin, with_parts
from core.show.report import claims
from core.show.words import gain_sentences
from core.store import Profile, Store
from pages.ui import choices, current_profile, form, layout, url_state, watch
from pages.ui.live import overview

SCROLLED = 430  # px of the table of verdicts
STILL = "This perturbation changes nothing at any layer, so there is no drift to follow. Choose another one above."


def show() -> None:
    """Draw the finding and both pictures of the perturbation in view, then one group of charts."""
    profile = current_profile.profile()
    current_profile.heading("Which layers amplify, which absorb?", profile)
    name, other = perturbation(profile)
    gains = _finding(profile, name, other)
    if not any(map(math.isfinite, gains.value[:-1])):
        if profile.layers > 1:  # of a single one the headline says why
            st.info(STILL)
        url_state.end()
    groups = [each for each in GROUPS if each not in (GLANCE, COMPARED)]  # one is drawn, below what stands at the top
    group = choices.sync("group", groups, groups[0])
    view, prefix = InView(profile, name, current_profile.layer(profile)), f"{profile.key[:6]}-{name}"
    left, right = st.columns(2, gap="medium")
    with left:
        overview.gains(profile, name, other, view.layer, layout.file(prefix, "at-a-glance"))
    with right:
        chart(GROUPS[GLANCE][0], view, prefix)
    st.segmented_control(
        "What to look at", groups, key="group", required=True, label_visibility="collapsed", width="stretch"
    )
    _group(group, view, prefix)
    layout.link("evidence", f"{claims.TITLE} Claims about these numbers, tested", {"question": claims.PAPER})


def perturbation(profile: Profile) -> tuple[str, str | None]:
    """Draw the choice of a perturbation; return its name, and that of the same at the other positions."""
    bases = words.by_positions(profile)
    preferred = current_profile.PREFERRED_PERTURBATION
    with layout.row("bottom"):
        named = {base: profile.perturbations[next(iter(at.values()))].label for base, at in bases.items()}
        first = preferred if preferred in bases else next(iter(bases))
        places = bases[form.choice("Damage done to one layer", named, "perturbation", first, width=320)]
        positions = next(iter(places))
        if len(places) > 1:
            positions = form.switch("Applied to", words.POSITIONS, "positions", "after_first")
    return places[positions], next((each for at, each in places.items() if at != positions), None)


def _finding(profile: Profile, name: str, other: str | None) -> Gains:
    """Draw the headline of a perturbation, what the first token changes of it, and its caveats."""
    gains, chosen = gains_of(profile.seeds(name)), profile.perturbations[name]
    headline = f"{gain_sentences.headline(gains)}: {chosen.label}."
    if other:
        included = getattr(chosen, "positions", "all") == "all"
        headline += f" {gain_sentences.first_token(gains, gains_of(profile.seeds(other)), included)}"
    layout.header(escape_markdown(headline), help=gain_sentences.RULE)
    unit = next(profile.spec.unit(each) for each in profile.spec.measurements if each.perturbation.name == name)
    for caveat in filter(None, (gain_sentences.rounding(profile), unit.is_outdated and OUTDATED)):
        layout.caption(caveat)
    return gains


# --- charts of one group ---------------------------------------------------------------------------------------------


def _group(group: str, view: InView, prefix: str) -> None:
    """Draw a group: its choices, its charts two in a row, and its tables or links below."""
    rows, twin = GROUPS[group], None
    if group == WHY and view.profile.sketch and (other := sketched_twin(Store(), view.profile)):
        twin = current_profile.load(other.key)
    lacks_parts = group == PARTS and not any(each.kind == "skip_part" for each in view.profile.perturbations.values())
    pairs(rows[:1] if lacks_parts else rows, replace(view, twin=twin), prefix)
    if lacks_parts and (measured := with_parts(Store(), view.profile)):
        watch.open_profile(measured.key, "Parts of this model were measured on another text", group=PARTS)
    if group == CHECKS:
        _verdicts(view.profile)


def pairs(rows: Sequence[ChartRow], view: InView, prefix: str) -> None:
    """Draw charts two in a row."""
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                chart(row, view, prefix)


def _verdicts(profile: Profile) -> None:
    layout.header("What does the network do with each perturbation?")
    alt = "What the network does with each perturbation, in a sentence"
    verdicts = [
        (words.perturbation(each), gain_sentences.of_perturbation(profile, name))
        for name, each in profile.perturbations.items()
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


@lru_cache(maxsize=MOST_DRAWN)
def _drawn(row: ChartRow, view: InView) -> Chart:
    """A chart, built once for all runs of the page and all readers of the same view."""
    drawn = row.draw(view)
    if row.group == GLANCE:
        drawn.figure.layout.height = KEY - TOP + overview.HEIGHT
    return drawn


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
