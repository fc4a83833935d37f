"""Saying what a profile shows: an overview first, then every layer of one perturbation or of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.base.errors import UserError
from core.base.formats import digits, pruned_before, ranges
from core.cli import output
from core.cli.output import say, say_table
from core.plan.gains import gains_of
from core.results import findings, propagation
from core.store.profiles import Profile

LEAD = "gaussian:0.3"  # the finding of this one comes first, where it was measured
MORE = (
    "More: --gains NAME for every layer of one perturbation, --all for every layer of all, --matrix NAME for its drift "
    "matrix, --json for everything."
)


def gains_json(found: Profile) -> list[dict[str, Any]]:
    """Per perturbation: gains, interval and verdict of every layer, and the sentence about them."""
    rows = []
    for name, seeds in found.by_name.items():
        gains = gains_of(seeds)
        rows.append(
            {
                "name": name,
                "gains": gains.value,
                "interval": np.stack([gains.low, gains.high], axis=1),
                "verdict": list(gains.verdicts),
                "verdict_without_correction": list(gains.uncorrected),
                "finding": findings.of_perturbation(found, name),
                "below_floor": findings.drowned(found, name),
                "mean_ratio": gains.mean_ratio,
                "median": gains.median,
                "drift": gains.drift,
                "drift_first": np.mean([np.diag(each.drift_first) for each in seeds], axis=0),
                "final_drift": propagation.matrix(seeds)[:, -1],
                "kl": np.mean([each.kl.mean(1) for each in seeds], axis=0),
                "nll_increase": np.mean([each.nll_increase.mean(1) for each in seeds], axis=0),
                "flips": np.mean([each.flips.mean(1) for each in seeds], axis=0),
                "seeds": len(seeds),
                "n": gains.n,
            }
        )
    return rows


def overview(found: Profile) -> None:
    """The finding, and a row per perturbation: how its gains run over the layers, which amplify, which absorb."""
    rows = gains_json(found)
    told, text = found.provenance, found.spec.text
    lead = next((row for row in rows if row["name"] == LEAD), rows[0])
    say(f"{told.get('model')} on {told.get('text')}, {text.sequences} × {text.length} tokens{found.entry.mark}")
    say(f"{lead['name']}: {lead['finding']}", style="bold")
    say(*filter(None, (findings.rounding(found), pruned_before(found.spec.earlier))))
    heads = ("perturbation", "gains", "layers that amplify", "layers that absorb")
    cells = [(row["name"], _span(row["gains"][:-1]), *(_at(row, word) for word in findings.DIRECTIONS)) for row in rows]
    say_table(heads, cells, words=len(heads), unbroken=True)
    say(findings.RULE, MORE)


def _span(gains: Sequence[float]) -> str:
    """`0.57 to 0.98`: the least and the greatest gain of the layers before the last."""
    known = [each for each in gains if np.isfinite(each)]
    return f"{digits(min(known))} to {digits(max(known))}" if known else "not known"


def _at(row: dict[str, Any], word: str) -> str:
    """Layers of a verdict as a cell: `1-12, 14`."""
    said = ranges([layer for layer, verdict in enumerate(row["verdict"]) if verdict == word])
    return said.replace(" to ", "-").replace(" and ", ", ") or "none"


def gains_tables(found: Profile, only: str | None = None) -> None:
    """Every layer with its interval and verdict, a column per perturbation; the sentences below.

    Args:
        only: of one perturbation alone.

    Raises:
        UserError: it was not measured.
    """
    if only is not None and only not in found.by_name:
        raise UserError(f"{only} was not measured: this profile holds {', '.join(found.by_name)}")
    rows = [row for row in gains_json(found) if only in (None, row["name"])]
    told = found.provenance
    say(f"Gain per layer, with its 95 % interval: {told.get('model')} on {told.get('text')}{found.entry.mark}")
    _say_columns(pd.DataFrame({row["name"]: [_gain(row, layer) for layer in range(found.layers)] for row in rows}))
    say(f"+ amplifies, - absorbs; the last layer is 1 by definition. {findings.RULE}")
    say(*(f"{row['name']}: {row['finding']}" for row in rows))


def _gain(row: dict[str, Any], layer: int) -> str:
    """`0.62 [0.58, 0.66] -`: the gain of a layer, its interval and its verdict."""
    low, high = row["interval"][layer]
    known = f" [{digits(low, 3)}, {digits(high, 3)}]" if np.isfinite([low, high]).all() else ""
    mark = {"amplifies": "+", "absorbs": "-"}.get(row["verdict"][layer], " ")
    return f"{digits(row['gains'][layer], 3)}{known} {mark}"


def matrix_table(name: str, matrix: np.ndarray) -> None:
    """A drift matrix as text: rows injected, columns read."""
    say(f"Drift, {name}: injected at (row), read at (column)")
    _say_columns(pd.DataFrame(matrix))


def _say_columns(table: pd.DataFrame) -> None:
    """Layers down and as many columns abreast as the terminal holds, the others below them."""
    say(table.to_string(na_rep="", float_format=digits, line_width=output.out.width))
