"""Chapter 6: which layer hurts most when it is pruned? The learner predicts before it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core import lessons
from core.analysis import protocols
from core.figures.labels import digits
from core.specs import grammar
from core.specs.errors import UserError
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.allocate.settings import TARGETS
from pages.ui.live import tour
from pages.ui.prune import stored
from pages.ui.tour import parts

ASKED = "layer of the guess"
OPENING = (
    "Pruning sets weights to zero. Prune one layer, leave all others as they are, and measure the **harm**: how far "
    "the predictions of the model stray from those of the unpruned one."
)
FORMATS = {
    "perplexity": st.column_config.NumberColumn(format="%,.1f"),
    "setting": st.column_config.TextColumn(pinned=True),
    **{name: st.column_config.NumberColumn(format="%+.1f") for name in ("against uniform, %", "low", "high")},
    "estimated harm, nats": st.column_config.NumberColumn(format="%.3f"),
}

INTERVALS = (
    "Changes are over the calibration seeds that a setting shares with uniform. Low and high are the 95 % interval "
    "over three seeds or more; with fewer seeds that over windows, which leaves the luck of calibration out."
)


def draw(profile: Profile, found: lessons.Alone) -> None:
    """A blank picture to guess on, then the measured harm of each layer pruned alone."""
    guess = view.sync("worst", [None, *range(profile.layers)], None)
    if guess is None:
        _ask(profile, found.sparsities.values[found.at])
        return
    scale, layer = found.sparsities, view.layer(profile)
    zeros = parts.slider("zeros", "Share of zeros", scale, lessons.TARGET, "{:.0%}".format)
    nearest = scale.values[scale.nearest(zeros.index)]
    task = "drag the sparsity, and click layers to compare."
    with parts.screen(OPENING, task, picture(found, layer, zeros)):
        whole = _together(profile)
        parts.lesson(lessons.guessed(found.harm[found.at], guess), found.said, *([whole.said] if whole else []))
        parts.real(
            "absorption.py", "See “Drift beside harm” among the charts", profile,
            perturbation=f"residual:wanda:{nearest:g}", layer=layer,
        )  # fmt: skip
        for_real(profile, round(float(scale.values[zeros.index]), 2))
    columns = parts.measured(scale, found.harm, "KL at {:.0%}, nats".format)
    parts.numbers(columns, "harm of each layer pruned alone", profile, "prune")
    if whole:
        whole.draw()


def _ask(profile: Profile, sparsity: float) -> None:
    picked = st.session_state.get(ASKED)
    picked = picked if picked in range(profile.layers) else None
    task = "click the layer that you think hurts most, then see."
    with parts.screen(OPENING, task, blank(profile.layers, picked)):
        st.markdown(
            f"**Predict.** Each layer in turn is pruned alone to {sparsity:.0%} zeros. Which one hurts most? Click it, "
            "or move the slider to it."
        )
        st.button(
            "Show what was measured", icon=":material/visibility:", key="worst-show", disabled=picked is None,
            on_click=st.session_state.update, kwargs={"worst": picked, "layer": picked},
        )  # fmt: skip
        if picked is None:
            st.caption("The button waits for your guess.")
        for_real(profile)


def blank(layers: int, picked: int | None) -> tour.Figure:
    """A row of layers that tells nothing; the marker stands in the middle until one is picked, which is no guess."""
    middle = layers // 2
    guesses = [f"Your guess: layer {layer}." for layer in range(layers)]
    if picked is None:
        guesses[middle] = "No layer is picked yet."
    return tour.Figure(
        name="prune-before",
        title="A row of layers to choose from",
        says="{guess}",
        slots={"guess": tour.Slot("layer", guesses)},
        y=tour.Axis("harm, not shown yet", 0, 1, [(0.0, "0")]),
        bars=tour.Bars(np.full((1, layers), np.nan), base=np.ones(layers)),
        key=[tour.Key("guide", "outline", "layers to choose from: their heights say nothing")],
        pick=tour.Pick("Layer", middle if picked is None else picked, ASKED),
        foot=0.0,
        x="layer that is pruned",
    )


def picture(found: lessons.Alone, layer: int, zeros: tour.Control) -> tour.Figure:
    """A bar per layer; the axis grows with the harm."""
    layers = found.harm.shape[1]
    ranks = [[f"number {int((row > each).sum()) + 1} of {layers}" for each in row] for row in found.harm]
    return tour.Figure(
        name="prune-after",
        title="Harm of each layer pruned alone",
        finding=found.said,
        says="Layer {layer} alone, pruned to {zeros} zeros, does {harm} nats of harm ({origin}), which is {rank}. "
        "Layer {worst} does most.",
        slots={
            "zeros": tour.Slot("frame", [f"{value:.0%}" for value in found.sparsities.values]),
            "harm": tour.written(digits, found.harm),
            "rank": tour.Slot("both", ranks),
            "worst": tour.Slot("frame", [int(row.argmax()) for row in found.harm]),
            "origin": parts.origin(found.sparsities),
        },
        y=[tour.linear_axis("harm, nats of divergence (KL)", 0, 1.05 * float(row.max())) for row in found.harm],
        controls=[zeros],
        pick=tour.Pick("Layer pruned", layer),
        bars=tour.Bars(found.harm),
        key=parts.bars_of("the layer you picked", "any other layer, pruned alone"),
        foot=0.0,
        x="layer that is pruned",
    )


@dataclass(frozen=True, eq=False)
class Whole:
    """What is known of all layers pruned at once."""

    target: float
    kind: str  # `measured` or `estimated`
    said: str
    rows: pd.DataFrame
    protocol: str = ""

    def draw(self) -> None:
        """The numbers, folded away."""
        with st.expander(f"All layers pruned at once to {self.target:.0%} zeros: {self.kind}"):
            frame.show_table(self.rows, self.said, FORMATS)
            if self.protocol:
                stored.stamp(f"{self.target:.0%} zeros · {self.protocol}")
                st.caption(INTERVALS)


def _together(profile: Profile) -> Whole | None:
    """What was measured of whole allocations; where nothing was, what the sums over layers estimate."""
    found = lessons.measured(stored.groups(profile).values())
    if found:
        said, badge = lessons.measured_said(found, profile), protocols.badge(found.evaluations)
        return Whole(found.part.target, "measured", said, _measured(found, profile), badge)
    if profile.weights is None:
        return None
    try:
        told = lessons.methods(profile)
    except UserError as error:
        st.caption(f"What all layers pruned at once would do is not estimated: {error}.")
        return None
    rows = pd.DataFrame({"allocation": list(told), "estimated harm, nats": list(told.values())})
    return Whole(lessons.TARGET, "estimated", lessons.methods_said(told), rows)


def for_real(profile: Profile, target: float = lessons.TARGET) -> None:
    """The way to the page that prunes all layers, where the model can be pruned; at 70% where it has no such target."""
    if profile.weights is not None:
        target = target if target in TARGETS else lessons.TARGET
        parts.real(
            "prune.py", f"Prune all layers to {target:.0%} zeros for real", profile,
            allocation=grammar.write(grammar.method("response", target)), by="wanda", hand="",
        )  # fmt: skip


def _measured(found: lessons.Whole, profile: Profile) -> pd.DataFrame:
    """A row for each, the least perplexity first; the interval is that over seeds where it says how many."""
    rows = []
    for one, estimate in zip(found.settings, lessons.estimated(found, profile), strict=True):
        change = one.against_uniform
        ends = change.quoted if change else None
        rows.append(
            {
                "setting": one.name,
                "perplexity": one.perplexity,
                "against uniform, %": ends.value if ends else np.nan,
                "low": ends.low if ends else np.nan,
                "high": ends.high if ends else np.nan,
                "calibration seeds": change.seeds.n if change else len(one.seeds),
                "estimated harm, nats": estimate,
                "zeros": f"{found.part.target:.0%}",
            }
        )
    return pd.DataFrame(rows).sort_values("perplexity")
