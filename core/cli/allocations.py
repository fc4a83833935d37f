"""`python -m core allocate`: a sparsity budget spread over layers, and its predicted cost."""

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np

from core.base import UserError, checked
from core.cli.terminal import Answer, command, say, say_json, say_table
from core.export.file_sizes import counts_of
from core.methods import DEFAULT_PRUNER, HALF, treatment
from core.plan.allocation import Allocation, allocate
from core.plan.sizes import taken, with_target
from core.requests import Recipe
from core.requests.grammar import read_allocation, write
from core.requests.parsing import fraction
from core.results import Forecast, Prediction, protocols
from core.results.stored_forecasts import load_forecast
from core.show.words import protocol_lines
from core.store import Profile, Store, profiles


@command("allocate")
def spread(options: SimpleNamespace, store: Store) -> None:
    """Spread a sparsity budget over the layers of a measured model, and predict what it costs."""
    profile = profiles.load(store, store.profile(options.profile))
    if options.at_most and options.max_loss is not None:
        raise UserError("--max-loss and --at-most each stand in place of the target: give one of the two")
    request = read_allocation(options.allocation, options.at_most)
    chosen = {} if options.pruner == DEFAULT_PRUNER else {"pruner": options.pruner}
    treated = checked(Recipe, allocation=request, repair=options.repair, **chosen).treatment
    if options.at_most:
        counts = counts_of(profile.provenance, store)
        request = with_target(request, counts, treated)
    if request.budget_unit.levels and options.max_loss is not None:
        raise UserError("--max-loss seeks a share of zeros: give a budget of bits, and read its prediction")
    allocation, lacking = allocate(request, profile), None
    try:
        forecast = load_forecast(store, profile, treated, options.anchors)
        if options.max_loss is not None:
            allocation = allocate(forecast.sparsest(request, fraction(options.max_loss)), profile)
        forecast, _ = forecast.without_allocation(allocation.exact, allocation.request.uncorrected)
        even = np.full_like(allocation.exact, allocation.request.target)
        rows = {"this allocation": allocation.exact, "its base": allocation.exact_base, "uniform": even}
        predicted = {name: forecast.predict(row) for name, row in rows.items()}
    except UserError as reason:
        if options.anchors or options.max_loss is not None:
            raise
        forecast, predicted, lacking = None, {}, str(reason)
    answer = allocated_json(allocation, profile, treated.pruner) | predicted_json(forecast, predicted)
    answer |= {"no_prediction": lacking}
    if options.at_most:
        answer["file_bytes"] = taken(counts, treated, allocation.budget)
    say_json(answer)
    _say(allocation, answer)
    if forecast:
        say(protocol_lines.beside(predicted), protocol_lines.basis(forecast))
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
        "bound": allocation.bound,
        "bounds": [allocation.bounds.low, allocation.bounds.high],
    }


def _say(allocation: Allocation, answer: Answer) -> None:
    """Print every layer, and its linears where each has a sparsity of its own."""
    low, high = answer["bounds"]
    within = "" if allocation.request.unclipped else f", inside {low:g} to {high:g}"
    layers = zip(allocation.base, allocation.sparsity, allocation.bound, strict=True)
    amount = (lambda share: HALF * (1 - share)) if "bits" in answer else float
    rows = [
        [str(layer), f"{amount(base):.4f}", f"{amount(sparsity):.4f}", "on a bound" if bound else ""]
        for layer, (base, sparsity, bound) in enumerate(layers)
    ]
    heads, means = ["layer", "base", "corrected", "limit"], ""
    if allocation.exact.ndim == 2:
        names = answer["linears"] or map(str, range(allocation.exact.shape[1]))
        heads += [name.rpartition(".")[-1] for name in names]
        rows = [
            row + [f"{amount(each):.3f}" for each in more] for row, more in zip(rows, allocation.exact, strict=True)
        ]
        means = ", means over linears"
    title = f"Sparsity per layer{means}, budget {allocation.budget:.6f}{within}"
    if "bits" in answer:
        taken = f"{answer['bytes']:,} bytes with scales"
        title = f"Bits per layer{means}, budget {answer['mean_bits']:g} a weight, linears take {taken}"
    if "file_bytes" in answer:
        title += f", all weights {answer['file_bytes']:,} bytes"
    say_table(heads, rows, title, words=0)
