"""Parts of the absorption page that look at several perturbations at once, and say what to measure where one lacks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import figures
from core.analysis import absorption
from core.figures import labels
from core.store.profiles import Profile
from pages.ui import frame, view


def verdicts(profile: Profile) -> pd.DataFrame:
    """One sentence per perturbation."""
    rows = []
    for name, asked in profile.perturbations.items():
        where = labels.POSITIONS[getattr(asked, "positions", "all")]
        rows.append((asked.label, where, absorption.finding(absorption.gains(profile.seeds(name)))))
    return pd.DataFrame(rows, columns=["perturbation", "where", "verdict"])


def gains_of_family(profile: Profile, name: str, statistic: str, layer: int, twin: str | None) -> figures.Chart:
    """Every strength of the chosen perturbation, and the other profile's gains where one is compared."""
    names = labels.family(profile, name)
    lines = [figures.line(profile.perturbations[each].short, profile.seeds(each), statistic) for each in names]
    finding = absorption.finding(absorption.gains(profile.seeds(name)))
    if twin:
        other = view.load(twin)
        if name in other.by_name:
            lines.append(figures.line("compared", other.seeds(name), statistic))
    return figures.gains(lines, names.index(name), layer, finding, look=view.look())


def size_map(profile: Profile, name: str, statistic: str, layer: int) -> None:
    """The map of gaussian noise, at the chosen positions where these are measured in two sizes."""
    positions = getattr(profile.perturbations[name], "positions", "after_first")
    sizes = gaussian_sizes(profile, positions)
    if len(sizes) < 2:
        sizes = gaussian_sizes(profile, "after_first")
    if len(sizes) < 2:
        st.header("At what size does noise turn?", anchor=False)
        st.info("Measure gaussian noise at two or more sizes (for instance 0.03 and 0.3) to see where the turn is.")
        return
    lines = [figures.line(size_name, profile.seeds(size_name), statistic) for size_name in sizes.values()]
    frame.show(figures.size_map(list(sizes), lines, layer, view.look()), profile.entry.key[:6], "sizes")


def gaussian_sizes(profile: Profile, positions: str) -> dict[float, str]:
    """Size -> name of the measured gaussian noise, ascending."""
    noise = {name: asked for name, asked in profile.perturbations.items() if asked.kind == "gaussian"}
    return dict(sorted((asked.size, name) for name, asked in noise.items() if asked.positions == positions))


def first_token(profile: Profile, name: str, statistic: str, layer: int, prefix: str) -> None:
    """The same noise with and without the first token."""
    title = "With and without the first token"
    where = labels.by_positions(profile)
    base = labels.at_positions(profile.perturbations[name], "after_first")
    pair = where[base] if len(where[base]) > 1 else next((each for each in where.values() if len(each) > 1), None)
    if pair is None:
        st.header(title, anchor=False)
        st.info("Measure the same noise at all tokens too (for instance gaussian:0.3@all) to see what the first does.")
        return
    names = {"after_first": "without", "all": "with"}
    lines = [figures.line(text, profile.seeds(pair[key]), statistic) for key, text in names.items()]
    between = f"{profile.perturbations[pair['all']].label}, without the first token against with it"
    frame.show(figures.compared(*lines, layer, title, between, view.look()), prefix, "first-token")


def matched(profile: Profile, name: str, layer: int, prefix: str) -> None:
    """Real pruning against gaussian noise of the same measured drift."""
    title = "Noise against real pruning"
    sizes = gaussian_sizes(profile, "after_first")
    residuals = [each for each, asked in profile.perturbations.items() if asked.kind == "residual"]
    if len(sizes) < 2 or not residuals:
        st.header(title, anchor=False)
        st.info("Measure gaussian noise at two or more sizes, and residual:wanda:0.7, to compare them.")
        return
    real = name if name in residuals else residuals[0]
    noise = [absorption.gains(profile.seeds(each)) for each in sizes.values()]
    target = absorption.gains(profile.seeds(real)).drift
    logs = absorption.at_drift(target, np.array([n.drift for n in noise]), np.log([n.value for n in noise]))
    unknown = np.full(profile.layers, np.nan)
    lines = (
        figures.line("pruning", profile.seeds(real)),
        figures.Line("noise", np.exp(logs), unknown, unknown, ("not tested",) * profile.layers),
    )
    between = f"{profile.perturbations[real].label}, against noise of the same measured drift"
    frame.show(figures.compared(*lines, layer, title, between, view.look()), prefix, "matched")
