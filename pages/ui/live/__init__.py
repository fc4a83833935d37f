"""The live chart: an allocation redrawn while its correction strength is dragged, without a call to the server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.base.formats import per_cent, ranges
from core.plan.budget import TOLERANCE, met
from core.show.figures.labels import digits, percent
from core.store.results import Array


def component(name: str, *shared: str) -> Callable:
    """A part of a page that answers in the browser by itself: the files of that name here.

    Args:
        shared: scripts that its own begins with.
    """
    html, css, *scripts = map(_read, (f"{name}.html", f"{name}.css", *(f"{each}.js" for each in (*shared, name))))
    return st.components.v2.component(f"absorption_explorer.{name}", html=html, css=css, js="\n".join(scripts))


def _read(file: str) -> str:
    return (Path(__file__).parent / file).read_text("utf-8")


COMPONENT = component("strength", "shared")
ROOM = 0.02  # sparsity shown above and below the target even where all layers are alike


@dataclass(frozen=True, eq=False)
class Family:
    """One allocation at every strength of the slider."""

    strengths: Sequence[float]
    base: Array  # (layers,)
    rows: Array  # (strengths, layers)
    parameters: Array  # (layers,)
    target: float
    bound: NDArray[np.bool_]  # (strengths, layers) the layer, or one of its linears, sits on a bound
    hand: Collection[int]  # layers set by hand
    estimates: Array | None  # (strengths,) additive estimates, NaN where not known; None where nothing was measured
    against: dict[str, float]  # name -> the additive estimate of another allocation
    unit: str  # of the estimates
    name: str  # of the base
    colour: str  # of it
    highest: float | None = None  # the largest sparsity measured, where the base goes no further


def strength(family: Family, chosen: float, drawn: Callable[[], None] | None = None) -> None:
    """Draw the live chart. On release the strength is in the session's state under `strength`.

    Args:
        drawn: is called once when the chart stands in the browser.
    """
    low, high = _limits(family)
    bound = [np.flatnonzero(row).tolist() for row in family.bound]
    COMPONENT(
        key="live",
        data={
            "title": f"Sparsity per layer: {family.name} and this allocation.",
            "name": family.name,
            "colour": family.colour,
            "strengths": list(family.strengths),
            "index": family.strengths.index(chosen),
            "base": family.base.round(6).tolist(),
            "rows": family.rows.round(6).tolist(),
            "bound": bound,
            "hand": sorted(family.hand),
            "target": family.target,
            "low": low,
            "high": high,
            "ticks": _ticks(low, high),
            "layers": list(range(0, len(family.base), max(1, -(-len(family.base) // 8)))),
            "says": [_says(row, on, family) for row, on in zip(family.rows, bound, strict=True)],
            "told": [_told(i, family) for i in range(len(family.rows))],
            "waiting": drawn is not None,
        },
        on_strength_change=lambda: _released(family.strengths),
        on_drawn_change=drawn or (lambda: None),
    )


def _released(strengths: Sequence[float]) -> None:
    index = getattr(st.session_state.get("live"), "strength", None)  # None where the reader has left for another page
    if isinstance(index, int) and 0 <= index < len(strengths):
        st.session_state["strength"] = strengths[index]


def _says(row: Array, bound: list[int], family: Family) -> tuple[str, str]:
    """What the layers lose; then the budget check, and the bounds that bind."""
    low, high = float(row.min()), float(row.max())
    lose = f"Layers lose {percent(low, 1)} to {percent(high, 1)} of their weights"
    lose = f"Every layer loses {percent(low, 1)} of its weights" if high - low <= TOLERANCE else lose
    spent = met(row, family.parameters)
    kept = "is met exactly" if abs(spent - family.target) <= 1e-9 else f"is missed by {spent - family.target:+.2e}"
    some = f" Layer{'s' if len(bound) > 1 else ''} {ranges(bound)} on a bound" if bound else ""
    reached = bool(bound) and family.highest is not None and abs(row.max() - family.highest) <= TOLERANCE
    why = f" ({family.highest:g} is the largest sparsity measured)" if reached else ""
    return f"{lose}.", f"The budget of {per_cent(family.target)} {kept}.{some}{why}" + ("." if some else "")


def _told(index: int, family: Family) -> list[tuple[str, bool]]:
    """The estimate of one row beside the others', as pieces of text and whether they are strong."""
    if family.estimates is None:
        return []
    others = ", ".join(f"{name} {estimated(value)}" for name, value in family.against.items())
    return [
        (f"Estimated {family.unit}: ", False),
        (estimated(family.estimates[index]), True),
        (f" ({others})", False),
    ]


def estimated(estimate: float) -> str:
    """An additive estimate in digits, or why there is none."""
    return digits(float(estimate), 3) if np.isfinite(estimate) else "unknown beyond the largest sparsity measured"


def _limits(family: Family) -> tuple[float, float]:
    """The sparsities shown: everything the slider can reach."""
    every = np.concatenate([family.base, family.rows.ravel(), [family.target - ROOM, family.target + ROOM]])
    room = 0.04 * (every.max() - every.min())
    return float(every.min() - room), float(every.max() + room)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 7)
    values = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return [(float(value), percent(value)) for value in values]
