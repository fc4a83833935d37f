"""`python -m core best`: search for the best setting of a model, judged on text that nothing was chosen on."""

from pathlib import Path
from types import SimpleNamespace

from core.base import per_cent
from core.cli.evaluations import run_command
from core.cli.study_output import change_json, interval_json, protocol_json, seeds_json
from core.cli.terminal import Answer, command, say, say_json, say_table
from core.requests import Recipe
from core.requests.grammar import write
from core.results import Best, protocols, text_splits
from core.results.best import commands, load
from core.show.words import advice, protocol_lines
from core.store import Store


@command("best")
def best(options: SimpleNamespace, store: Store) -> None:
    """Find the best setting for a target sparsity or a largest loss, and compare it with uniform on other text."""
    entry = run_command("best", options, store)
    answer = load(store, entry)
    say_json({"key": entry.key, **best_json(answer, store.elsewhere)})
    _say(answer, store.elsewhere)


# --- saying it -----------------------------------------------------------------------------------------------------


def best_json(best: Best, cache: Path | None) -> Answer:
    """JSON of the answer and its evidence; intervals are in per cent of perplexity on the text that judges."""
    return {
        "answer": advice.written(best.answer),
        "target": best.answer.allocation.target,
        "sentence": advice.answer(best),
        "loss": advice.loss(best),
        "roles": text_splits.described(best.request),
        "protocol": {
            "selection": protocol_json(best.selection, best.selection.single(best.winner)),
            "final": protocol_json(best.final, best.final.single(best.winner)),
        },
        "winner": _judged(best, best.winner),
        "uniform": _judged(best, best.uniform),
        "dense": {"perplexity": best.judged(None).perplexity},
        "against_uniform": change_json(best.against_uniform),
        "against_dense": interval_json(best.lost),
        "over_seeds": seeds_json(best.against_uniform),
        "candidates": [
            {
                "allocation": write(each.setting.allocation),
                "nll": each.loss,
                "predicted": (predicted := best.predicted(each)) and predicted._asdict(),
                "measured": each.perplexity,
                "against_uniform": change_json(each.against_uniform),
                "warnings": each.warnings,
            }
            for each in best.candidates
        ],
        "left_out": best.provenance.left_out,
        "predicted": best.provenance.predicted,
        "profile": best.profile,
        "commands": list(commands(best, cache)),
    }


def _judged(best: Best, recipe: Recipe) -> Answer:
    return {
        "allocation": advice.written(recipe),
        "perplexity": best.judged(recipe).perplexity,
        "setting": recipe.model_dump(mode="json"),
        "warnings": best.judged(recipe).warnings,
    }


def _say(best: Best, cache: Path | None) -> None:
    rows, about = best.candidates, f"{best.provenance.model}, {per_cent(best.winner.allocation.target)}"
    title = f"{about}: the {len(rows)} candidates that were evaluated, {protocols.short_name(best.selection)}"
    cells = [
        (write(each.setting.allocation), f"{each.perplexity:.4g}", each.against_uniform.said if each.uniform else "")
        for each in rows
    ]
    say_table(("allocation", "perplexity", "against uniform"), cells, title)
    for each in rows:
        say(each.helped and f"{write(each.setting.allocation)}. {each.helped}")
    say(*protocol_lines.of_search(best), *best.provenance.left_out, text_splits.described(best.request))
    say(f"Judged on {protocols.short_name(best.final)}.")
    say(advice.answer(best), style="bold")
    say(advice.loss(best))
    for recipe in dict.fromkeys((best.uniform, best.winner, best.answer)):
        helped = best.judged(recipe).helped
        say(helped and f"{advice.called(recipe)}, on the text that judges. {helped}")
    say(*commands(best, cache), f"best {best.spec.key}")
