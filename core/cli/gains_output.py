"""Saying what a profile shows: an overview first, then every layer of one perturbation or of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from core.base.errors import UserError
from core.base.formats import digits, pruned_before, ranges
from core.cli import output
from core.plan.gains import gains_of
from core.results import findings, propagation
from core.store.profiles import Profile

CELL, MARGIN = 25, 9  # columns of the terminal: a gain with its interval, and the layer's number
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
    told, text, out = found.provenance, found.spec.text, output.out
    lead = next((row for row in rows if row["name"] == LEAD), rows[0])
    amount = f"{text.sequences} × {text.length} tokens"
    out.print(f"{told.get('model')} on {told.get('text')}, {amount}{found.entry.mark}", markup=False, soft_wrap=True)
    out.print(f"[bold]{escape(lead['name'])}[/bold]: {escape(lead['finding'])}", soft_wrap=True, highlight=False)
    for caveat in filter(None, (findings.rounding(found), pruned_before(found.spec.earlier))):
        out.print(caveat, soft_wrap=True, highlight=False, markup=False)
    table = Table()
    table.add_column("perturbation", no_wrap=True)
    for column in ("gains", "layers that amplify", "layers that absorb"):
        table.add_column(column)
    for row in rows:
        table.add_row(escape(row["name"]), _span(row["gains"][:-1]), *(_at(row, word) for word in findings.DIRECTIONS))
    out.print(table)
    out.print(findings.RULE, soft_wrap=True, highlight=False)
    out.print(MORE, markup=False, soft_wrap=True, highlight=False)


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
    rows, out = gains_json(found), output.out
    if only is not None and only not in found.by_name:
        raise UserError(f"{only} was not measured: this profile holds {', '.join(found.by_name)}")
    rows = [row for row in rows if only in (None, row["name"])]
    told = found.provenance
    read = f"{told.get('model')} on {told.get('text')}{found.entry.mark}"
    out.print(escape(f"Gain per layer, with its 95 % interval: {read}"))
    abreast = max(1, (out.width - MARGIN) // CELL)
    for first in range(0, len(rows), abreast):
        out.print(_gains(rows[first : first + abreast], found.layers))
    out.print(f"+ amplifies, - absorbs; the last layer is 1 by definition. {findings.RULE}", highlight=False)
    for row in rows:
        out.print(f"[bold]{escape(row['name'])}[/bold]: {escape(row['finding'])}")


def _gains(rows: list[dict[str, Any]], layers: int) -> Table:
    """Some perturbations abreast, as many as the terminal holds whole."""
    table = Table()
    table.add_column("layer", justify="right")
    for row in rows:
        name = row["name"].replace("residual_rescaled", "rescaled").replace(":", "\n", 1)
        table.add_column(escape(name), justify="right", no_wrap=True)
    marks = {"amplifies": "[red]+[/red]", "absorbs": "[blue]-[/blue]"}
    for layer in range(layers):
        cells = []
        for row in rows:
            low, high = row["interval"][layer]
            known = f" \\[{digits(low, 3)}, {digits(high, 3)}]" if np.isfinite([low, high]).all() else ""
            cells.append(f"{digits(row['gains'][layer], 3)}{known} {marks.get(row['verdict'][layer], ' ')}")
        table.add_row(str(layer), *cells)
    return table


def matrix_table(name: str, matrix: np.ndarray) -> None:
    """A drift matrix as text: rows injected, columns read, as many of them as the terminal holds."""
    columns = [_column(values) for values in matrix.T]
    every = _every([len(cells[0]) for cells in columns], output.out.width - MARGIN)
    shown = range((len(columns) - 1) % every, len(columns), every)
    table = Table(title=escape(f"Drift, {name}: injected at (row), read at (column)"))
    table.add_column("", justify="right", no_wrap=True)
    for layer in shown:
        table.add_column(str(layer), justify="right", no_wrap=True)
    for layer in range(len(matrix)):
        table.add_row(str(layer), *[columns[read][layer].strip() for read in shown])
    output.out.print(table)
    if every > 1:
        fits = f"as many as {output.out.width} columns hold; --json gives all."
        output.out.print(f"Every {_nth(every)} read layer, {fits}", soft_wrap=True)


def _column(values: np.ndarray) -> list[str]:
    """Cells of a column, equally wide: so many decimals that its least value has two digits, four at most."""
    least = np.nanmin(np.where(values > 0, values, np.nan)) if np.any(values > 0) else 1.0
    decimals = int(np.clip(1 - np.floor(np.log10(least)), 0, 4))
    cells = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]
    return [cell.rjust(max(map(len, cells))) for cell in cells]


def _every(widths: list[int], room: int) -> int:
    """The least n for which every n-th column, counted back from the last, fits with its padding and its line."""
    for every in range(1, len(widths)):
        if sum(max(width, 2) + 3 for width in widths[::-1][::every]) <= room:
            return every
    return len(widths)


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
