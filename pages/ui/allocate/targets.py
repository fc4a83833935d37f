"""The picture of targets: what methods are predicted and were measured to cost at each, and how sparse one may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np
import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.formats import digits, per_cent
from core.kinds import METHODS
from core.plan.spread import allocate
from core.results.anchors import Anchors
from core.show.figures import Palette, axes
from core.show.figures.palette import colour
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.allocate.settings import TARGETS
from pages.ui.live import figure

COMPARED = ("uniform", "owl", "response")
RISES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
HOW_SPARSE = "How sparse may it be, if its perplexity may rise so far above the unpruned model's?"
HIGHEST = 1e5  # perplexity that is drawn: models that are worse do no more than guess


def show(request: AllocationRequest, found: Anchors) -> None:
    """Draw the picture, whose slider is the page's target, and the question for the sparsest target."""
    view.write()
    mine, at = request.plain.model_copy(update={"target": TARGETS[0]}), {"target": TARGETS.index(request.target)}
    figure.draw(_picture(mine, found, view.look()), view.look(), at=at)
    _sparsest(request, found)


@lru_cache(maxsize=64)
def _picture(mine: AllocationRequest, found: Anchors, look: Palette) -> figure.Figure:
    """Drawn once for all readers and targets."""
    asked = [_as_measured(kind, found) for kind in COMPARED]
    asked += [] if mine in asked else [mine]
    names = [naming.spoken(naming.long(each)) for each in asked]
    costs = np.array([_costs(each, found) for each in asked])
    tones = [colour(each.base.kind, look) if n < len(COMPARED) else "accent" for n, each in enumerate(asked)]
    shown = np.where(costs < HIGHEST, costs, np.nan)
    costs_named = ", ".join(f"{name} {{{n}}}" for n, name in enumerate(names))
    return figure.Figure(
        name="targets",
        title="Predicted perplexity at each target",
        says=f"At {{layer}} % zeros: {costs_named}.",
        slots={str(n): figure.Slot("layer", list(map(_said, each))) for n, each in enumerate(costs.tolist())},
        y=axes.log_axis("predicted perplexity (log scale)", shown),
        pick=figure.Control("target", "Target sparsity", list(map(per_cent, TARGETS)), 0, TARGETS),
        lines=[
            figure.Line(cost[None], tone, points=_points(each, found))
            for each, cost, tone in zip(asked, shown, tones, strict=True)
        ],
        key=[figure.Key(tone, "line", name) for name, tone in zip(names, tones, strict=True)],
        x="target sparsity, %",
        height=200,
        first=True,
    )


def _said(cost: float) -> str:
    return digits(cost, 3) if np.isfinite(cost) else "unknown"


def _as_measured(kind: str, found: Anchors) -> AllocationRequest:
    """A method with the parameters that most anchors have of it."""
    bases = (each.setting.allocation.base for each in found.settings)
    known = Counter(each for each in bases if each.kind == kind and not each.per_linear).most_common(1)
    return AllocationRequest(base=known[0][0] if known else METHODS[kind](), target=TARGETS[0])


def _costs(request: AllocationRequest, found: Anchors) -> Array:
    """Predicted perplexity at each of `TARGETS`; NaN where there is no such allocation, or none is predicted."""
    rows = _rows(found.profile, request)
    known = ~np.isnan(rows.reshape(len(rows), -1)).any(1)
    costs = np.full(len(rows), np.nan)
    costs[known] = found.perplexities(rows[known]).increase
    return costs


@st.cache_data(
    max_entries=64,
    show_spinner=False,
    hash_funcs={Profile: lambda profile: profile.entry.key, AllocationRequest: lambda asked: asked.key},
)
def _rows(profile: Profile, request: AllocationRequest) -> Array:
    """The allocation at each of `TARGETS`, as exact as a pruner is told; NaN where there is none."""
    rows = []
    for target in TARGETS:
        try:
            rows.append(allocate(request.model_copy(update={"target": target}), profile).exact)
        except UserError:  # beyond the bounds, or beyond what was measured
            rows.append(None)
    shape = next((each.shape for each in rows if each is not None), (profile.layers,))
    return np.stack([np.full(shape, np.nan) if each is None else each for each in rows])


def _points(request: AllocationRequest, found: Anchors) -> Sequence[tuple[int, float]]:
    """What was measured of it by the protocol in view."""
    return [
        (round(100 * each.setting.allocation.target), each.perplexity)
        for each in found.settings
        if each.setting.allocation.model_copy(update={"target": TARGETS[0]}) == request
    ]


def _sparsest(request: AllocationRequest, found: Anchors) -> None:
    """The inverse: the rise that is accepted sets the target, and is forgotten once that is chosen otherwise."""
    state, dense = st.session_state, found.study.dense.perplexity

    def largest(rise: float) -> float:
        return min(round(found.sparsest(request, rise).target, 2), TARGETS[-1])

    def accepted() -> None:
        with suppress(UserError):  # said below
            state["target"] = largest(state["accept"]) if state["accept"] else state["target"]

    rise = state.get("accept")
    try:
        if rise and largest(rise) != request.target:
            state["accept"] = None
    except UserError as error:
        frame.error(error)
    how = {"index": None, "placeholder": "Choose a rise", "format_func": lambda rise: f"+{per_cent(rise)}"}
    st.selectbox(HOW_SPARSE, RISES, key="accept", on_change=accepted, **how)
    if state["accept"]:
        most = digits(dense * (1 + state["accept"]), 3)
        st.caption(f"{per_cent(request.target)} is the most that is predicted to stay below {most}.")
