"""Chapters 5 and 6: spread a sparsity budget by absorption or against it; what each layer pruned alone does."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.base import digits, escape_markdown, formats, per_cent
from core.methods import DEFAULT_PRUNER, Treatment
from core.requests import Correction, grammar
from core.results import Forecast, protocols
from core.show.figures import axes
from core.show.lessons import budgets, shared
from core.show.words import forecast_sentences, perplexity_sentences
from core.store import Profile
from pages.ui import current_profile, studies
from pages.ui.allocate.settings import TARGETS
from pages.ui.live.figure import Bars, Figure, Gauge, Key, Slot, fixed, pick, written
from pages.ui.tour import parts

START = 0.04
OPENING = (
    "Pruning sets weights to zero. Prune one layer, leave the others alone, and measure the **harm**: how far the "
    "predictions move from those of the unpruned model. **Try:** drag the sparsity, and click layers to compare."
)


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs={Profile: lambda profile: profile.key})
def correction(profile: Profile, anchor_names: str, _predictor: Forecast | None) -> budgets.Push:
    """OWL's allocation under a correction of every strength; kept, for it takes a while.

    Args:
        anchor_names: what tells anchors from others.

    Raises:
        UserError: as `budgets.correction`.
    """
    return budgets.correction(profile, _predictor)


def allocate(profile: Profile) -> parts.Screen:
    """OWL's allocation under a correction that is dragged either way, with the predicted perplexity below."""
    predictor, _ = studies.anchors_of(studies.groups(profile), profile, Treatment(DEFAULT_PRUNER))
    lesson = correction(
        profile, ",".join(each.setting.name for each in predictor.settings) if predictor else "", predictor
    )
    stops = {f"{strength:g}": _named(strength) for strength in lesson.strengths}
    ends = [(0, "reversed"), (len(stops) // 2, "none"), (len(stops) - 1, "correction")]
    label = "Correction strength (our parameter), in units of sparsity"
    push = parts.control("push", label, stops, f"{START:g}", marks=ends)
    strength = float(lesson.strengths[push.index])
    fix = Correction(strength=abs(strength), driver=shared.DRIVER, control="reversed" if strength < 0 else "none")
    # without "hand" what was last chosen there would stay
    choices = {"allocation": grammar.write(lesson.request.replace(correction=fix)), "hand": ""}
    ways = {"allocate.py": "Try every method on Allocate", "prune.py": "Prune with this allocation"}
    links = [parts.link(page, label, profile, **choices) for page, label in ways.items()]
    perplexity, middle, rows = lesson.perplexity, len(lesson.perplexity) // 2, lesson.rows
    room = 0.05 * np.ptp(rows)
    figure = Figure(
        name="allocate",
        title="Sparsity per layer, base and corrected, with the predicted perplexity",
        finding=lesson.sentence,
        says="Layers lose [{low}](layers) to [{high}](layers) of their weights. Predicted perplexity: "
        "[{cost}{change}](gauge).",
        slots={
            "high": Slot([per_cent(row.max(), 1) for row in rows]),
            "low": Slot([per_cent(row.min(), 1) for row in rows]),
            "cost": Slot(list(map(formats.perplexity, perplexity))),
            "change": Slot([_change(each / perplexity[middle] - 1) for each in perplexity]),
        },
        y=axes.linear_axis("sparsity of the layer", rows.min() - room, rows.max() + room, per_cent),
        controls=[push],
        bars=Bars(rows, base=lesson.base, tone="accent"),
        gauge=_gauge(lesson, middle) if np.isfinite(perplexity).all() else None,
        key=[Key("guide", "OWL alone", "outline"), Key("accent", "with the correction")],
        foot=lesson.request.target,
        height=180,
        lead=(
            f"Prune to a **budget** of {shared.ref(per_cent(lesson.request.target), shared.FOOT)} zeros: which layers "
            "should lose more weights? **OWL** spares layers with many outliers. The **correction** then takes more "
            "from layers that absorb and spares those that amplify. **Try:** drag its strength; to the left of the "
            "middle it does the opposite."
        ),
        notes=[*map(fixed, [lesson.sentence, *([forecast_sentences.basis(predictor)] if predictor else [])])],
    )
    return parts.Screen(figure, links)


def _named(strength: float) -> str:
    if strength == 0:
        return "no correction"
    return f"the correction at {strength:g}" if strength > 0 else f"the reverse at {-strength:g}"


def _change(change: float) -> str:
    """The difference from no correction; nothing where it is not known or too small to show."""
    far = np.isfinite(change) and abs(change) >= 5e-4
    return f", {per_cent(abs(change), 1)} {'more' if change > 0 else 'less'} than without" if far else ""


def _gauge(push: budgets.Push, zero: int) -> Gauge:
    cost = push.perplexity
    room = 0.12 * (np.ptp(cost) or 1.0)
    axis = axes.linear_axis("predicted perplexity at each strength", cost.min() - room, cost.max() + room)
    few = replace(axis, ticks=axis.ticks[:: -(-len(axis.ticks) // 3)])
    return Gauge(few, cost, zero, sorted({0, zero, len(cost) - 1, budgets.lowest(cost)}))


def prune(profile: Profile) -> parts.Screen:
    """The measured harm of each layer pruned alone, under a slider of sparsity; below, that of all layers at once."""
    lesson, layer = budgets.prune(profile), current_profile.layer(profile)
    zeros = parts.slider("zeros", "Share of zeros", lesson.sparsities, lesson.at, per_cent)
    sparsity = lesson.sparsities[zeros.index]
    label, residual = "See drift beside harm on Absorption", f"residual:wanda:{sparsity:g}"
    links = [parts.link("absorption.py", label, profile, perturbation=residual, layer=layer)]
    ranks = [[budgets.rank(row, each) for each in range(len(row))] for row in lesson.harm]
    figure = Figure(
        name="prune",
        title="Harm of each layer pruned alone",
        finding=lesson.sentence,
        says="Pruned alone to [{zeros}](control-zeros) zeros, layer [{layer}](layer-{layer}) does "
        "[{harm}](layer-{layer}) nats of harm and ranks [{rank}](layer-{layer}).",
        slots={"zeros": Slot(zeros.stops), "harm": written(digits, lesson.harm), "rank": Slot(ranks, "both")},
        y=[axes.linear_axis("harm, nats of KL divergence", 0, 1.05 * row.max()) for row in lesson.harm],
        controls=[zeros],
        pick=pick("Layer pruned", lesson.harm.shape[1], layer),
        bars=Bars(lesson.harm),
        key=[Key("accent", "layer {layer}, pruned alone"), Key("undecided", "another layer, pruned alone")],
        foot=0.0,
        x="layer that is pruned",
        lead=OPENING,
        notes=[Slot(lesson.notes)],
    )
    return parts.Screen(figure, links + _pruning(profile, sparsity), _whole(profile))


def _whole(profile: Profile) -> str:
    """Sentence on the measured cost of pruning all layers at the tour's target or the nearest; empty if unmeasured."""
    place = protocols.best_slice(studies.groups(profile), shared.TARGET)
    if place is None:
        return ""
    best = perplexity_sentences.leading(*place)
    protocol, beside = protocols.short_name(place.evaluations), perplexity_sentences.behind(best, place.evaluations)
    measured = f"{best.name} at {best.level}: perplexity {best.written} ({protocol}). {beside}"
    return f"**All layers at once, measured.** {escape_markdown(measured)}"


def _pruning(profile: Profile, target: float) -> list[parts.Link]:
    """The link to Prune where the model can be pruned; to 70 % where that page lacks the target."""
    target = target if target in TARGETS else shared.TARGET
    allocation = grammar.write(grammar.method("response", target))
    label = f"Prune all layers to {per_cent(target)} zeros"
    link = parts.link("prune.py", label, profile, allocation=allocation, by="wanda", hand="")
    return [] if profile.weights is None else [link]
