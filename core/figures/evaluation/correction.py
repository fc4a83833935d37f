"""The correction beside its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.comparison import Interval, sentence, verdict
from core.analysis.phrases import FEWEST_SHUFFLES, listed
from core.figures.evaluation.shared import DASHES, SYMBOLS, change_axis, in_logs, whiskers
from core.figures.style import LIGHT, Chart, Palette, layout, line_labels, rule, see_through
from core.store.results import Array

PAPER_PERPLEXITY, PAPER_ACCURACY, PAPER_TARGET = -7.13, 1.02, 0.7
PAPER = "paper, second-hand; other models"
SHUFFLES = "shuffles"  # the control that is drawn as a range
ASIDE = 0.07  # of the strength: how far markers stand from each other where there is one strength alone


def correction(
    families: Mapping[str, Mapping[float, Sequence[Interval]]],
    base: str,
    shown: float | None,
    with_paper: bool,
    look: Palette = LIGHT,
) -> Chart:
    """Change against the base over strength: the correction, and each control in its place.

    Args:
        families: control -> strength -> changes in per cent; several for one strength (shuffles) are drawn as a range.
        base: its name.
        shown: the strength that is marked.
        with_paper: draw the paper's figure, a reference that was measured on other models.
    """
    figure, ends, every = go.Figure(), [], [0.0]
    measured = sorted({each for found in families.values() for each in found})
    last = measured[-1] if measured else 0.1
    step = ASIDE * last if len(measured) == 1 else 0.0
    for index, (name, found) in enumerate(families.items()):
        strengths = [each for each in sorted(found) if all(math.isfinite(one.value) for one in found[each])]
        if not strengths:
            continue
        logs = {each: np.array([in_logs(one) for one in found[each]]) for each in strengths}
        every += [float(value) for each in logs.values() for value in each.ravel() if math.isfinite(value)]
        middle = [float(np.median(logs[each][:, 0])) for each in strengths]
        ends.append((name, strengths[-1], middle[-1], index == 0))
        _add_control(figure, name, strengths, logs, middle, index, step * (index - (len(families) - 1) / 2), look)
    beside = last + step * len(families) / 2
    rule(figure, 0, -0.03 * last, beside, color=look.guide, width=1.5)
    if with_paper:
        every.append(math.log1p(PAPER_PERPLEXITY / 100))
        _add_paper(figure, -0.03 * last, beside, look)
    axis = change_axis(np.array(every), f"change of perplexity against {base}, %")
    _add_ends(figure, ends, beside + 0.03 * last, (axis["range"][1] - axis["range"][0]) / 17, look)
    if shown:
        figure.add_vline(x=shown, line={"color": look.accent, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis={
            "title": "correction strength, sparsity (our parameter)",
            "range": [-0.03 * last, beside + 0.4 * last],
            "tickvals": _spaced(sorted({0.0, *measured})),
            "tickformat": "~g",
        },
        yaxis=axis,
    )
    table = pd.DataFrame(
        [
            (name, strength, one.value, one.low, one.high, one.n)
            for name, found in families.items()
            for strength, several in found.items()
            for one in several
        ],
        columns=["control", "strength", "change, %", "low", "high", "windows"],
    )
    return Chart(
        "correction",
        "The correction beside its controls",
        layout(figure, height=440).update_layout(margin={"t": 28 if with_paper else 12}),
        _correction_finding(families, base),
        table,
    )


def _spaced(values: Sequence[float]) -> list[float]:
    """Every value, or every other one and so on, so that at most seven are left."""
    return list(values[:: math.ceil(len(values) / 7)])


def _add_control(
    figure: go.Figure, name: str, strengths: Sequence[float], logs: Mapping[float, Array], middle: Sequence[float],
    index: int, aside: float, look: Palette,
) -> None:  # fmt: skip
    """A line over strengths, or a marker set aside where there is one strength alone."""
    colour = look.accent if index == 0 else look.ink
    ranged = any(len(logs[each]) > 1 for each in strengths)
    low, high = (
        np.array([edge(logs[each][:, 0]) if ranged else logs[each][0, side] for each in strengths])
        for edge, side in ((np.min, 1), (np.max, 2))
    )
    values = np.column_stack([middle, low, high])
    x = [each + aside for each in strengths]
    if ranged:
        _add_range(figure, name, x, low, high, look)
    figure.add_scatter(
        x=x,
        y=list(middle),
        error_y=None if ranged else whiskers(values, look),
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if index == 0 else 1.5, "dash": ("solid", *DASHES)[index % 6]},
        marker={"size": 8, "symbol": SYMBOLS[index % len(SYMBOLS)]},
        customdata=[
            f"{strength:g}: {100 * math.expm1(each):+.3g}%" for strength, each in zip(strengths, middle, strict=True)
        ],
        hovertemplate=f"{name}, strength %{{customdata}}<extra></extra>",
        name=name,
    )


def _add_range(figure: go.Figure, name: str, x: Sequence[float], low: Array, high: Array, look: Palette) -> None:
    """From the least to the greatest: a band over strengths; at one strength, where a band has no width, a bar."""
    shape = {"fill": "toself", "fillcolor": see_through(look.undecided, 0.25), "line": {"width": 0}}
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*high, *low[::-1]],
        mode="lines",
        hoverinfo="skip",
        name=f"{name}, range",
        **(shape if len(x) > 1 else {"line": {"color": see_through(look.undecided, 0.45), "width": 12}}),
    )


def _add_paper(figure: go.Figure, since: float, to: float, look: Palette) -> None:
    """A dashed line as far as the markers go, explained above the chart, where no marker is."""
    rule(figure, math.log1p(PAPER_PERPLEXITY / 100), since, to, color=look.ink, width=1, dash="dash")
    figure.add_annotation(
        x=0, y=1, xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
        font={"size": 11, "color": look.ink}, text=f"dashed: {PAPER_PERPLEXITY:+.2f}%, {PAPER}",
    )  # fmt: skip


def _add_ends(
    figure: go.Figure, ends: list[tuple[str, float, float, bool]], x: float, gap: float, look: Palette
) -> None:
    if not ends:
        return
    labels = line_labels(
        x,
        [math.exp(value) for _, _, value, _ in ends],
        [f"<b>{name}</b>" if first else name for name, _, _, first in ends],
        [look.accent if first else look.ink for *_, first in ends],
        gap,
    )
    labels.y = np.log(labels.y)
    figure.add_trace(labels)


def _correction_finding(families: Mapping[str, Mapping[float, Sequence[Interval]]], base: str) -> str:
    own = next(iter(families.values()), {})
    known = {strength: several[0] for strength, several in own.items() if several and several[0].certain}
    if not known:
        return f"No strength of the correction has an interval against {base}."
    shuffled = families.get(SHUFFLES, {})
    return " ".join([_own(known, base), *_among(known, shuffled), _drawn(shuffled)])


def _own(known: Mapping[float, Interval], base: str) -> str:
    """What the correction itself does, strength by strength."""
    if len(known) == 1:
        [(strength, found)] = known.items()
        return f"{sentence(f'The correction, measured at strength {strength:g} alone,', base, found)}."
    words = [verdict(each) for each in known.values()]
    counts = {"gain": words.count("gains"), "cost": words.count("costs"), "no different": words.count("no different")}
    said = [_counted(word, n) for word, n in counts.items() if n]
    return f"Against {base}, of {len(known)} strengths of the correction {listed(said)}."


def _counted(word: str, n: int) -> str:
    """`1 gains`, `2 gain`, `1 is no different`."""
    if word == "no different":
        return f"{n} {'is' if n == 1 else 'are'} no different"
    return f"{n} {word}{'s' if n == 1 else ''}"


def _among(known: Mapping[float, Interval], shuffled: Mapping[float, Sequence[Interval]]) -> list[str]:
    """Where the correction lies among its shuffles by value alone, at the greatest strength that has both."""
    both = [strength for strength in known if any(math.isfinite(each.value) for each in shuffled.get(strength, ()))]
    if not both:
        return []
    strength = max(both)
    values = [each.value for each in shuffled[strength] if math.isfinite(each.value)]
    worse = sum(known[strength].value > each for each in values)
    if len(values) == 1:
        return [f"At strength {strength:g} it does {'worse' if worse else 'no worse'} than the one shuffle."]
    ends = f"{min(values):+,.0f} to {max(values):+,.0f}%"
    return [f"By value it does worse than {worse} of {len(values)} shuffles at strength {strength:g} ({ends})."]


def _drawn(shuffled: Mapping[float, Sequence[Interval]]) -> str:
    """How uncertainty is drawn; of shuffles only where there are some, and whether they are enough."""
    bars = "Bars are 95% intervals over windows"
    fewest = min(map(len, shuffled.values()), default=0)
    if not fewest:
        return f"{bars}."
    shape = "band" if len(shuffled) > 1 else "broad bar"
    band = f"the {shape} spans the shuffles" if max(map(len, shuffled.values())) > 1 else ""
    few = f"{fewest} shuffle{'s' * (fewest > 1)}; {FEWEST_SHUFFLES} or more make a range"
    return "; ".join(filter(None, [bars, band])) + (f" ({few})." if fewest < FEWEST_SHUFFLES else ".")
