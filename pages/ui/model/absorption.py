"""The absorption part of the Model page: layers that amplify and layers that absorb, at every measured size."""

import math

import streamlit as st

from core.base import OUTDATED, escape_markdown
from core.plan import Gains, gains_of
from core.show import words
from core.show.figures.charts import COMPARED, GLANCE, GROUPS, InView
from core.show.report import claims
from core.show.words import gain_sentences
from core.store import Profile
from pages.ui import choices, current_profile, form, layout, url_state
from pages.ui.live import overview
from pages.ui.model import charts

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
        charts.chart(GROUPS[GLANCE][0], view, prefix)
    st.segmented_control(
        "What to look at", groups, key="group", required=True, label_visibility="collapsed", width="stretch"
    )
    charts.show(group, view, prefix)
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
