"""Chapter 6: which layer hurts most when it is pruned? The learner guesses before it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.ask import grammar
from core.base.errors import UserError
from core.base.escape import plain
from core.results import protocols
from core.results.study_table import rows_of, study_table
from core.show import lessons
from core.show.figures import scales
from core.show.figures.labels import digits, percent
from core.store.profiles import Profile
from pages.ui import frame, studies, subject, view
from pages.ui.allocate.settings import TARGETS
from pages.ui.live import figure
from pages.ui.tour import parts, stage

ASKED = "layer of the guess"
OPENING = (
    "Pruning sets weights to zero. Prune one layer, leave the others alone, and measure the **harm**: how far the "
    "predictions move from those of the unpruned model."
)
FORMATS = {"estimated harm, nats": st.column_config.NumberColumn(format="%.3f")}


def draw(profile: Profile, found: lessons.Alone) -> None:
    """A blank picture to guess on, then the measured harm of each layer pruned alone."""
    guess = view.sync("worst", [None, *range(profile.layers)], None)
    if guess is None:
        _ask(profile, found)
        return
    scale, layer = found.sparsities, subject.layer(profile)
    zeros = parts.slider("zeros", "Share of zeros", scale, lessons.TARGET, percent)
    nearest = scale.values[scale.nearest(zeros.index)]
    with parts.screen(picture(found, layer, zeros, guess)):
        parts.real(
            "absorption.py", "See drift beside harm on Absorption", profile,
            perturbation=f"residual:wanda:{nearest:g}", layer=layer,
        )  # fmt: skip
        for_real(profile, round(float(scale.values[zeros.index]), 2))
    columns = parts.measured(scale, found.harm, lambda share: f"KL at {percent(share)}, nats")
    parts.numbers(columns, "harm of each layer pruned alone", profile, "prune")
    whole = None if stage.presenting() else _together(profile)
    if whole:
        whole.draw()


def _ask(profile: Profile, found: lessons.Alone) -> None:
    picked = st.session_state.get(ASKED)
    picked = picked if picked in range(profile.layers) else None

    def answered(_: str) -> None:
        st.session_state.update({"worst": picked, "layer": found.worst})

    zeros = lessons.ref(percent(found.sparsities.values[found.at]), lessons.EVERY)
    ask = figure.Ask(
        f"**Guess.** Each layer in turn is pruned alone to {zeros} zeros. Which one hurts most? Click it, or use the "
        "slider.",
        {"show": "Show the answer"},
        answered,
        "Make a guess to unlock the answer." if picked is None else "",
    )
    with parts.screen(blank(profile.layers, picked, ask)):
        for_real(profile)


def blank(layers: int, picked: int | None, ask: figure.Ask) -> figure.Figure:
    """A row of equal bars; the marker stands in the middle until a layer is picked, which is no guess."""
    middle = layers // 2
    guesses = [f"Your guess: layer {lessons.of(layer)}." for layer in range(layers)]
    if picked is None:
        guesses[middle] = "No layer is picked yet."
    return figure.Figure(
        name="prune",
        title="A row of layers to choose from",
        says="{guess}",
        slots={"guess": figure.Slot("layer", guesses)},
        y=scales.Axis("harm, not shown yet", 0, 1, [(0.0, "0")]),
        bars=figure.Bars(np.full((1, layers), np.nan), base=np.ones(layers)),
        key=[figure.Key("guide", "outline", "Pick a layer; the bars are placeholders.")],
        pick=figure.pick("Layer", layers, middle if picked is None else picked, ASKED),
        foot=0.0,
        x="layer that is pruned",
        lead=parts.opening(OPENING, "click the layer that you think hurts most, then see."),
        ask=ask,
    )


def picture(found: lessons.Alone, layer: int, zeros: figure.Control, guess: int) -> figure.Figure:
    """A bar per layer; the axis grows with the harm."""
    ranks = [[lessons.rank(row, each) for each in range(len(row))] for row in found.harm]
    return figure.Figure(
        name="prune",
        title="Harm of each layer pruned alone",
        finding=found.said,
        says="Pruned alone to [{zeros}](control-zeros) zeros, layer [{layer}](layer-{layer}) does "
        "[{harm}](layer-{layer}) nats of harm ({origin}) and ranks [{rank}](layer-{layer}).",
        slots={
            "zeros": figure.Slot("frame", [percent(value) for value in found.sparsities.values]),
            "harm": figure.written(digits, found.harm),
            "rank": figure.Slot("both", ranks),
            "origin": parts.origin(found.sparsities),
        },
        y=[scales.linear_axis("harm, nats of KL divergence", 0, 1.05 * float(row.max())) for row in found.harm],
        controls=[zeros],
        pick=figure.pick("Layer pruned", found.harm.shape[1], layer),
        bars=figure.Bars(found.harm),
        key=parts.bars_of("layer {layer}, pruned alone", "another layer, pruned alone"),
        foot=0.0,
        x="layer that is pruned",
        lead=parts.opening(OPENING, "drag the sparsity, and click layers to compare."),
        notes=[figure.Slot("frame", found.judged(guess)), figure.Slot("frame", found.notes)],
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
        st.markdown(self.said)
        with st.expander(f"All layers pruned at once to {percent(self.target)} zeros: {self.kind}"):
            frame.show_table(self.rows, self.said, studies.columns(self.rows) | FORMATS)
            if self.protocol:
                studies.stamp(f"{percent(self.target)} zeros · {self.protocol}")
                st.caption(studies.ABOUT)


def _together(profile: Profile) -> Whole | None:
    """What was measured of whole allocations; where nothing was, what the sums over layers estimate."""
    found = lessons.measured(studies.groups(profile).values())
    if found:
        said, badge = lessons.measured_said(found, profile), protocols.badge(found.evaluations)
        return Whole(found.part.target, "measured", said, _measured(found, profile), badge)
    if profile.weights is None:
        return None
    try:
        told = lessons.methods(profile)
    except UserError as error:
        st.caption(f"There is no estimate for all layers pruned at once: {plain(error)}.")
        return None
    rows = pd.DataFrame({"allocation": list(told), "estimated harm, nats": list(told.values())})
    return Whole(lessons.TARGET, "estimated", lessons.methods_said(told), rows)


def for_real(profile: Profile, target: float = lessons.TARGET) -> None:
    """A link to the page that prunes all layers, where the model can be pruned; to 70 % where it lacks the target."""
    if profile.weights is not None:
        target = target if target in TARGETS else lessons.TARGET
        parts.real(
            "prune.py", f"Prune all layers to {percent(target)} zeros", profile,
            allocation=grammar.write(grammar.method("response", target)), by="wanda", hand="",
        )  # fmt: skip


def _measured(found: protocols.Place, profile: Profile) -> pd.DataFrame:
    """The table of the study, the least perplexity first, with what each was estimated to harm."""
    harm = dict(zip(found.settings, lessons.estimated(found, profile), strict=True))
    ones = sorted(found.settings, key=lambda one: one.perplexity)
    table = study_table(rows_of(found.evaluations, ones))
    numbers = table.only("allocation", "zeros", "perplexity", "against uniform", "calibration seeds").numbers
    return pd.DataFrame(numbers | {"estimated harm, nats": [harm[one] for one in ones]})
