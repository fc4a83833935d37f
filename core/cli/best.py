"""`python -m core best`: the best setting of a model as one action, judged on text that nothing was chosen on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.ask.commands import request_of
from core.ask.grammar import words, write
from core.ask.settings import Setting
from core.base.formats import per_cent
from core.base.paths import resolved
from core.cli import command
from core.cli.output import say, say_helped, say_json, say_table
from core.cli.study_output import change_json, interval_json, protocol_json, seeds_json
from core.cli.studying import export_json, run, say_export
from core.kinds.treatments import PRUNERS
from core.models import machine
from core.results import text_splits
from core.results.best import LINEARS, Best, called, commands, export_request, linears_line, load, written
from core.results.verdicts import said
from core.store.cache import Store

ROWS = 12  # candidates shown to people


@command("best")
def best(given: SimpleNamespace) -> None:
    """Find the best setting for a target sparsity or a largest loss, and compare it with uniform on other text."""
    request, store = request_of("best", **vars(given)), Store(given.cache, given.accept_imported)
    folder = str(resolved(given.export)) if given.export else None
    if folder is not None:
        from core.export import check_early

        check_early(Path(folder), given.overwrite, request.model, request.revision, request.dtype, store)
    where, models = machine.asked(given.device), {}
    entry = run(request, store, where, models)
    found = load(store, entry)
    exported = None
    if folder is not None:
        exported = export_json(run(export_request(found, request, folder, given.overwrite), store, where, models))
    if given.json:
        say_json({"key": entry.key, **best_json(found, store.elsewhere), "export": exported})
        return
    _say(found, store.elsewhere)
    if exported:
        say_export(exported)


# --- saying it -----------------------------------------------------------------------------------------------------


def best_json(found: Best, cache: Path | None) -> dict[str, Any]:
    """The answer with what it rests on; intervals are in per cent of perplexity on the text that judges."""
    return {
        "answer": written(found.answer),
        "target": found.answer.allocation.target,
        "sentence": found.sentence,
        "more": found.more_sentences,
        "loss": found.loss_sentence,
        "roles": text_splits.described(found.request),
        "protocol": {
            "selection": protocol_json(found.selection, found.selection.single(found.winner)),
            "final": protocol_json(found.final, found.final.single(found.winner)),
        },
        "winner": _judged(found, found.winner),
        "better": [_judged(found, each) for each in found.better],
        "runner_up": _judged(found, found.runner_up) if found.runner_up else None,
        "uniform": _judged(found, found.uniform),
        "dense": {"perplexity": found.judged(None).perplexity},
        "against_uniform": change_json(found.against_uniform),
        "against_runner_up": change_json(found.against_runner_up),
        "against_dense": interval_json(found.lost),
        "over_seeds": seeds_json(found.against_uniform),
        "candidates": [
            {
                "allocation": write(each.setting.allocation),
                "nll": each.loss,
                "perplexity": each.perplexity,
                "against_uniform": interval_json(found.selected(each)),
                "warnings": each.warnings,
            }
            for each in found.candidates
        ],
        "left_out": found.left_out,
        "linears": linears_line(found, cache),
        "trials": found.trials,
        "profile": found.profile,
        "commands": list(commands(found, cache)),
    }


def _judged(found: Best, setting: Setting) -> dict[str, Any]:
    return {
        "allocation": written(setting),
        "perplexity": found.judged(setting).perplexity,
        "setting": setting.model_dump(mode="json"),
        "warnings": found.judged(setting).warnings,
    }


def _judge(found: Best) -> str:
    text, seeds = found.final.spec.text, len(found.request.seeds)
    on = f"Judged on {found.provenance.text}, {text.sequences} x {text.length} tokens"
    if found.final.spec.calibration is None:
        return f"{on}; {PRUNERS[found.request.pruner].label} looks at no calibration text."
    return f"{on}, with {seeds} calibration seed{'s' if seeds > 1 else ''}."


def _say(found: Best, cache: Path | None) -> None:
    rows, setting, text = found.candidates, found.winner, found.selection.spec.text
    about = f"{found.provenance.model}, {per_cent(setting.allocation.target)} by {setting.pruner}"
    title = f"{about}: {len(rows)} candidates on the text that selects, {text.sequences} x {text.length} tokens"
    cells = [
        (words(each.setting.allocation), f"{each.loss:.4f}", f"{each.perplexity:.4g}", said(found.selected(each)))
        for each in rows[:ROWS]
    ]
    say_table(("allocation", "loss, nats/token", "perplexity", "against uniform"), cells, title)
    for each in rows[:ROWS]:
        say_helped(words(each.setting.allocation), each.helped)
    if len(rows) > ROWS:
        say(f"and {len(rows) - ROWS} more that did worse; --json names them all")
    for each in found.trials:
        lost = f"{per_cent(each['target'])}: {per_cent(each['loss'])} lost by {each['allocation']}"
        say(f"{lost} on the text that selects")
    linears = linears_line(found, cache)
    say(*found.left_out, *([f"{LINEARS} {linears}"] if linears else []))
    say(text_splits.described(found.request), _judge(found))
    say(found.sentence, style="bold")
    say(*found.more_sentences, found.loss_sentence)
    judged = (found.winner, *found.better, found.runner_up, found.uniform, found.answer)
    for setting in dict.fromkeys(filter(None, judged)):
        say_helped(f"{called(setting)}, on the text that judges", found.judged(setting).helped)
    say(*commands(found, cache), f"best {found.spec.key}")
