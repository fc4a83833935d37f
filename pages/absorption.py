"""Which layers amplify, which absorb, and at what size?"""

import math

import streamlit as st

from core import figures
from core.analysis import absorption
from core.figures import labels
from core.specs.errors import UserError
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.absorption import overview, sections

PREFERRED = "gaussian:0.3"
ABOUT_STATISTICS = (
    "The mean of ratios is the paper's coefficient as we know it second-hand. Verdicts always use the geometric mean."
)
TERMS = (
    "drift",
    "gain",
    "absorption",
    "verdict",
    "positions",
    "dilution",
    "harm",
    "nats",
    "rank correlation",
    "noise floor",
)
ABOUT_VERDICTS = (
    "A layer amplifies or absorbs if the 95% interval of its gain over the n sequences lies more than 5% from 1, "
    f"corrected for asking about many layers (Holm). Below {absorption.FEWEST_SEQUENCES} sequences nothing is decided."
)


def choose(profile: Profile) -> tuple[str, str, int]:
    """Perturbation name, statistic and highlighted layer, held in the URL."""
    bases = labels.by_positions(profile)
    with st.container(horizontal=True, vertical_alignment="top"):
        base = view.sync("perturbation", list(bases), PREFERRED if PREFERRED in bases else next(iter(bases)))
        st.selectbox(
            "What is done to the layer",
            list(bases),
            key="perturbation",
            format_func=lambda name: labels.label(profile.perturbations[next(iter(bases[name].values()))]),
            width=340,
        )
        where = list(bases[base])
        positions = where[0]
        if len(where) > 1:
            positions = view.sync("positions", where, "after_first")
            view.switch("Noise at", labels.POSITIONS, "positions")
        statistic = view.sync("statistic", list(figures.STATISTICS), "geometric")
        view.switch("Gain as", figures.STATISTICS, "statistic", help=ABOUT_STATISTICS)
    return bases[base][positions], statistic, view.layer(profile)


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])


def compare_with(name: str) -> str | None:
    """The picker of a second profile for the gain chart: its key."""
    known = view.others()
    if not known:
        return None
    listed = {None: "nothing", **known}
    twin = view.sync("compare", list(listed), None)
    st.selectbox("Compare with", list(listed), key="compare", format_func=listed.get)
    try:
        if twin and name not in view.load(twin).by_name:
            st.caption("The other profile does not hold this perturbation: measure it there to compare.")
    except UserError as error:
        st.error(str(error))
        return None
    return twin


profile = view.profile()
view.heading("Which layers amplify, which absorb?", profile, TERMS)
name, statistic, layer = choose(profile)
seeds = profile.seeds(name)
look = view.look()
prefix = f"{profile.entry.key[:6]}-{name}"
gains = absorption.gains(seeds)
st.markdown(f"**{labels.label(profile.perturbations[name])}.** {absorption.finding(gains)}", help=ABOUT_VERDICTS)
if not any(map(math.isfinite, gains.value[:-1])):
    st.info("This changed nothing at any layer, so there is no drift to follow: choose something else above.")
    view.end()
numbers = overview.gains(profile, name, statistic, layer)
if frame.is_first_paint():
    view.end()
frame.numbers(numbers, "gain of each layer", frame.file(prefix, "at-a-glance"), "glance")

left, right = st.columns(2, gap="large")
with left:
    frame.show(figures.curves(seeds, layer, look), prefix, "curves")
with right:
    frame.show(figures.heatmap(seeds, profile.floor.drift, layer, look), prefix, "matrix", on_select=pick_clicked)

left, right = st.columns(2, gap="large")
with left:
    slot = st.container()
    twin = compare_with(name)
    with slot:
        frame.show(sections.gains_of_family(profile, name, statistic, layer, twin), prefix, "gains")
with right:
    sections.size_map(profile, name, statistic, layer)
with st.expander("The verdict on every perturbation measured"):
    frame.show_table(sections.verdicts(profile), "What the network does with each perturbation, in a sentence")

left, right = st.columns(2, gap="large")
with left:
    frame.show(figures.dilution(seeds, profile.activation, layer, look), prefix, "dilution")
with right:
    frame.show(figures.direction(seeds, layer, look), prefix, "direction")

frame.show(figures.harm(seeds, layer, look), prefix, "harm")

left, right = st.columns(2, gap="large")
with left:
    sections.first_token(profile, name, statistic, layer, prefix)
with right:
    sections.matched(profile, name, layer, prefix)
