"""Chapter 6: guess the layer that hurts most when it is pruned alone, then compare all of them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.ask import grammar
from core.base.escape import plain
from core.base.formats import digits, per_cent
from core.results import protocols, verdicts
from core.show import lessons
from core.show.figures import axes
from core.store.profiles import Profile
from pages.ui import studies, subject, view
from pages.ui.allocate.settings import TARGETS
from pages.ui.live import figure
from pages.ui.tour import parts

ASKED = "layer of the guess"
OPENING = (
    "Pruning sets weights to zero. Prune one layer, leave the others alone, and measure the **harm**: how far the "
    "predictions move from those of the unpruned model."
)


def prune(profile: Profile) -> parts.Screen:
    """Equal bars to guess on, then the measured harm of each layer pruned alone."""
    found = lessons.prune(profile)
    guess = view.sync("worst", [None, *range(profile.layers)], None)
    if guess is None:
        return parts.Screen(_blank(profile.layers, found), _pruning(profile, lessons.TARGET))
    layer = subject.layer(profile)
    zeros = parts.slider("zeros", "Share of zeros", found.sparsities, found.at, per_cent)
    sparsity = found.sparsities[zeros.index]
    label, residual = "See drift beside harm on Absorption", f"residual:wanda:{sparsity:g}"
    links = [parts.link("absorption.py", label, profile, perturbation=residual, layer=layer)]
    return parts.Screen(_alone(found, layer, zeros, guess), links + _pruning(profile, sparsity), _whole(profile))


def _whole(profile: Profile) -> str:
    """What pruning all layers was measured to cost at the tour's target, or the nearest; empty where nothing was."""
    place = protocols.place(studies.groups(profile).values(), lessons.TARGET)
    if place is None:
        return ""
    best = verdicts.leading(*place)
    return f"**All layers at once, measured.** {plain(verdicts.headline(best, place.part))}: {plain(best.name)}."


def _pruning(profile: Profile, target: float) -> list[parts.Link]:
    """The link to Prune where the model can be pruned; to 70 % where that page lacks the target."""
    target = target if target in TARGETS else lessons.TARGET
    allocation = grammar.write(grammar.method("response", target))
    label = f"Prune all layers to {per_cent(target)} zeros"
    link = parts.link("prune.py", label, profile, allocation=allocation, by="wanda", hand="")
    return [] if profile.weights is None else [link]


def _blank(layers: int, found: lessons.Alone) -> figure.Figure:
    """A row of equal bars; the marker stands in the middle until a layer is picked, which is no guess."""
    picked, middle = st.session_state.get(ASKED), layers // 2
    picked = picked if picked in range(layers) else None
    guesses = [f"Your guess: layer {lessons.of(layer)}." for layer in range(layers)]
    if picked is None:
        guesses[middle] = "No layer is picked yet."
    return figure.Figure(
        name="prune",
        title="A row of layers to choose from",
        says="{guess}",
        slots={"guess": figure.Slot("layer", guesses)},
        y=axes.Axis("harm, not shown yet", 0, 1, [(0.0, "0")]),
        bars=figure.Bars(np.full((1, layers), np.nan), base=np.ones(layers)),
        key=[figure.Key("guide", "outline", "Pick a layer; the bars are placeholders.")],
        pick=figure.pick("Layer", layers, middle if picked is None else picked, ASKED),
        foot=0.0,
        x="layer that is pruned",
        lead=parts.opening(OPENING, "click the layer that you think hurts most, then see."),
        ask=_ask(picked, found),
    )


def _ask(picked: int | None, found: lessons.Alone) -> figure.Ask:
    def answered(_: str) -> None:
        st.session_state.update({"worst": picked, "layer": found.worst})

    zeros = lessons.ref(per_cent(found.sparsities[found.at]), lessons.EVERY)
    return figure.Ask(
        f"**Guess.** Each layer in turn is pruned alone to {zeros} zeros. Which one hurts most? Click it, or use the "
        "slider.",
        {"show": "Show the answer"},
        answered,
        "Make a guess to unlock the answer." if picked is None else "",
    )


def _alone(found: lessons.Alone, layer: int, zeros: figure.Control, guess: int) -> figure.Figure:
    """A bar per layer; the axis grows with the harm."""
    ranks = [[lessons.rank(row, each) for each in range(len(row))] for row in found.harm]
    return figure.Figure(
        name="prune",
        title="Harm of each layer pruned alone",
        finding=found.said,
        says="Pruned alone to [{zeros}](control-zeros) zeros, layer [{layer}](layer-{layer}) does "
        "[{harm}](layer-{layer}) nats of harm and ranks [{rank}](layer-{layer}).",
        slots={
            "zeros": figure.Slot("frame", [per_cent(value) for value in found.sparsities]),
            "harm": figure.written(digits, found.harm),
            "rank": figure.Slot("both", ranks),
        },
        y=[axes.linear_axis("harm, nats of KL divergence", 0, 1.05 * float(row.max())) for row in found.harm],
        controls=[zeros],
        pick=figure.pick("Layer pruned", found.harm.shape[1], layer),
        bars=figure.Bars(found.harm),
        key=parts.bars_of("layer {layer}, pruned alone", "another layer, pruned alone"),
        foot=0.0,
        x="layer that is pruned",
        lead=parts.opening(OPENING, "drag the sparsity, and click layers to compare."),
        notes=[figure.Slot("frame", found.judged(guess)), figure.Slot("frame", found.notes)],
    )
