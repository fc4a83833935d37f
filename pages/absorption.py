"""The Absorption page: layers that amplify and layers that absorb, at every measured size."""

import math

import streamlit as st

from core.base import OUTDATED, escape_markdown
from core.plan import gains_of
from core.show import figures, words
from core.show.figures.charts import COMPARED, GAIN, GLANCE, GROUPS, InView
from core.show.report import claims
from core.show.words import gain_sentences
from pages.ui import absorption_charts, choices, current_profile, form, glossary, layout, url_state
from pages.ui.live import overview

TERMS = "drift, gain, absorption, verdict, positions, dilution, harm, nats, rank correlation, noise floor, sketch"
STILL = "This perturbation changes nothing at any layer, so there is no drift to follow. Choose another one above."


profile = current_profile.profile()
current_profile.heading("Which layers amplify, which absorb?", profile)
bases = words.by_positions(profile)
with layout.row("bottom"):
    first = (
        current_profile.PREFERRED_PERTURBATION if current_profile.PREFERRED_PERTURBATION in bases else next(iter(bases))
    )
    named = {base: profile.perturbations[next(iter(at.values()))].label for base, at in bases.items()}
    places = bases[form.choice("Perturbation of one layer", named, "perturbation", first, width=320)]
    positions = next(iter(places))
    if len(places) > 1:
        positions = form.switch("Applied to", words.POSITIONS, "positions", "after_first")
    glossary.words(TERMS)
name = places[positions]
other = next((each for at, each in places.items() if at != positions), None)  # the same at the other positions
gains, perturbation = gains_of(profile.seeds(name)), profile.perturbations[name]
headline = f"{gain_sentences.headline(gains)}: {perturbation.label}."  # and what the first token changes
if other:
    included = getattr(perturbation, "positions", "all") == "all"
    headline += f" {gain_sentences.first_token(gains, gains_of(profile.seeds(other)), included)}"
layout.header(escape_markdown(headline), help=gain_sentences.RULE)
unit = next(profile.spec.unit(each) for each in profile.spec.measurements if each.perturbation.name == name)
for caveat in filter(None, (gain_sentences.rounding(profile), unit.is_outdated and OUTDATED)):
    layout.caption(caveat)
if not any(map(math.isfinite, gains.value[:-1])):
    if profile.layers > 1:  # of a single one the headline says why
        st.info(STILL)
    if name in profile.others:  # the last layer and what lies outside the layers may differ all the same
        absorption_charts.show(COMPARED, InView(profile, name, current_profile.layer(profile)), name)
    url_state.end()
groups = [each for each in GROUPS if each != GLANCE]  # one of them is drawn, below what stands at the top
group = choices.sync("group", groups, groups[0])
statistic = choices.sync("statistic", list(figures.STATISTICS), "geometric", drawn=group == GAIN)
layer = current_profile.layer(profile)
prefix = f"{profile.key[:6]}-{name}"

left, right = st.columns(2, gap="medium")
with left:
    overview.gains(profile, name, other, statistic, layer, layout.file(prefix, "at-a-glance"))
view = InView(profile, name, layer, statistic)
with right:
    absorption_charts.chart(GROUPS[GLANCE][0], view, prefix)
st.segmented_control(
    "What to look at", groups, key="group", required=True, label_visibility="collapsed", width="stretch"
)
absorption_charts.show(group, view, prefix)
layout.link("evidence.py", f"{claims.TITLE} Claims about these numbers, tested", {"question": claims.PAPER})
