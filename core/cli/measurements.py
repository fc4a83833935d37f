"""`python -m core measure | show | compare`: profiles, their findings, and the faults of another checkpoint."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd

from core.base import OUTDATED, UserError, digits, per_cent, pruning_troubles, times
from core.cli import terminal
from core.cli.evaluations import run_command, run_shares
from core.cli.terminal import Answer, command, say, say_json, say_table
from core.plan import agreements, averaged, gains_of, per_layer
from core.requests import line, request_of, whole_path
from core.results import Compared, checkpoints, fixed_plan, suspects
from core.show.words import checkpoint_sentences, gain_sentences
from core.store import Entry, Profile, Store, pretty, profiles

HARMS = ("kl", "nll_increase", "flips")
SHOWN = 10  # layers of a comparison
MORE = (
    "More: --gains NAME for every layer of one perturbation, --matrix NAME for its drift matrix, --json for everything."
)


@command("measure")
def measure(options: SimpleNamespace, store: Store) -> None:
    """Perturb every layer in turn, follow the drift, save a profile."""
    entry = run_shares(request_of("measure", **vars(options)), store, options)
    if entry is not None:
        profile = profiles.load(store, entry)
        say_json(_summary(profile))
        overview(profile)
        say(pruning_troubles(entry.provenance.get("warnings", [])), f"profile {entry.key}")


@command("show")
def show(options: SimpleNamespace, store: Store) -> None:
    """Show a profile: a line per perturbation, or every layer of one."""
    entry = store.profile(options.key)
    profile = profiles.load(store, entry)
    if options.tokens:
        rows = _tokens(store, entry)
        say_json({"key": entry.key, "tokens": rows})
        say(*rows)
    elif options.sketch:
        sketch_table(profile)
    elif options.matrix is not None:
        matrix_table(profile, options.matrix)
    elif options.json:
        say_json({**_summary(profile), "perturbations": gains_json(profile), "provenance": entry.provenance})
    elif options.gains is not None:
        gains_table(profile, options.gains)
    else:
        overview(profile)


def _summary(profile: Profile) -> Answer:
    """JSON that `measure` prints."""
    return {"key": profile.entry.key, **profile.spec.record(profile.provenance), "layers": profile.layers}


def _tokens(store: Store, entry: Entry) -> list[list[int]]:
    """Token ids, (sequences, length), read again from the text of a profile."""
    from core.models import fastest_source, load_tokenizer, locate, tokens

    provenance = entry.provenance
    source, model, revision = (provenance.get(name) for name in ("text_source", "model_source", "revision"))
    if not (source and model):
        raise UserError(f"profile {entry.key} does not say what it was measured on: measure it again to see its tokens")
    tokenizer = load_tokenizer(fastest_source(locate(model, store, revision), store))
    documents = tuple(provenance["documents"]) if provenance.get("documents") else None
    return tokens(entry.spec.text, source, documents, tokenizer).tolist()


# --- gains ----------------------------------------------------------------------------------------------------------


def gains_json(profile: Profile) -> list[Answer]:
    """JSON of each perturbation: gains, interval and verdict of every layer, and the finding."""
    rows = []
    for name, seeds in profile.by_name.items():
        gains = gains_of(seeds)
        rows.append(
            {
                "name": name,
                "gains": gains.value,
                "interval": np.stack([gains.low, gains.high], axis=1),
                "verdict": list(gains.verdicts),
                "verdict_without_correction": list(gains.uncorrected),
                "finding": gain_sentences.of_perturbation(profile, name),
                "below_floor": gain_sentences.drowned(profile, name),
                **{each: getattr(gains, each) for each in ("mean_ratio", "median", "drift", "n")},
                "drift_first": np.diag(averaged(seeds, "drift_first")),
                "final_drift": averaged(seeds, "drift")[:, -1],
                **{harm: per_layer(seeds, harm) for harm in HARMS},
                "seeds": len(seeds),
            }
        )
    return rows


def overview(profile: Profile) -> None:
    """Print a line per perturbation: the range of its gains over the layers, and the finding."""
    text = profile.spec.text
    say(f"{_measured(profile)}, {text.sequences} × {text.length} tokens")
    say(gain_sentences.rounding(profile), profile.spec.is_outdated and OUTDATED)
    say(*(f"{row['name']}: {_span(row['gains'][:-1])}. {row['finding']}" for row in gains_json(profile)))
    say(gain_sentences.RULE, MORE)


def _measured(profile: Profile) -> str:
    return f"{profile.provenance.get('model')} on {profile.provenance.get('text')}"


def _span(gains: Sequence[float]) -> str:
    """`gains 0.57 to 0.98`: least and greatest gain of the layers before the last."""
    finite = [each for each in gains if np.isfinite(each)]
    return f"gains {digits(min(finite))} to {digits(max(finite))}" if finite else "gains not known"


def gains_table(profile: Profile, name: str) -> None:
    """Print every layer of one perturbation with its interval and verdict.

    Raises:
        UserError: it was not measured.
    """
    gains = gains_of(profile.seeds(name))
    layers = zip(gains.value, gains.low, gains.high, gains.verdicts, strict=True)
    cells = [
        (str(layer), *(digits(each, 3) for each in numbers), verdict or "")
        for layer, (*numbers, verdict) in enumerate(layers)
    ]
    title = f"Gain per layer under {name}, with its 95 % interval: {_measured(profile)}"
    say_table(("layer", "gain", "at least", "at most", "verdict"), cells, title, words=0)
    finding = gain_sentences.of_perturbation(profile, name)
    say(f"{name}: {finding}", f"The last layer is 1 by definition. {gain_sentences.RULE}")


def sketch_table(profile: Profile) -> None:
    """Print the sketch beside every damage that was measured too.

    Raises:
        UserError: there is no sketch, or nothing beside it.
    """
    if profile.sketch is None:
        raise UserError(f"profile {profile.key} has no sketch: measure it again with --sketch, which adds it")
    rows = agreements(profile)
    if not rows:
        raise UserError(
            f"profile {profile.key} measured none of the damages of its sketch: measure it again with --perturb "
            "residual:wanda:0.7 too, or linears with --perturb residual_linear:wanda:0.7:each"
        )
    say_json({"key": profile.key, "sketch": [each._asdict() for each in rows]})
    cells = [
        (each.damage, "linears" if each.linears else "layers", str(each.units), times(each.ratio),
         digits(each.spread), digits(each.rank))
        for each in rows
    ]  # fmt: skip
    heads = ("damage", "of", "units", "sketched / measured, median", "spread of its logarithm", "rank correlation")
    say_table(heads, cells, f"Harm by the sketch against harm measured: {_measured(profile)}", words=0)


def matrix_table(profile: Profile, name: str) -> None:
    """Print a drift matrix: rows injected, columns read; as many abreast as the terminal holds.

    Raises:
        UserError: the perturbation was not measured.
    """
    matrix = averaged(profile.seeds(name), "drift")
    say_json({"key": profile.key, "name": name, "matrix": matrix})
    say(f"Drift, {name}: injected at (row), read at (column)")
    say(pd.DataFrame(matrix).to_string(na_rep="", float_format=digits, line_width=terminal.out.width))


# --- another checkpoint ----------------------------------------------------------------------------------------------


@command("compare")
def compare(options: SimpleNamespace, store: Store) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    entry = run_command("compare", options, store)
    comparison = checkpoints.compared(profiles.load(store, entry))
    say_json({"key": entry.key, "model": entry.provenance.get("model"), **compared_json(comparison)})
    if options.plan:
        plan, form = fixed_plan(comparison)
        whole_path(options.plan).write_bytes(pretty(plan))
        export = {"model": options.model, "allocation": str(options.plan), "format": form, "export": "FOLDER"}
        say(f"Export the fixed plan: {line('prune', **export)}")
    say(*checkpoint_sentences.culprits(comparison), *checkpoint_sentences.of_checkpoint(comparison))
    rows = [
        (
            row["tensor"],
            f"{row['layer']}{'*' if row['stands_out'] else ''}",
            *(f"{digits(100 * row[error])} %" for error in ("error", "usual_error")),
            digits(row["kl"]),
            per_cent(row["flips"]),
        )
        for row in _ranking(comparison)[:SHOWN]
    ]
    say_table(("tensor", "layer", "its error", "usual", "KL, nats", "flips"), rows)
    say("* stands out from the other layers", f"profile {entry.key}")


def compared_json(comparison: Compared) -> Answer:
    """JSON of a comparison."""
    whole, weights = comparison.whole, comparison.weights
    harms = {name: getattr(whole, name) for name in HARMS}
    return {
        "other": comparison.called,
        "findings": checkpoint_sentences.of_checkpoint(comparison),
        "worst": checkpoint_sentences.culprits(comparison),
        "settings": comparison.settings,
        "suspects": [each._asdict() | {"finer": each.finer and each.finer._asdict()} for each in suspects(comparison)],
        "layers": len(comparison.harm),
        "ranking": _ranking(comparison),
        "whole": {
            "drift": comparison.drift,
            **{name: values.mean() for name, values in harms.items()},
            "tokens": harms,
        },
        "weights": {
            "tensors": comparison.tensors,
            "error": weights.error,
            "scale": weights.scale,
            "outside": dict(zip(comparison.outside, weights.outside.tolist(), strict=True)),
        },
    }


def _ranking(comparison: Compared) -> list[Answer]:
    """JSON of the layers, the most suspect first."""
    gains, single = gains_of([comparison.single]), comparison.single
    return [
        {
            "layer": layer,
            "stands_out": bool(comparison.odd[layer]),
            "tensor": comparison.tensors[tensor],
            "error": comparison.weights.error[layer, tensor],
            "usual_error": comparison.usual[tensor],
            **{name: getattr(single, name)[layer].mean() for name in HARMS},
            "kl": comparison.harm[layer],
            "gain": gains.value[layer],
            "verdict": gains.verdicts[layer],
        }
        for layer, tensor in ((layer, comparison.tensor(layer)) for layer in comparison.ranking)
    ]
