"""Output of a study: one JSON object, or tables for people."""

from collections.abc import Mapping

import numpy as np

from core.base import Estimate
from core.cli.terminal import Answer, say, say_table
from core.requests import Recipe, TextSpec
from core.results import Change, Prediction, Result, Study, protocols, rows_of
from core.results.study_table import study_table
from core.show.words import perplexity_sentences, study_lines


def point_json(study: Study, result: Result) -> Answer:
    """JSON of one result of a study."""
    return {
        "perplexity": result.perplexity,
        "kl": result.mean("kl"),
        "agreement": result.mean("agreement"),
        "windows": len(result.result.evaluated.nll),
        "broken_at_layer": result.broken,
        "seconds_pruning": result.result.about.get("seconds_pruning") if result.setting else None,
        "tasks": {
            study.tasks[task]: {"acc": known.value, "acc_stderr": known.error, "examples": len(result.answers(task))}
            for task, known in ((task, result.accuracy(task)) for task in result.result.tasks)
        },
        "protocol": protocol_json(study, result),
    }


def protocol_json(study: Study, result: Result) -> Answer:
    """JSON of the protocol of a result: all that must be equal before numbers are compared.

    `calibration` is None for the dense model, and where the pruner reads no text.
    """
    about, text = result.result.about, study.spec.text
    read = result.result.pruned and result.result.pruned.calibration
    return {
        "name": protocols.short_name(study),
        **_windows(about.get("text", study.provenance.get("text")), text),
        "packing": text.packing,
        "bos": text.bos,
        "dtype": study.spec.model.dtype,
        "calibration": read and _windows(about.get("calibration"), read) | {"seed": result.setting.calibration_seed},
    }


def _windows(name: str | None, text: TextSpec) -> Answer:
    return {"text": name, "text_hash": text.content, "windows": text.sequences, "length": text.length}


def interval_json(interval: Estimate, of: str = "windows") -> Answer:
    """JSON of an interval in per cent of perplexity, and the number of windows or seeds."""
    return {"percent": interval.value, "interval": [interval.low, interval.high], of: interval.n}


def change_json(change: Change | None) -> Answer | None:
    """JSON of a change of perplexity in per cent with its paired interval; None without a change."""
    return change and interval_json(change.windows)


def seeds_json(change: Change | None) -> Answer | None:
    """JSON of a change over calibration seeds; None too where no text is read."""
    return interval_json(change.seeds, "seeds") if change and change.seeds.n else None


def study_json(study: Study, predicted: Mapping[Recipe, Prediction]) -> Answer:
    """JSON of a study: every result with its prediction from the others."""
    rows = []
    for each in study.singles:
        row = {"name": each.result.name, **point_json(study, each), "warnings": each.warnings}
        if each.setting:
            row |= {
                "setting": each.setting.model_dump(mode="json"),
                "against_uniform": change_json(each.against_uniform),
                "against_base": change_json(each.against_base),
                "predicted": prediction_json(each.setting, predicted),
                "over_seeds": over_seeds_json(study, each),
                "over_shuffles": shuffles_json(study, each),
            }
        rows.append(row)
    return {"text": study.provenance.get("text"), "points": rows}


def prediction_json(recipe: Recipe, predicted: Mapping[Recipe, Prediction]) -> dict[str, float] | None:
    """JSON of the prediction from the other settings and its error; None where they could not predict."""
    return (checked := predicted.get(recipe.seedless)) and checked._asdict()


def over_seeds_json(study: Study, result: Result) -> Answer | None:
    """JSON of the change against uniform in per cent: over calibration seeds with a Student-t interval, and of each."""
    change = study.of(result.setting).against_uniform
    if change is None or change.seeds.n < 2:
        return None
    by_seed = {
        each.setting.calibration_seed: each.against_uniform
        for each in study.singles
        if each.setting and each.setting.seedless == result.setting.seedless
    }
    return {**seeds_json(change), "each": {str(seed): each.value for seed, each in sorted(by_seed.items()) if each}}


def shuffles_json(study: Study, result: Result) -> Answer | None:
    """JSON of the least and greatest change in per cent over the shuffles of a correction in a study.

    None for fewer than two shuffles, and without a correction.
    """
    shuffled = study.controls(result)["shuffled"]
    if len(shuffled) < 2:
        return None
    spreads = {}
    for name in ("against_uniform", "against_base"):
        values = [change.value for each in shuffled if (change := getattr(each, name))]
        spreads[name] = [float(np.min(values)), float(np.max(values))] if values else None
    return {"shuffles": len(shuffled), **spreads}


def print_study(study: Study, predicted: Mapping[Recipe, Prediction]) -> None:
    """Print a study: table, errors of predictions, verdicts, and warnings."""
    table = study_table(rows_of(study))
    heads, *rows = table.only(
        "written", "perplexity", *table.compared, "KL, nats", "not a number", "pruned in, s"
    ).texts
    say_table(heads, rows, f"{study.provenance.get('model')}: {protocols.short_name(study)}")
    for setting, prediction in predicted.items():
        say(study_lines.against(setting.name, prediction, study.of(setting).perplexity))
    say(*perplexity_sentences.of_study(study))
    say(*(each.helped and f"{each.setting.name}. {each.helped}" for each in study.settings))
    say(f"Protocol: {study_lines.badge(study)}", f"study {study.spec.key}")
