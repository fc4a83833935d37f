"""Which layers amplify, which absorb, and at what size?"""

import math
from functools import partial

import streamlit as st

from core import figures
from core.analysis import findings
from core.analysis.gains import FEWEST_SEQUENCES, gains_of
from core.figures import labels
from core.figures.charts import GAIN, GROUPS, InView
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
    f"corrected for asking about many layers (Holm). Below {FEWEST_SEQUENCES} sequences nothing is decided."
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
            format_func=lambda name: profile.perturbations[next(iter(bases[name].values()))].label,
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


def compare_with(name: str) -> Profile | None:
    """The picker of a second profile for the gain chart."""
    known = view.others()
    if not known:
        return None
    listed = {None: "nothing", **known}
    twin = view.sync("compare", list(listed), None)
    st.selectbox("Compare with", list(listed), key="compare", format_func=listed.get)
    try:
        other = view.load(twin) if twin else None
    except UserError as error:
        st.error(str(error))
        return None
    if other and name not in other.by_name:
        st.caption("The other profile does not hold this perturbation: measure it there to compare.")
    return other


profile = view.profile()
view.heading("Which layers amplify, which absorb?", profile, TERMS)
name, statistic, layer = choose(profile)
seeds = profile.seeds(name)
look = view.look()
prefix = f"{profile.entry.key[:6]}-{name}"
gains = gains_of(seeds)
st.markdown(f"**{profile.perturbations[name].label}.** {findings.finding(gains)}", help=ABOUT_VERDICTS)
if not any(map(math.isfinite, gains.value[:-1])):
    st.info("This changed nothing at any layer, so there is no drift to follow: choose something else above.")
    view.end()
numbers = overview.gains(profile, name, statistic, layer)
if frame.is_first_paint():
    view.end()
frame.numbers(numbers, "gain of each layer", frame.file(prefix, "at-a-glance"), "glance")

asked = InView(profile, name, layer, look, statistic)
for group, rows in GROUPS.items():
    sections.group(rows, asked, prefix, partial(compare_with, name))
    if group == GAIN:
        with st.expander("The verdict on every perturbation measured"):
            frame.show_table(sections.verdicts(profile), "What the network does with each perturbation, in a sentence")
