"""The picture of an allocation: its base and every strength of its correction, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from core.base.formats import digits, per_cent, ranges
from core.kinds import BASE_LABELS
from core.plan.budget import TOLERANCE
from core.plan.spread import Allocation
from core.show.figures import Palette, axes
from core.show.figures.palette import colour
from core.store.results import Array
from pages.ui.live import figure

ROOM = 0.02  # sparsity shown above and below the target even where all layers are alike
STRENGTH = "Correction strength (our parameter), largest shift of a layer"


def picture(
    allocation: Allocation,
    strengths: Sequence[float],
    rows: Array,
    bound: Array,
    highest: float | None,
    hand: Collection[int],
    estimates: Sequence[str],
    look: Palette,
) -> figure.Figure:
    """A bar per layer around the target, under a slider of the strength.

    Args:
        rows: (strengths, layers).
        bound: (strengths, layers); the layer, or one of its linears, sits on a bound.
        highest: the largest sparsity measured, where the base goes no further.
        hand: layers set by hand.
        estimates: what follows from each strength; empty where nothing was measured.
    """
    base, request = allocation.base, allocation.request
    name, found = BASE_LABELS[request.base.kind], [np.flatnonzero(row).tolist() for row in bound]
    stops = [f"{strength:g}" for strength in strengths]
    spoken = [f"{stop}, estimate {said.split('**')[1]}" for stop, said in zip(stops, estimates, strict=False)]
    at = strengths.index(request.correction.strength)
    own = colour(request.base.kind, look)
    budget = [_budget(row, on, request.target, highest) for row, on in zip(rows, found, strict=True)]
    return figure.Figure(
        name="spread",
        title=f"Sparsity per layer: {name} and this allocation",
        says=f"Layer {{layer}}: {{now}} zeros; {name} alone {{base}}.",
        slots={
            "now": figure.written(lambda share: per_cent(share, 1), rows),
            "base": figure.Slot("layer", [per_cent(share, 1) for share in base]),
            "lose": figure.Slot("frame", [_lose(row) for row in rows]),
            "bound": figure.Slot("frame", ["on a bound" if on else "" for on in found]),
        },
        y=axes.linear_axis("sparsity", *_limits(base, rows, request.target), per_cent),
        controls=[figure.Control("strength", STRENGTH, stops, at, strengths, spoken=spoken)],
        bars=figure.Bars(rows, base=base, tone="accent", edge=own, bound=found, hand=sorted(hand)),
        key=[
            figure.Key(own, "outline", name),
            figure.Key("accent", "block", "this allocation"),
            figure.Key("ink", "arrow", "correction"),
            figure.Key("ink", "line", "{bound}"),
            *([figure.Key("ink", "dot", "set by hand")] if hand else []),
        ],
        foot=request.target,
        height=300,
        lead="{lose}",
        idle="Point at a layer to read its numbers.",
        notes=[*([figure.Slot("frame", estimates)] if estimates else []), figure.Slot("frame", budget)],
        first=True,
    )


def estimated(now: Array, others: Mapping[str, Array]) -> list[str]:
    """Additive estimates at each strength, (strengths,), beside those of other allocations, (strengths,) or (1,)."""
    rows = zip(*np.broadcast_arrays(now, *others.values()), strict=True)
    return [f"Estimated KL divergence, nats: **{_digits(one)}** ({_named(others, beside)})" for one, *beside in rows]


def _named(names: Iterable[str], values: Iterable[float]) -> str:
    return ", ".join(f"{name} {_digits(value)}" for name, value in zip(names, values, strict=True))


def _digits(value: float) -> str:
    return digits(float(value), 3) if np.isfinite(value) else "unknown beyond the largest sparsity measured"


def _lose(row: Array) -> str:
    low, high = per_cent(row.min(), 1), per_cent(row.max(), 1)
    alike = row.max() - row.min() <= TOLERANCE
    return f"Every layer loses {low} of its weights." if alike else f"Layers lose {low} to {high} of their weights."


def _budget(row: Array, bound: list[int], target: float, highest: float | None) -> str:
    """The budget, which every row meets, and the layers on a bound."""
    reached = highest is not None and abs(row.max() - highest) <= TOLERANCE
    why = f" ({highest:g} is the largest sparsity measured)" if reached else ""
    some = f" Layer{'s' if len(bound) > 1 else ''} {ranges(bound)} on a bound{why}." if bound else ""
    return f"The budget of {per_cent(target)} is met exactly.{some}"


def _limits(base: Array, rows: Array, target: float) -> tuple[float, float]:
    """The sparsities shown: everything that the slider can reach."""
    every = np.concatenate([base, rows.ravel(), [target - ROOM, target + ROOM]])
    room = 0.04 * np.ptp(every)
    return float(every.min() - room), float(every.max() + room)
