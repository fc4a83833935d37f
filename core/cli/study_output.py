"""Saying what a study found: one JSON object, or tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from core.analysis import studies
from core.analysis.comparison import Interval, over_seeds, percent, standard_error
from core.analysis.studies import Measured, Study
from core.cli.output import out, say_helped
from core.specs.settings import Setting


def point_json(found: Study, measured: Measured) -> dict[str, Any]:
    """One point of a study."""
    return {
        "perplexity": measured.perplexity,
        "kl": measured.kl,
        "agreement": measured.agreement,
        "windows": len(measured.evaluated.nll),
        "broken_at_layer": measured.broken,
        "tasks": {name: _accuracy(answers.acc) for name, answers in measured.tasks.items()},
        "protocol": protocol_json(found, measured),
    }


def protocol_json(found: Study, measured: Measured) -> dict[str, Any]:
    """How a point was measured: what must be alike before numbers are compared."""
    text = found.spec.text
    return {
        "text": measured.about.get("text", found.provenance.get("text")),
        "text_hash": text.content,
        "windows": text.sequences,
        "length": text.length,
        "packing": text.packing,
        "bos": text.bos,
        "dtype": found.spec.model.dtype,
        "calibration": _calibration(measured),
    }


def _calibration(measured: Measured) -> dict[str, Any] | None:
    """None for the dense model, and where the pruner looks at no text."""
    read = measured.point.pruned.calibration if measured.point.pruned else None
    if read is None:
        return None
    return {
        "text": measured.about.get("calibration"),
        "text_hash": read.content,
        "windows": read.sequences,
        "length": read.length,
        "seed": measured.setting.calibration_seed,
    }


def comparison_json(measured: Measured, other: Measured | None) -> dict[str, Any] | None:
    """Change of perplexity in per cent with its paired interval; None where there is nothing to compare with."""
    if other is None or other is measured:
        return None
    return interval_json(studies.against(measured, other))


def interval_json(found: Interval) -> dict[str, Any]:
    """An interval in per cent of perplexity."""
    return {"percent": found.value, "interval": [found.low, found.high], "windows": found.n}


def study_json(found: Study) -> dict[str, Any]:
    """All points of a study."""
    rows = []
    for each in found.points:
        row = {"name": each.name, **point_json(found, each), "warnings": each.warnings}
        if each.setting:
            row["setting"] = each.setting.model_dump(mode="json")
            row["against_uniform"] = comparison_json(each, found.twin(each))
            row["against_base"] = comparison_json(each, found.base(each))
            row["over_seeds"] = seeds_json(found, each)
            row["over_shuffles"] = shuffles_json(found, each)
        rows.append(row)
    return {"text": found.provenance.get("text"), "points": rows}


def seeds_json(found: Study, measured: Measured) -> dict[str, Any] | None:
    """Change against uniform in per cent for each calibration seed, and its mean with a Student-t interval.

    The mean is taken of logarithms, as on the Prune page. None below two seeds, for uniform itself, and where the
    pruner looks at no calibration text.
    """
    if measured.point.pruned.calibration is None or measured.setting == measured.setting.uniform:
        return None
    alike = sorted(
        (each for each in found.pruned if _unseeded(each.setting) == _unseeded(measured.setting)),
        key=lambda each: each.setting.calibration_seed,
    )
    pairs = {each.setting.calibration_seed: (each, found.twin(each)) for each in alike if found.twin(each)}
    if len(pairs) < 2:
        return None
    difference = np.array([one.evaluated.nll.mean() - two.evaluated.nll.mean() for one, two in pairs.values()])
    with np.errstate(over="ignore"):
        by_seed = dict(zip(map(str, pairs), 100 * np.expm1(difference), strict=True))
    over = percent(over_seeds(difference))
    return {"percent": over.value, "interval": [over.low, over.high], "seeds": over.n, "each": by_seed}


def shuffles_json(found: Study, measured: Measured) -> dict[str, Any] | None:
    """The least and the greatest change in per cent over the shuffles of a correction that a study holds.

    None below two shuffles, and where there is no correction.
    """
    asked = measured.setting.allocation.correction
    if not asked.strength:
        return None
    shuffled = [
        each
        for each in found.pruned
        if each.setting.allocation.correction.control == "shuffled"
        and _uncontrolled(each.setting) == _uncontrolled(measured.setting)
    ]
    if len(shuffled) < 2:
        return None
    others = {"against_uniform": found.twin, "against_base": found.base}
    return {"shuffles": len(shuffled)} | {
        name: _range([studies.against(each, other(each)).value for each in shuffled if other(each)])
        for name, other in others.items()
    }


def _unseeded(setting: Setting) -> Setting:
    return setting.model_copy(update={"calibration_seed": 0})


def _uncontrolled(setting: Setting) -> Setting:
    """A setting with the correction itself in place of a control of it."""
    plain = setting.allocation.correction.model_copy(update={"control": "none", "seed": 0})
    return setting.model_copy(update={"allocation": setting.allocation.model_copy(update={"correction": plain})})


def _range(values: list[float]) -> list[float] | None:
    return [float(np.min(values)), float(np.max(values))] if values else None


def _accuracy(correct: np.ndarray) -> dict[str, float]:
    return {"acc": float(correct.mean()), "acc_stderr": standard_error(correct), "examples": len(correct)}


def study_table(found: Study) -> None:
    """A study for people: a row per point; below it what is known over seeds and shuffles, and what went wrong."""
    tasks = [task.name for task in found.spec.tasks]
    bases = {each: found.base(each) for each in found.pruned}
    corrected = any(base not in (None, found.twin(each)) for each, base in bases.items())
    view = Table(title=escape(_title(found)))
    view.add_column("setting")
    for column in ("perplexity", "against uniform", *(["against base"] if corrected else []), "KL", *tasks):
        view.add_column(column, justify="right")
    for each in found.points:
        changes = [_against(each, found.twin(each)) if each.setting else ""]
        changes += [_against(each, bases.get(each))] if corrected else []
        accuracies = [_accuracy(each.tasks[name].acc) for name in tasks]
        cells = [f"{one['acc']:.3f} ± {one['acc_stderr']:.3f}" for one in accuracies]
        view.add_row(escape(each.name), _perplexity(each), *changes, f"{each.kl:.4g}", *cells)
    out.print(view)
    for line in dict.fromkeys([*_calibrated(found), *_over_seeds(found), *_over_shuffles(found)]):
        out.print(line, markup=False, soft_wrap=True)
    for each in found.points:
        say_helped(each.name, each.helped)
    out.print(f"study {found.spec.key}")


def _title(found: Study) -> str:
    """Model and protocol."""
    text, told = found.spec.text, found.provenance
    return (
        f"{told.get('model')} on {told.get('text')}, {text.sequences} x {text.length} tokens, {found.spec.model.dtype}"
    )


def _calibrated(found: Study) -> Iterator[str]:
    """What the pruned points were calibrated on."""
    for each in found.pruned:
        read = _calibration(each)
        if read:
            yield "calibrated on {text}, {windows} x {length} tokens".format(**read)


def _against(measured: Measured, other: Measured | None) -> str:
    return "" if other is None or other is measured else change(studies.against(measured, other))


def change(found: Interval) -> str:
    """A change in per cent as a cell of a table; an interval only where there is one, nothing where no number is."""
    if math.isnan(found.value):
        return ""
    return f"{found.value:+.1f}%" + (f" [{found.low:.1f}, {found.high:.1f}]" if found.certain else "")


def _over_seeds(found: Study) -> Iterator[str]:
    """What each setting does to uniform over several calibration seeds, in sentences."""
    for each in found.pruned:
        over = seeds_json(found, each)
        if over:
            said = change(Interval(over["percent"], *over["interval"], over["seeds"])) or "not a number"
            name = _unseeded(each.setting).name
            yield f"{name}, over {over['seeds']} calibration seeds: {said} against uniform"


def _over_shuffles(found: Study) -> Iterator[str]:
    """How far the shuffles of each correction spread, in sentences."""
    for each in found.pruned:
        over = shuffles_json(found, each)
        if over:
            against = [
                "{:+.1f} to {:+.1f}% against {}".format(*over[name], name.removeprefix("against_"))
                for name in ("against_uniform", "against_base")
                if over[name] and (name == "against_uniform" or over[name] != over["against_uniform"])
            ]
            yield f"{_uncontrolled(each.setting).name}, {over['shuffles']} shuffles of it: {', '.join(against)}"


def _perplexity(measured: Measured) -> str:
    return measured.trouble or f"{measured.perplexity:.4g}"
