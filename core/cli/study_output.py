"""Saying what a study found: one JSON object, or tables for people."""

from collections.abc import Mapping

import numpy as np

from core.base import Estimate
from core.cli.output import Answer, say, say_helped, say_table
from core.requests import Recipe, TextSpec
from core.results import Change, CheckedPrediction, Result, Study, protocols
from core.results import study_table as tables
from core.show.words import forecast_sentences, perplexity_sentences


def point_json(found: Study, one: Result) -> Answer:
    """One point of a study."""
    return {
        "perplexity": one.perplexity,
        "kl": one.kl,
        "agreement": one.agreement,
        "windows": len(one.result.evaluated.nll),
        "broken_at_layer": one.broken,
        "seconds_pruning": one.result.about.get("seconds_pruning") if one.setting else None,
        "tasks": {
            found.tasks[task]: {"acc": known.value, "acc_stderr": known.error, "examples": len(one.answers(task))}
            for task, known in ((task, one.accuracy(task)) for task in one.result.tasks)
        },
        "protocol": protocol_json(found, one),
    }


def protocol_json(found: Study, one: Result) -> Answer:
    """How a point was measured: what must be alike before numbers are compared.

    Its calibration is None for the dense model, and where the pruner looks at no text.
    """
    about, text = one.result.about, found.spec.text
    read = one.result.pruned and one.result.pruned.calibration
    return {
        "name": protocols.short_name(found),
        **_windows(about.get("text", found.provenance.get("text")), text),
        "packing": text.packing,
        "bos": text.bos,
        "dtype": found.spec.model.dtype,
        "calibration": read and _windows(about.get("calibration"), read) | {"seed": one.setting.calibration_seed},
    }


def _windows(name: str | None, text: TextSpec) -> Answer:
    return {"text": name, "text_hash": text.content, "windows": text.sequences, "length": text.length}


def interval_json(found: Estimate, of: str = "windows") -> Answer:
    """An interval in per cent of perplexity, over so many windows or seeds."""
    return {"percent": found.value, "interval": [found.low, found.high], of: found.n}


def change_json(found: Change | None) -> Answer | None:
    """A change of perplexity in per cent with its paired interval; None where there is nothing to compare with."""
    return found and interval_json(found.windows)


def seeds_json(found: Change | None) -> Answer | None:
    """The same with its spread over calibration seeds; None too where no text is looked at."""
    return interval_json(found.seeds, "seeds") if found and found.seeds.n else None


def study_json(found: Study, predicted: Mapping[Recipe, CheckedPrediction]) -> Answer:
    """All points of a study, each beside what the others predicted of it."""
    rows = []
    for each in found.singles:
        row = {"name": each.result.name, **point_json(found, each), "warnings": each.warnings}
        if each.setting:
            row |= {
                "setting": each.setting.model_dump(mode="json"),
                "against_uniform": change_json(each.against_uniform),
                "against_base": change_json(each.against_base),
                "predicted": prediction_json(each.setting, predicted),
                "over_seeds": over_seeds_json(found, each),
                "over_shuffles": shuffles_json(found, each),
            }
        rows.append(row)
    return {"text": found.provenance.get("text"), "points": rows}


def prediction_json(setting: Recipe, predicted: Mapping[Recipe, CheckedPrediction]) -> dict[str, float] | None:
    """What the other settings predicted of one, and how far off that was; None where they could not."""
    return (known := predicted.get(setting.seedless)) and known._asdict()


def over_seeds_json(found: Study, one: Result) -> Answer | None:
    """Change against uniform in per cent over calibration seeds with a Student-t interval, and for each of them."""
    change = found.of(one.setting).against_uniform
    if change is None or change.seeds.n < 2:
        return None
    by_seed = {
        each.setting.calibration_seed: each.against_uniform
        for each in found.singles
        if each.setting and each.setting.seedless == one.setting.seedless
    }
    return {**seeds_json(change), "each": {str(seed): each.value for seed, each in sorted(by_seed.items()) if each}}


def shuffles_json(found: Study, one: Result) -> Answer | None:
    """The least and the greatest change in per cent over the shuffles of a correction that a study holds.

    None below two shuffles, and where there is no correction.
    """
    shuffled = found.controls(one)["shuffled"]
    if len(shuffled) < 2:
        return None
    changes = {name: [getattr(each, name) for each in shuffled] for name in ("against_uniform", "against_base")}
    values = {name: [each.value for each in found if each] for name, found in changes.items()}
    spreads = {name: [float(np.min(every)), float(np.max(every))] if every else None for name, every in values.items()}
    return {"shuffles": len(shuffled), **spreads}


def study_table(found: Study, predicted: Mapping[Recipe, CheckedPrediction]) -> None:
    """A study for people: its table, how far it was from what was predicted, the verdicts, and what went wrong."""
    table = tables.study_table(tables.rows_of(found))
    heads, *rows = table.only(
        "written", "perplexity", *table.compared, "KL, nats", "not a number", "pruned in, s"
    ).texts
    say_table(heads, rows, f"{found.provenance.get('model')}: {protocols.short_name(found)}")
    for setting, known in predicted.items():
        say(forecast_sentences.against(setting.name, known, found.of(setting).perplexity))
    say(*perplexity_sentences.of_study(found))
    for each in found.settings:
        say_helped(each.setting.name, each.helped)
    say(f"Protocol: {protocols.badge(found)}", f"study {found.spec.key}")
