"""`python -m core best`: the best setting of a model as one action, judged on text that nothing was chosen on."""

from pathlib import Path
from types import SimpleNamespace

from core.base import per_cent
from core.cli import command
from core.cli.evaluations import answered
from core.cli.output import Answer, say, say_helped, say_json, say_table
from core.cli.study_output import change_json, interval_json, protocol_json, seeds_json
from core.requests import Recipe
from core.requests.grammar import write
from core.results import Best, protocols, text_splits
from core.results.best import commands, load
from core.show.words import advice, forecast_sentences
from core.store import Store


@command("best")
def best(given: SimpleNamespace, store: Store) -> None:
    """Find the best setting for a target sparsity or a largest loss, and compare it with uniform on other text."""
    entry = answered("best", given, store)
    found = load(store, entry)
    if given.json:
        say_json({"key": entry.key, **best_json(found, store.elsewhere)})
    else:
        _say(found, store.elsewhere)


# --- saying it -----------------------------------------------------------------------------------------------------


def best_json(found: Best, cache: Path | None) -> Answer:
    """The answer with what it rests on; intervals are in per cent of perplexity on the text that judges."""
    return {
        "answer": advice.written(found.answer),
        "target": found.answer.allocation.target,
        "sentence": advice.answer(found),
        "loss": advice.loss(found),
        "roles": text_splits.described(found.request),
        "protocol": {
            "selection": protocol_json(found.selection, found.selection.single(found.winner)),
            "final": protocol_json(found.final, found.final.single(found.winner)),
        },
        "winner": _judged(found, found.winner),
        "uniform": _judged(found, found.uniform),
        "dense": {"perplexity": found.judged(None).perplexity},
        "against_uniform": change_json(found.against_uniform),
        "against_dense": interval_json(found.lost),
        "over_seeds": seeds_json(found.against_uniform),
        "candidates": [
            {
                "allocation": write(each.setting.allocation),
                "nll": each.loss,
                "predicted": (predicted := found.predicted(each)) and predicted._asdict(),
                "measured": each.perplexity,
                "against_uniform": change_json(each.against_uniform),
                "warnings": each.warnings,
            }
            for each in found.candidates
        ],
        "left_out": found.provenance.left_out,
        "predicted": found.provenance.predicted,
        "profile": found.profile,
        "commands": list(commands(found, cache)),
    }


def _judged(found: Best, setting: Recipe) -> Answer:
    return {
        "allocation": advice.written(setting),
        "perplexity": found.judged(setting).perplexity,
        "setting": setting.model_dump(mode="json"),
        "warnings": found.judged(setting).warnings,
    }


def _say(found: Best, cache: Path | None) -> None:
    rows, about = found.candidates, f"{found.provenance.model}, {per_cent(found.winner.allocation.target)}"
    title = f"{about}: the {len(rows)} candidates that were evaluated, {protocols.short_name(found.selection)}"
    cells = [
        (write(each.setting.allocation), f"{each.perplexity:.4g}", each.against_uniform.said if each.uniform else "")
        for each in rows
    ]
    say_table(("allocation", "perplexity", "against uniform"), cells, title)
    for each in rows:
        say_helped(write(each.setting.allocation), each.helped)
    say(*forecast_sentences.of_search(found))
    say(*found.provenance.left_out, text_splits.described(found.request))
    say(f"Judged on {protocols.short_name(found.final)}.")
    say(advice.answer(found), style="bold")
    say(advice.loss(found))
    for setting in dict.fromkeys((found.uniform, found.winner, found.answer)):
        say_helped(f"{advice.called(setting)}, on the text that judges", found.judged(setting).helped)
    say(*commands(found, cache), f"best {found.spec.key}")
