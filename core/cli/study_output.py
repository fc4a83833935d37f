"""Saying what a study found: one JSON object, or tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from core.cli.output import out, say_helped
from core.results.comparison import Interval
from core.results.evaluated import Change, EvaluatedSetting, seedless
from core.results.evaluations import Evaluations, uncontrolled
from core.results.verdicts import quoted


def point_json(found: Evaluations, one: EvaluatedSetting) -> dict[str, Any]:
    """One point of a study."""
    return {
        "perplexity": one.perplexity,
        "kl": one.kl,
        "agreement": one.agreement,
        "windows": len(one.result.evaluated.nll),
        "broken_at_layer": one.broken,
        "seconds_pruning": _seconds(one),
        "tasks": {name: _accuracy(one, name) for name in one.result.tasks},
        "protocol": protocol_json(found, one),
    }


def _seconds(one: EvaluatedSetting) -> float | None:
    """How long pruning, its repair included, took where it was done; None for the dense model."""
    return one.result.about.get("seconds_pruning") if one.setting else None


def protocol_json(found: Evaluations, one: EvaluatedSetting) -> dict[str, Any]:
    """How a point was measured: what must be alike before numbers are compared."""
    text = found.spec.text
    return {
        "text": one.result.about.get("text", found.provenance.get("text")),
        "text_hash": text.content,
        "windows": text.sequences,
        "length": text.length,
        "packing": text.packing,
        "bos": text.bos,
        "dtype": found.spec.model.dtype,
        "calibration": _calibration(one),
    }


def _calibration(one: EvaluatedSetting) -> dict[str, Any] | None:
    """None for the dense model, and where the pruner looks at no text."""
    pruned = one.result.pruned
    if pruned is None or pruned.calibration is None:
        return None
    read = pruned.calibration
    return {
        "text": one.result.about.get("calibration"),
        "text_hash": read.content,
        "windows": read.sequences,
        "length": read.length,
        "seed": one.setting.calibration_seed,
    }


def interval_json(found: Interval) -> dict[str, Any]:
    """An interval in per cent of perplexity."""
    return {"percent": found.value, "interval": [found.low, found.high], "windows": found.n}


def change_json(found: Change | None) -> dict[str, Any] | None:
    """A change of perplexity in per cent with its paired interval; None where there is nothing to compare with."""
    return found and interval_json(found.windows)


def seeds_json(found: Change | None) -> dict[str, Any] | None:
    """The same with its spread over calibration seeds; None too where no text is looked at."""
    if found is None or not found.seeds.n:
        return None
    return {"percent": found.seeds.value, "interval": [found.seeds.low, found.seeds.high], "seeds": found.seeds.n}


def study_json(found: Evaluations) -> dict[str, Any]:
    """All points of a study."""
    rows = []
    for each in found.singles:
        row = {"name": each.result.name, **point_json(found, each), "warnings": each.warnings}
        if each.setting:
            row["setting"] = each.setting.model_dump(mode="json")
            row["against_uniform"] = change_json(each.against_uniform)
            row["against_base"] = change_json(each.against_base)
            row["over_seeds"] = over_seeds_json(found, each)
            row["over_shuffles"] = shuffles_json(found, each)
        rows.append(row)
    return {"text": found.provenance.get("text"), "points": rows}


def _over_seeds(found: Evaluations, one: EvaluatedSetting) -> Change | None:
    """A setting against uniform over all its calibration seeds; None below two of them."""
    change = found.of(one.setting).against_uniform
    return change if change and change.seeds.n > 1 else None


def over_seeds_json(found: Evaluations, one: EvaluatedSetting) -> dict[str, Any] | None:
    """Change against uniform in per cent over calibration seeds with a Student-t interval, and for each of them."""
    change = _over_seeds(found, one)
    if change is None:
        return None
    alike = [each for each in found.singles if each.setting and seedless(each.setting) == seedless(one.setting)]
    by_seed = {each.setting.calibration_seed: each.against_uniform for each in alike}
    told = {str(seed): each.value for seed, each in sorted(by_seed.items()) if each}
    return {**seeds_json(change), "each": told}


def shuffles_json(found: Evaluations, one: EvaluatedSetting) -> dict[str, Any] | None:
    """The least and the greatest change in per cent over the shuffles of a correction that a study holds.

    None below two shuffles, and where there is no correction.
    """
    shuffled = found.controls(one)["shuffled"]
    if len(shuffled) < 2:
        return None
    found: dict[str, Any] = {"shuffles": len(shuffled)}
    for name in ("against_uniform", "against_base"):
        values = [getattr(each, name).value for each in shuffled if getattr(each, name)]
        found[name] = [float(np.min(values)), float(np.max(values))] if values else None
    return found


def _accuracy(one: EvaluatedSetting, task: str) -> dict[str, float]:
    return dict(zip(("acc", "acc_stderr", "examples"), one.accuracy(task), strict=True))


def _share(right: float, error: float, _: int) -> str:
    """`0.350 ± 0.034`; without an error where one example has none."""
    return f"{right:.3f} ± {error:.3f}" if np.isfinite(error) else f"{right:.3f}"


def study_table(found: Evaluations) -> None:
    """A study for people: a row per point; below it what is known over seeds and shuffles, and what went wrong."""
    tasks = [task.name for task in found.spec.tasks]
    corrected = any(each.base not in (None, each.uniform) for each in found.singles)
    view = Table(title=escape(_title(found)))
    view.add_column("setting", overflow="fold")
    for column in (
        "perplexity",
        "against uniform",
        *(["against base"] if corrected else []),
        "KL",
        *tasks,
        "pruned in",
    ):
        view.add_column(column, justify="right")
    for each in found.singles:
        changes = [each.against_uniform, *([each.against_base] if corrected else [])]
        accuracies = [_share(*each.accuracy(name)) for name in tasks]
        said = [change(one.windows) if one else "" for one in changes]
        seconds = _seconds(each)
        took = "" if seconds is None else f"{seconds:.3g} s"
        view.add_row(
            escape(each.name), each.trouble or f"{each.perplexity:.4g}", *said, f"{each.kl:.4g}", *accuracies, took
        )
    out.print(view)
    for line in dict.fromkeys([*_calibrated(found), *_seeds_said(found), *_shuffles_said(found)]):
        out.print(line, markup=False, soft_wrap=True)
    for each in found.singles:
        say_helped(each.name, each.helped)
    out.print(f"study {found.spec.key}")


def _title(found: Evaluations) -> str:
    """Model and protocol."""
    text, told = found.spec.text, found.provenance
    return (
        f"{told.get('model')} on {told.get('text')}, {text.sequences} x {text.length} tokens, {found.spec.model.dtype}"
    )


def _calibrated(found: Evaluations) -> Iterator[str]:
    """What the pruned points were calibrated on."""
    for each in found.singles:
        read = _calibration(each)
        if read:
            yield "calibrated on {text}, {windows} x {length} tokens".format(**read)


def change(found: Interval) -> str:
    """A change in per cent as a cell of a table; an interval only where there is one, nothing where no number is."""
    if math.isnan(found.value):
        return ""
    return f"{found.value:+.1f} %" + (f" [{found.low:.1f}, {found.high:.1f}]" if found.certain else "")


def _seeds_said(found: Evaluations) -> Iterator[str]:
    """What each setting does to uniform over several calibration seeds, in sentences."""
    for each in found.settings:
        over = _over_seeds(found, each)
        if over:
            yield f"{each.setting.name}: {quoted(over)} against uniform"


def _shuffles_said(found: Evaluations) -> Iterator[str]:
    """How far the shuffles of each correction spread, in sentences."""
    for each in found.singles:
        over = each.setting and shuffles_json(found, each)
        if over:
            against = [
                "{:+.1f} to {:+.1f} % against {}".format(*over[name], name.removeprefix("against_"))
                for name in ("against_uniform", "against_base")
                if over[name] and (name == "against_uniform" or over[name] != over["against_uniform"])
            ]
            yield f"{uncontrolled(each.setting).name}, {over['shuffles']} shuffles of it: {', '.join(against)}"
