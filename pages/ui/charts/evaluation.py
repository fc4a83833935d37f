"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.comparison import FEWEST_WINDOWS, Interval
from core.results import Array
from pages.ui.charts.style import LIGHT, Chart, Palette, layout, limits, line_labels, log_axis, see_through
from pages.ui.words import digits

DASHES = ("dash", "dot", "longdash", "dashdot", "longdashdot", "solid")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon")
PAPER_PERPLEXITY, PAPER_ACCURACY, PAPER_TARGET = -7.13, 1.02, 0.7
PAPER = "paper, second-hand; other models"
IN_VIEW, SHORT = "in view", 16  # what a name that a phone would cut is called, and how long it may be
TICKS = (-99, -95, -90, -80, -70, -60, -50, -40, -30, -20, -15, -10, -5, -2, -1, 0, 1, 2, 5, 10, 15, 20, 30, 50, 75)
BIG_TICKS = (100, 150, 200, 300, 500, 900, 1900, 4900, 9900, 99_900, 999_900)


# --- the allocation, small -----------------------------------------------------------------------------------------


def strip(sparsity: Array, target: float, look: Palette = LIGHT) -> Chart:
    """Sparsity per layer as a strip of bars, for a glance.

    Args:
        sparsity: (layers,).
    """
    layers = np.arange(len(sparsity))
    figure = go.Figure(
        go.Bar(
            x=layers,
            y=sparsity,
            marker={"color": look.undecided, "line": {"width": 0}},
            hovertemplate="layer %{x}: %{y:.4f}<extra></extra>",
            name="sparsity",
        )
    )
    low, high = min(float(sparsity.min()), target), max(float(sparsity.max()), target)
    room = max(0.3 * (high - low), 0.02)
    figure.add_hline(y=target, line={"color": look.guide, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis={"title": None, "showticklabels": False, "showgrid": False},
        yaxis={"range": [max(0, low - room), high + room], "nticks": 3, "tickformat": ".0%", "title": None},
        bargap=0.15,
    )
    finding = f"Layers from {sparsity.min():.3f} to {sparsity.max():.3f}, target {target:g}."
    table = pd.DataFrame({"layer": layers, "sparsity": sparsity})
    return Chart("strip", "Sparsity of each layer", layout(figure, height=96), finding, table)


# --- perplexity against target -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Curve:
    """One method at the targets it was measured at."""

    name: str
    points: Mapping[float, Array]  # target -> (seeds,) perplexities
    shown: bool = False
    loose: bool = False  # several strengths at one target: points without a line


def perplexity(
    curves: Sequence[Curve], dense: float, broken: Mapping[str, int | None] | None = None, look: Palette = LIGHT
) -> Chart:
    """Perplexity over target sparsity on a log axis: a line per method through the mean of its seeds.

    Args:
        dense: perplexity of the dense model; NaN while it is not measured.
        broken: name -> first layer whose output is not finite, of the settings that cannot be drawn.
    """
    known = [each for each in map(_finite, curves) if each.points]
    order = sorted(range(len(known)), key=lambda index: known[index].shown)
    figure = go.Figure()
    for index in order:
        _add_curve(figure, known[index], index, look)
    every = [value for each in known for values in each.points.values() for value in values]
    every += [dense] if math.isfinite(dense) else []
    targets = sorted({target for each in known for target in each.points}) or [0.7]
    first, last = 100 * targets[0], 100 * targets[-1]
    span = max(last - first, 8.0)
    low, high = limits(np.array(every))
    _add_labels(figure, known, last + 0.015 * span, math.log(max(high / low, 1.5)) / 22, look)
    if math.isfinite(dense):
        _add_dense(figure, dense, first - 0.05 * span, look)
    figure.update_layout(
        xaxis={
            "title": "target sparsity, % zeros",
            "tickvals": [round(100 * each, 6) for each in targets],
            "range": [first - 0.06 * span, last + 0.64 * span],
            "showgrid": False,
        },
        yaxis=log_axis(np.array(every), "perplexity (log scale)"),
    )
    table = pd.DataFrame(
        [
            (each.name, target, _mean(values), float(values.min()), float(values.max()), len(values))
            for each in curves
            for target, values in each.points.items()
        ],
        columns=["method", "target", "perplexity", "least seed", "greatest seed", "seeds"],
    )  # fmt: skip
    said = _perplexity_finding(known, dense, broken or {})
    return Chart("perplexity", "Perplexity against target sparsity", layout(figure, height=460), said, table)


def _add_dense(figure: go.Figure, dense: float, x: float, look: Palette) -> None:
    """The dense model as a line, its name at the left end."""
    figure.add_hline(y=dense, line={"color": look.guide, "width": 1.5, "dash": "dot"})
    figure.add_scatter(
        x=[x],
        y=[dense],
        text=[f"dense {digits(dense, 3)}"],
        textfont={"size": 12, "color": look.ink},
        mode="text",
        textposition="top right",
        hoverinfo="skip",
        name="dense",
    )


def _finite(curve: Curve) -> Curve:
    points = {target: values for target, values in curve.points.items() if np.isfinite(values).all()}
    return Curve(curve.name, points, curve.shown, curve.loose)


def _mean(values: Array) -> float:
    return float(np.exp(np.log(values).mean()))


def _add_curve(figure: go.Figure, curve: Curve, index: int, look: Palette) -> None:
    colour = look.accent if curve.shown else look.ink if index == 0 else look.undecided
    targets = sorted(curve.points)
    symbol = SYMBOLS[index % len(SYMBOLS)]
    if not curve.loose:
        figure.add_scatter(
            x=[100 * each for each in targets],
            y=[_mean(curve.points[each]) for each in targets],
            mode="lines",
            line={"color": colour, "width": 2.5 if curve.shown else 1.5, "dash": DASHES[index % len(DASHES)]},
            hoverinfo="skip",
            name=f"{curve.name}, mean",
        )
    figure.add_scatter(
        x=[100 * each for each in targets for _ in curve.points[each]],
        y=[value for each in targets for value in curve.points[each]],
        mode="markers",
        marker={"color": colour, "size": 9 if curve.shown else 7, "symbol": symbol, "opacity": 0.85},
        hovertemplate=f"{curve.name}, %{{x:g}} %: %{{y:.4g}}<extra></extra>",
        name=curve.name,
    )


def _add_labels(figure: go.Figure, curves: Sequence[Curve], x: float, gap: float, look: Palette) -> None:
    """Names right of the last target; who was not measured there says where it was."""
    if not curves:
        return
    last = max(target for each in curves for target in each.points)
    ends = [max(each.points) for each in curves]
    names = [IN_VIEW if each.shown and len(each.name) > SHORT else each.name for each in curves]
    names = [name if end == last else f"{name} ({end:.0%})" for name, end in zip(names, ends, strict=True)]
    names = [f"<b>{name}</b>" if each.shown else name for name, each in zip(names, curves, strict=True)]
    colours = [look.accent if each.shown else look.ink for each in curves]
    values = [_mean(each.points[end]) for each, end in zip(curves, ends, strict=True)]
    figure.add_trace(line_labels(x, values, names, colours, gap))


def _perplexity_finding(curves: Sequence[Curve], dense: float, broken: Mapping[str, int | None]) -> str:
    said = []
    if math.isfinite(dense):
        said.append(f"Dense: {digits(dense, 3)}.")
    targets = sorted({target for each in curves for target in each.points})
    if targets:
        here = {each.name: _mean(each.points[targets[-1]]) for each in curves if targets[-1] in each.points}
        least, most = min(here, key=here.get), max(here, key=here.get)
        text = f"At {targets[-1]:.0%} zeros {least} has the least perplexity, {digits(here[least], 3)}"
        said.append(f"{text}; {most} the greatest, {digits(here[most], 3)}." if most != least else f"{text}.")
    return " ".join([*said, *not_a_number(broken)]) or "Nothing is measured yet."


def not_a_number(broken: Mapping[str, int | None]) -> list[str]:
    """A sentence for every setting whose perplexity is not a number, with the layer where that arose."""
    return [
        f"{name}: the perplexity is not a number, from layer {layer} on."
        if layer is not None
        else f"{name}: the perplexity is not a finite number, though every layer's output is."
        for name, layer in broken.items()
    ]


# --- changes in per cent -------------------------------------------------------------------------------------------


def changes(
    rows: Mapping[str, Interval], shown: str | None, against: str, look: Palette = LIGHT, title: str | None = None
) -> Chart:
    """Change of perplexity with its paired interval, a row per setting, least first.

    Args:
        rows: name -> change in per cent, from `core.comparison.percent`.
        shown: the highlighted name.
        against: what they are compared with.
    """
    known = {name: each for name, each in rows.items() if math.isfinite(each.value)}
    names = sorted(known, key=lambda name: known[name].value)
    values = np.array([_logs(known[name]) for name in names]).reshape(-1, 3)
    colours = [look.accent if name == shown else look.ink for name in names]
    figure = go.Figure(
        go.Scatter(
            x=values[:, 0],
            y=names,
            error_x=_whiskers(values, look),
            mode="markers",
            marker={"size": 10, "color": colours},
            customdata=[said(known[name]) for name in names],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            name="change",
        )
    )
    figure.add_trace(_beside(values, names, [said(known[name]) for name in names], colours))
    figure.add_vline(x=0, line={"color": look.guide, "width": 1.5})
    axis = change_axis(values, f"change of perplexity against {against}, %")
    axis["range"] = [axis["range"][0], axis["range"][1] + 0.66 * (axis["range"][1] - axis["range"][0])]
    figure.update_layout(xaxis=axis, yaxis={"autorange": "reversed", "showgrid": False, "title": None})
    table = pd.DataFrame(
        [(name, each.value, each.low, each.high, each.n) for name, each in rows.items()],
        columns=["setting", "change, %", "low", "high", "windows"],
    )
    layout(figure, height=110 + 34 * len(names))
    heading = title or f"Cost or gain against {against}"
    return Chart("changes", heading, figure, _changes_finding(rows, against), table)


def said(found: Interval) -> str:
    """`+12 % [9, 15]`; the value alone where there is no interval."""
    if not math.isfinite(found.value):
        return "not a number"
    decimals = 1 if abs(found.value) < 20 else 0
    ends = f" [{found.low:+,.{decimals}f}, {found.high:+,.{decimals}f}]" if found.certain else ", no interval"
    return f"{found.value:+,.{decimals}f} %{ends}"


def change_axis(values: Array, title: str) -> dict:
    """An axis of `ln(1 + per cent / 100)`: twice and half lie equally far from nothing; ticks in per cent."""
    usable = values[np.isfinite(values)]
    low, high = min(usable.min(initial=0.0), -0.02), max(usable.max(initial=0.0), 0.02)
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    inside = [each for each in (*TICKS, *BIG_TICKS) if low <= math.log1p(each / 100) <= high]
    ticks = [0]
    for each in sorted(inside, key=lambda tick: (abs(tick) % 10 != 0, abs(tick) % 5 != 0, abs(tick))):
        if all(abs(math.log1p(each / 100) - math.log1p(other / 100)) > (high - low) / 9 for other in ticks):
            ticks.append(each)
    return {
        "title": title,
        "range": [low, high],
        "tickvals": [math.log1p(each / 100) for each in sorted(ticks)],
        "ticktext": [f"{each:+,d}" if each else "0" for each in sorted(ticks)],
    }


def _logs(found: Interval) -> list[float]:
    with np.errstate(invalid="ignore"):
        return [
            math.log1p(each / 100) if math.isfinite(each) else math.nan for each in (found.value, found.low, found.high)
        ]


def _whiskers(values: Array, look: Palette) -> dict:
    return {
        "type": "data",
        "array": np.nan_to_num(values[:, 2] - values[:, 0]),
        "arrayminus": np.nan_to_num(values[:, 0] - values[:, 1]),
        "color": look.undecided,
        "thickness": 2,
        "width": 0,
    }


def _beside(values: Array, names: Sequence[str], texts: Sequence[str], colours: Sequence[str]) -> go.Scatter:
    """What each row says, in a column right of all intervals."""
    right = max(float(np.nanmax(values)), 0.0) if len(values) else 0.0
    return go.Scatter(
        x=[right] * len(names),
        y=list(names),
        text=[f"   {text}" for text in texts],
        textfont={"color": list(colours), "size": 12},
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )


def _changes_finding(rows: Mapping[str, Interval], against: str) -> str:
    parts = {"gains": [], "costs": [], "no different": []}
    few, unknown = [], []
    for name, found in rows.items():
        if not math.isfinite(found.value):
            unknown.append(name)
        elif not found.certain:
            few.append(name)
        else:
            parts["costs" if found.low > 0 else "gains" if found.high < 0 else "no different"].append(name)
    text = []
    text += [f"{count(parts['gains'])} of {len(rows)} better than {against}"]
    text += [f"{count(parts['costs'])} worse", f"{count(parts['no different'])} no different"]
    sentence = ", ".join(text)
    if few:
        sentence += f"; {len(few)} with too few windows to tell (fewer than {FEWEST_WINDOWS})"
    if unknown:
        sentence += f"; not a number: {', '.join(unknown)}"
    return f"{sentence[:1].upper()}{sentence[1:]}."


def count(names: Sequence[str]) -> str:
    """`none`, or how many."""
    return str(len(names)) if names else "none"


# --- the correction beside its controls ----------------------------------------------------------------------------


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
    for index, (name, found) in enumerate(families.items()):
        strengths = [each for each in sorted(found) if all(math.isfinite(one.value) for one in found[each])]
        if not strengths:
            continue
        logs = {each: np.array([_logs(one) for one in found[each]]) for each in strengths}
        every += [float(value) for each in logs.values() for value in each.ravel() if math.isfinite(value)]
        middle = [float(np.median(logs[each][:, 0])) for each in strengths]
        ends.append((name, strengths[-1], middle[-1], index == 0))
        _add_control(figure, name, strengths, logs, middle, index, look)
    figure.add_hline(y=0, line={"color": look.guide, "width": 1.5})
    last = max((each for found in families.values() for each in found), default=0.1)
    if with_paper:
        every.append(math.log1p(PAPER_PERPLEXITY / 100))
        _add_paper(figure, last, look)
    axis = change_axis(np.array(every), f"change of perplexity against {base}, %")
    _add_ends(figure, ends, (axis["range"][1] - axis["range"][0]) / 17, look)
    if shown:
        figure.add_vline(x=shown, line={"color": look.accent, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis={
            "title": "correction strength, sparsity (our parameter)",
            "range": [-0.03 * last, 1.4 * last],
            "tickvals": _spaced(sorted({0.0, *(each for found in families.values() for each in found)})),
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
        layout(figure, height=440),
        _correction_finding(families, base),
        table,
    )


def _spaced(values: Sequence[float]) -> list[float]:
    """Every value, or every other one and so on, so that at most seven are left."""
    return list(values[:: math.ceil(len(values) / 7)])


def _add_control(
    figure: go.Figure, name: str, strengths: Sequence[float], logs: Mapping[float, Array], middle: Sequence[float],
    index: int, look: Palette,
) -> None:  # fmt: skip
    colour = look.accent if index == 0 else look.ink
    ranged = any(len(logs[each]) > 1 for each in strengths)
    low, high = (
        np.array([edge(logs[each][:, 0]) if ranged else logs[each][0, side] for each in strengths])
        for edge, side in ((np.min, 1), (np.max, 2))
    )
    values = np.column_stack([middle, low, high])
    if ranged:
        figure.add_scatter(
            x=[*strengths, *reversed(strengths)],
            y=[*high, *low[::-1]],
            fill="toself",
            fillcolor=see_through(look.undecided, 0.25),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name=f"{name}, range",
        )
    figure.add_scatter(
        x=list(strengths),
        y=list(middle),
        error_y=None if ranged else _whiskers(values, look),
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if index == 0 else 1.5, "dash": ("solid", *DASHES)[index % 6]},
        marker={"size": 8, "symbol": SYMBOLS[index % len(SYMBOLS)]},
        customdata=[f"{100 * math.expm1(each):+.3g} %" for each in middle],
        hovertemplate=f"{name}, strength %{{x:g}}: %{{customdata}}<extra></extra>",
        name=name,
    )


def _add_paper(figure: go.Figure, last: float, look: Palette) -> None:
    y = math.log1p(PAPER_PERPLEXITY / 100)
    figure.add_hline(y=y, line={"color": look.guide, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=0, y=y, xanchor="left", yanchor="top", showarrow=False, font={"size": 11, "color": look.ink},
        text=f"{PAPER_PERPLEXITY:+.2f} %: {PAPER}",
    )  # fmt: skip


def _add_ends(figure: go.Figure, ends: list[tuple[str, float, float, bool]], gap: float, look: Palette) -> None:
    if not ends:
        return
    last = max(each[1] for each in ends)
    labels = line_labels(
        1.03 * last,
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
    better = [each for each, found in known.items() if found.high < 0]
    worse = [each for each, found in known.items() if found.low > 0]
    sentence = (
        f"Of {len(known)} strengths of the correction, {count(better)} gain, {count(worse)} cost and "
        f"{count([each for each in known if each not in better and each not in worse])} are no different from {base}"
    )
    return f"{sentence}; bars are 95 % intervals over windows, the band is the range of the shuffles."


# --- zero-shot -----------------------------------------------------------------------------------------------------


def accuracies(rows: Mapping[str, tuple[float, float]], shown: str | None, what: str, look: Palette = LIGHT) -> Chart:
    """Accuracy as bars with their standard errors, in the order given.

    Args:
        rows: name -> accuracy and standard error, fractions.
        what: the task, or the mean of tasks.
    """
    names = list(rows)
    values = np.array([rows[name] for name in names])
    colours = [look.accent if name == shown else look.undecided for name in names]
    figure = go.Figure(
        go.Bar(
            x=100 * values[:, 0],
            y=names,
            orientation="h",
            error_x={"type": "data", "array": 100 * np.nan_to_num(values[:, 1]), "color": look.ink, "thickness": 1.5},
            marker={"color": colours, "line": {"width": 0}},
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
            name="accuracy",
        )
    )
    figure.add_scatter(
        x=100 * (values[:, 0] + np.nan_to_num(values[:, 1])),
        y=names,
        text=[f"  {100 * mean:.1f} ± {100 * error:.1f}" for mean, error in values],
        textfont={"color": look.ink, "size": 12},
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )
    top = 100 * float((values[:, 0] + np.nan_to_num(values[:, 1])).max())
    figure.update_layout(
        xaxis={"title": f"accuracy, %: {what}", "range": [0, 1.25 * top + 1]},
        yaxis={"autorange": "reversed", "showgrid": False, "title": None},
        bargap=0.35,
    )
    table = pd.DataFrame({"setting": names, "accuracy": values[:, 0], "standard error": values[:, 1]})
    best, worst = names[int(values[:, 0].argmax())], names[int(values[:, 0].argmin())]
    most, least = (f"{100 * rows[name][0]:.1f} ± {100 * rows[name][1]:.1f} %" for name in (best, worst))
    finding = (
        f"{best[:1].upper()}{best[1:]} answers most right ({most}), {worst} least ({least}); ± is the standard error."
    )
    return Chart("zero-shot", "Zero-shot accuracy", layout(figure, height=110 + 34 * len(names)), finding, table)
