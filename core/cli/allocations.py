"""`python -m core allocate | best`: a budget spread over layers with its predicted cost, and the best setting."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from core.base import UserError, checked
from core.cli.evaluations import export_json, forms_json, run, say_export
from core.cli.study_output import change_json, interval_json, protocol_json, seeds_json
from core.cli.terminal import Answer, command, say, say_json, say_table
from core.export import target
from core.export.file_sizes import counts_of
from core.methods import DEFAULT_PRUNER, HALF, OUTSIDE, treatment
from core.plan import Allocation, allocate, responses, taken, with_target
from core.requests import BestRequest, Recipe, fraction, read_allocation, recipe_names, request_of, write
from core.results import Best, Forecast, Prediction, Result, commands, load_forecast, protocols, text_splits
from core.results.best import export_request, load
from core.show.words import study_lines
from core.store import Profile, Store, profiles


@command("allocate")
def spread(options: SimpleNamespace, store: Store) -> None:
    """Spread a sparsity budget over the layers of a measured model, and predict what it costs."""
    profile = profiles.load(store, store.profile(options.profile))
    if options.at_most and options.max_loss is not None:
        raise UserError("--max-loss and --at-most each stand in place of the target: give one of the two")
    request = read_allocation(options.allocation, options.at_most, options.pruner)
    chosen = {} if options.pruner == DEFAULT_PRUNER else {"pruner": options.pruner}
    treated = checked(Recipe, allocation=request, repair=options.repair, **chosen).treatment
    if options.at_most:
        counts = counts_of(profile.provenance, store)
        request = with_target(request, counts, treated, profile)
    if request.budget_unit.levels and options.max_loss is not None:
        raise UserError("--max-loss seeks a share of zeros: give a budget of bits, and read its prediction")
    allocation, lacking = allocate(request, profile), None
    try:
        forecast = load_forecast(store, profile, treated, options.anchors)
        if options.max_loss is not None:
            allocation = allocate(forecast.sparsest(request, fraction(options.max_loss)), profile)
        forecast, measured = forecast.without_allocation(allocation.exact, allocation.request.uncorrected)
        even = np.full_like(allocation.exact, allocation.request.target)
        rows = {"this allocation": allocation.exact, "its base": allocation.exact_base, "uniform": even}
        predicted = {name: forecast.predict(row, request.outside or OUTSIDE) for name, row in rows.items()}
    except UserError as reason:
        if options.anchors or options.max_loss is not None:
            raise
        forecast, measured, predicted, lacking = None, None, {}, str(reason)
    answer = allocated_json(allocation, profile, treated.pruner) | predicted_json(forecast, predicted)
    answer |= {"no_prediction": lacking, "measured": measured and measured_json(measured)}
    if options.at_most:
        answer["file_bytes"] = taken(counts, treated, allocation.budget, allocation.request.outside)
    say_json(answer)
    _say(allocation, answer)
    say(answer["harm"])
    if measured:
        say(study_lines.measured_beside(measured, predicted["this allocation"]))
    if forecast:
        words = study_lines.next_words(predicted["this allocation"])
        say(study_lines.beside(predicted), words, study_lines.basis(forecast))
    else:
        say(f"No prediction: {lacking}")


def predicted_json(forecast: Forecast | None, predicted: Mapping[str, Prediction]) -> Answer:
    """JSON of the prediction of an allocation with its anchors, and those of its base and of uniform."""
    if forecast is None:
        return {"predicted": None}
    here, base, uniform = (each._asdict() for each in predicted.values())
    off = forecast.leave_one_out
    return {
        "predicted": here | {
            "pruner": forecast.treatment.pruner,
            "repair": forecast.treatment.repair,
            "anchors": [each.setting.name for each in forecast.settings],
            "left_out": forecast.excluded,
            "leave_one_out": off and off._asdict(),
            "protocol": protocols.short_name(forecast.study),
        },
        "predicted_beside": {"base": base, "uniform": uniform},
    }  # fmt: skip


def measured_json(result: Result) -> Answer:
    """JSON of what this allocation was measured to cost, and its change against uniform treated alike."""
    change = result.against_uniform
    beside = recipe_names.uniform_beside(result.setting.repair)
    return {"perplexity": result.perplexity, "against": beside, "change": change and change_json(change)}


def allocated_json(allocation: Allocation, profile: Profile, pruner: str) -> Answer:
    """JSON of an allocation; of bits, with the bytes of the linears in the formats of the quantiser."""
    bits = {}
    if allocation.request.budget_unit.levels:
        linears = allocation.parameters.sum() * treatment(pruner).stored(allocation.budget) / 8
        bits = {"currency": allocation.request.currency, "bytes": round(linears)}
        bits |= {"bits": HALF * (1 - allocation.exact), "mean_bits": round(HALF * (1 - allocation.budget), 9)}
    return bits | {
        "profile": profile.key,
        "request": allocation.request.model_dump(mode="json"),
        "allocation": None if allocation.request.base.by_hand else write(allocation.request),
        **({"linears": profile.provenance.get("linears")} if allocation.exact.ndim == 2 else {}),
        "base": allocation.exact_base,
        "sparsity": allocation.exact,
        "budget": round(allocation.budget, 9),
        "bound": allocation.bound, "bounds": [*allocation.bounds],
        "harm": responses.source(profile, allocation.request.base) or None,
    }  # fmt: skip


def _say(allocation: Allocation, answer: Answer) -> None:
    """Print every layer, and its linears where each has a sparsity of its own."""
    low, high = answer["bounds"]
    within = "" if allocation.request.unclipped else f", inside {low:g} to {high:g}"

    def amounts(shares, digits=4):
        return [f"{HALF * (1 - share) if 'bits' in answer else share:.{digits}f}" for share in shares]

    heads, means = ["layer", "base", "corrected", "limit"], ""
    columns = [map(str, range(len(allocation.base))), amounts(allocation.base), amounts(allocation.sparsity)]
    columns.append("at its limit" if bound else "" for bound in allocation.bound)
    if allocation.exact.ndim == 2:
        names = answer["linears"] or map(str, range(allocation.exact.shape[1]))
        heads += [name.rpartition(".")[-1] for name in names]
        columns += [amounts(each, 3) for each in allocation.exact.T]
        means = ", means over linears"
    title = f"Sparsity per layer{means}, budget {allocation.budget:.6f}{within}"
    if "bits" in answer:
        taken = f"{answer['bytes']:,} bytes with scales"
        title = f"Bits per layer{means}, budget {answer['mean_bits']:g} a weight, linears take {taken}"
    if "file_bytes" in answer:
        title += f", all weights {answer['file_bytes']:,} bytes"
    if allocation.request.outside:
        title += f", embeddings and output matrix {allocation.request.outside}"
    say_table(heads, zip(*columns, strict=True), title, words=0)


# --- the best setting ------------------------------------------------------------------------------------------------


@command("best")
def best(options: SimpleNamespace, store: Store) -> None:
    """Find the best setting for a target, a size or a largest loss, judge it beside uniform, and export it."""
    request = request_of("best", **vars(options))
    target.check_search(request, store)
    entry = run(request, store, options)
    answer = load(store, entry)
    exported = request.folder and _exported(answer, request, store)
    say_json({"key": entry.key, **best_json(answer, store.elsewhere), "export": exported})
    _say_best(answer, store.elsewhere)
    if exported:
        say_export(exported, forms_json(export_request(answer, request, request.folder), store))


def _exported(answer: Best, request: BestRequest, store: Store) -> Answer:
    """JSON of the export of an answer, which the search has written."""
    written = export_request(answer, request, request.folder)
    entries = store.of_model(answer.spec.model, "export")
    return export_json(next(each for each in entries if each.spec.folder == written.folder))


def best_json(best: Best, cache: Path | None) -> Answer:
    """JSON of the answer and its evidence; intervals are in per cent of perplexity on the text that judges."""
    return {
        "answer": study_lines.written(best.answer),
        "target": best.answer.allocation.target,
        "sentence": study_lines.answer(best),
        "loss": study_lines.loss(best),
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
        "allocation": study_lines.written(recipe),
        "perplexity": best.judged(recipe).perplexity,
        "setting": recipe.model_dump(mode="json"),
        "warnings": best.judged(recipe).warnings,
    }


def _say_best(best: Best, cache: Path | None) -> None:
    rows, on = best.candidates, protocols.short_name(best.selection)
    amount = study_lines.amount_of(best.winner)
    title = f"{best.provenance.model}, {amount}: {len(rows)} evaluated candidates, {on}"
    cells = [
        (write(each.setting.allocation), f"{each.perplexity:.4g}", each.against_uniform.said if each.uniform else "")
        for each in rows
    ]
    say_table(("allocation", "perplexity", "against uniform"), cells, title)
    say(*(each.helped and f"{write(each.setting.allocation)}. {each.helped}" for each in rows))
    judged = f"{text_splits.described(best.request)} Judged on {protocols.short_name(best.final)}."
    say(*study_lines.of_search(best), *best.provenance.left_out, judged)
    say(study_lines.answer(best), style="bold")
    say(study_lines.loss(best))
    for recipe in dict.fromkeys((best.uniform, best.winner, best.answer)):
        helped = best.judged(recipe).helped
        say(helped and f"{study_lines.called(recipe)}, on the text that judges. {helped}")
    say(*commands(best, cache), f"best {best.spec.key}")
