"""Saying results: one JSON object, or tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from core import absorption, studies
from core.comparison import Interval, over_seeds, percent, standard_error
from core.cost import duration
from core.profiles import Profile
from core.records import Status
from core.settings import Setting
from core.store import Entry
from core.studies import Measured, Study
from core.words import helped

out = Console()
err = Console(stderr=True)


def say_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinity become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


@contextmanager
def progress_bar(expected: str) -> Iterator[Any]:
    """A progress bar on stderr; yields the function that is told each status.

    What is expected is said once the measuring begins, so that a refused request stays one line.
    """
    columns = (TextColumn("{task.percentage:>3.0f} %"), BarColumn(30), TextColumn("{task.fields[left]}"),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("starting", total=None, left="")
        unsaid = [expected]

        def tell(status: Status) -> None:
            if status.total and unsaid:
                err.print(unsaid.pop(), soft_wrap=True)
            rate = f", {status.rate / 1e3:.0f} GFLOP/s" if status.rate else ""
            left = f"{duration(status.seconds_left)} left{rate}" if status.seconds_left is not None else ""
            bar.update(task, description=status.line, completed=status.done, total=status.total or None, left=left)

        yield tell


def summary(entry: Entry, found: Profile | None = None) -> dict[str, Any]:
    """What `measure` answers."""
    told = entry.provenance
    seconds = told.get("seconds", {})
    seconds = seconds if isinstance(seconds, dict) else {"sweep": seconds}
    return {
        "key": entry.key,
        "layers": found.layers if found else None,
        "seconds": seconds.get("sweep"),
        "seconds_loading": seconds.get("loading"),
        "seconds_statistics": seconds.get("statistics"),
        "engine": told.get("engine"),
        "model": told.get("model"),
        "text": told.get("text"),
        "sequences": entry.spec.text.sequences,
        "length": entry.spec.text.length,
        "perturbations": list(dict.fromkeys(each.perturbation.name for each in entry.spec.measurements)),
        "warnings": told.get("warnings", []),
    }


def gains_of(found: Profile) -> list[dict[str, Any]]:
    """Per perturbation: gains, interval and verdict of every layer, and the sentence about them."""
    rows = []
    for name, seeds in found.by_name.items():
        gains = absorption.gains(seeds)
        rows.append(
            {
                "name": name,
                "gains": gains.value,
                "interval": np.stack([gains.low, gains.high], axis=1),
                "verdict": list(gains.verdicts),
                "finding": absorption.finding(gains),
                "mean_ratio": gains.mean_ratio,
                "median": gains.median,
                "drift": gains.drift,
                "drift_first": np.mean([np.diag(each.drift_first) for each in seeds], axis=0),
                "final_drift": absorption.matrix(seeds)[:, -1],
                "kl": np.mean([each.kl.mean(1) for each in seeds], axis=0),
                "nll_increase": np.mean([each.nll_increase.mean(1) for each in seeds], axis=0),
                "flips": np.mean([each.flips.mean(1) for each in seeds], axis=0),
                "seeds": len(seeds),
                "n": gains.n,
            }
        )
    return rows


def gains_table(found: Profile) -> None:
    """Gains for people: a row per layer, a column per perturbation; the sentences below."""
    rows = gains_of(found)
    told = found.provenance
    table = Table(title=escape(f"Gain per layer: {told.get('model')} on {told.get('text')}"))
    table.add_column("layer", justify="right")
    for row in rows:
        name = row["name"].replace("residual_rescaled", "rescaled").replace(":", "\n", 1)
        table.add_column(escape(name), justify="right")
    marks = {"amplifies": "[red]+[/red]", "absorbs": "[blue]-[/blue]"}
    for layer in range(found.layers):
        cells = [f"{row['gains'][layer]:.3g} {marks.get(row['verdict'][layer], ' ')}" for row in rows]
        table.add_row(str(layer), *cells)
    out.print(table)
    out.print("+ amplifies, - absorbs (95 %, outside a band of 5 %); the last layer is 1 by definition")
    for row in rows:
        out.print(f"[bold]{escape(row['name'])}[/bold]: {escape(row['finding'])}")


def matrix_table(name: str, matrix: np.ndarray) -> None:
    """A drift matrix as text: rows injected, columns read."""
    table = Table(title=escape(f"Drift, {name}: injected at (row), read at (column)"))
    table.add_column("", justify="right")
    for layer in range(len(matrix)):
        table.add_column(str(layer), justify="right")
    for layer, row in enumerate(matrix):
        table.add_row(str(layer), *["" if np.isnan(value) else f"{value:.2g}" for value in row])
    Console(width=max(out.width, 8 * len(matrix))).print(table)


# --- studies -------------------------------------------------------------------------------------------------------


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
    """None for the dense model, and for magnitude, which looks at no text."""
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

    The mean is taken of logarithms, as on the Prune page. None below two seeds, for uniform itself, and for magnitude,
    which looks at no calibration text.
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
    bases = {each.name: found.base(each) for each in found.pruned}
    corrected = any(bases[each.name] not in (None, each, found.twin(each)) for each in found.pruned)
    view = Table(title=escape(_title(found)))
    view.add_column("setting")
    for column in ("perplexity", "against uniform", *(["against base"] if corrected else []), "KL", *tasks):
        view.add_column(column, justify="right")
    for each in found.points:
        changes = [_against(each, found.twin(each)) if each.setting else ""]
        changes += [_against(each, bases.get(each.name))] if corrected else []
        accuracies = [_accuracy(each.tasks[name].acc) for name in tasks]
        cells = [f"{one['acc']:.3f} ± {one['acc_stderr']:.3f}" for one in accuracies]
        view.add_row(escape(each.name), _perplexity(each), *changes, f"{each.kl:.4g}", *cells)
    out.print(view)
    for line in dict.fromkeys([*_calibrated(found), *_over_seeds(found), *_over_shuffles(found)]):
        out.print(line, markup=False, soft_wrap=True)
    for each in found.points:
        say_warnings(each.name, each.warnings, each.about.get("stopped"))
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
    return f"{found.value:+.1f} %" + (f" [{found.low:.1f}, {found.high:.1f}]" if found.certain else "")


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
                "{:+.1f} to {:+.1f} % against {}".format(*over[name], name.removeprefix("against_"))
                for name in ("against_uniform", "against_base")
                if over[name] and (name == "against_uniform" or over[name] != over["against_uniform"])
            ]
            yield f"{_uncontrolled(each.setting).name}, {over['shuffles']} shuffles of it: {', '.join(against)}"


def say_warnings(name: str, warnings: list[str], stopped: str | None = None) -> None:
    """What pruning had to be helped along with, and what put an end to it.

    Args:
        stopped: one of the warnings; None where pruning came to its end.
    """
    warning = helped([each for each in warnings if each != stopped])
    broke = f"Pruning broke the model: {stopped}." if stopped else None
    for said in filter(None, (warning, broke)):
        out.print(f"{name}. {said}", markup=False, soft_wrap=True)


def _perplexity(measured: Measured) -> str:
    return measured.trouble or f"{measured.perplexity:.4g}"


# --- the cache -----------------------------------------------------------------------------------------------------


def runs_table(found: dict[str, list[Entry]], jobs: list[Any], troubles: list[str]) -> None:
    """What is in the cache, for people.

    Args:
        found: entries by kind.
    """
    for kind, lines in LINES.items():
        for entry in found.get(kind, []):
            model = f"{entry.provenance.get('model')}{' (committed)' if entry.committed else ''}"
            out.print(f"[bold]{entry.key}[/bold]  {kind}: {escape(model)}", soft_wrap=True)
            for line in (*lines(entry), _when(entry)):
                out.print(f"    {line}", markup=False, soft_wrap=True)
    for job in jobs:
        out.print(f"run {job.key}: {job.state}, {job.request.title}: {job.status.line}", markup=False, soft_wrap=True)
    for trouble in troubles:
        out.print(f"set aside as corrupt: {trouble}", markup=False, soft_wrap=True)


def _profile_lines(entry: Entry) -> list[str]:
    text = entry.spec.text
    count = len({each.perturbation.name for each in entry.spec.measurements})
    return [f"{entry.provenance.get('text')}, {text.sequences} x {text.length} tokens, {count} perturbations"]


def _study_lines(entry: Entry) -> list[str]:
    text = entry.spec.text
    names = [each.setting.name for each in entry.spec.points if each.setting]
    shown = "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
    judged = f"{entry.provenance.get('text')}, {text.sequences} x {text.length} tokens"
    return [f"{judged}, {len(entry.spec.points)} points", *([shown] if shown else [])]


def _export_lines(entry: Entry) -> list[str]:
    told = entry.provenance
    size = f", {told['bytes']:,} bytes" if isinstance(told.get("bytes"), int) else ""
    return [f"{told.get('setting')}, in {told.get('folder', entry.spec.folder)}{size}"]


def _best_lines(entry: Entry) -> list[str]:
    return [f"{entry.spec.winner.name}, judged by study {entry.spec.final.key}"]


def _when(entry: Entry) -> str:
    told = entry.provenance
    return f"made {told.get('created')} on {told.get('device')} in {told.get('dtype')}"


LINES = {"profile": _profile_lines, "study": _study_lines, "export": _export_lines, "best": _best_lines}
