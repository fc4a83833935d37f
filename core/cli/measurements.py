"""`python -m core measure | show | compare`: profiles, what they show, and where another checkpoint went wrong."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd

from core.base import UserError, digits, per_cent, pruned_before, pruning_troubles
from core.cli import command, output
from core.cli.evaluations import answered, run_shares
from core.cli.output import Answer, say, say_json, say_table
from core.plan.gains import averaged, gains_of, per_layer
from core.requests.commands import request_of
from core.results import checkpoints, propagation
from core.results.checkpoints import Compared
from core.show.words import gain_sentences
from core.store import Entry, Profile, Store, profiles

HARMS = ("kl", "nll_increase", "flips")
SHOWN = 10  # layers of a comparison
MORE = (
    "More: --gains NAME for every layer of one perturbation, --matrix NAME for its drift matrix, --json for everything."
)


@command("measure")
def measure(given: SimpleNamespace, store: Store) -> None:
    """Perturb every layer in turn, follow the drift, save a profile."""
    entry = run_shares(request_of("measure", **vars(given)), store, given, given.engine)
    if entry is None:
        return
    found = profiles.load(store, entry)
    if given.json:
        say_json(_summary(found))
    else:
        overview(found)
        warning = pruning_troubles(entry.provenance.get("warnings", []))
        if warning:
            say(warning)
        say(f"profile {entry.key}")


@command("show")
def show(given: SimpleNamespace, store: Store) -> None:
    """What a profile shows: a line per perturbation; every layer where asked."""
    name = given.matrix
    entry = store.profile(given.key)
    if given.tokens:
        rows = _tokens(store, entry)
        say_json({"key": entry.key, "tokens": rows}) if given.json else say(*rows)
        return
    found = profiles.load(store, entry)
    if name is not None:
        values = propagation.matrix(found.seeds(name))
        say_json({"key": entry.key, "name": name, "matrix": values}) if given.json else matrix_table(name, values)
        return
    if given.json:
        say_json({**_summary(found), "perturbations": gains_json(found), "provenance": entry.provenance})
    elif given.gains is not None:
        gains_table(found, given.gains)
    else:
        overview(found)


def _summary(found: Profile) -> Answer:
    """What `measure` answers."""
    entry = found.entry
    record = found.spec.record(found.provenance)
    return {"key": entry.key, "imported": bool(entry.packs), **record, "layers": found.layers}


def _tokens(store: Store, entry: Entry) -> list[list[int]]:
    """Token ids; of an imported profile from files at hand alone: a stranger's pack fetches no model and no text."""
    from core.models.loading import load_tokenizer, quick
    from core.models.sources import locate, refuse_fetch
    from core.models.windows import tokens

    told = entry.provenance
    source, model, revision = (told.get(name) for name in ("text_source", "model_source", "revision"))
    if not (source and model):
        raise UserError(f"profile {entry.key} does not say what it was measured on: measure it again to see its tokens")
    if entry.packs and not source.startswith("demo"):
        raise UserError(f"profile {entry.key} was imported: measure its text {source} here to see its tokens")
    refuse_fetch(entry, store, model, revision)
    tokenizer = load_tokenizer(quick(locate(model, store, revision, fetch=not entry.packs), store))
    documents = tuple(told["documents"]) if told.get("documents") else None
    return tokens(entry.spec.text, source, documents, tokenizer).tolist()


# --- gains ----------------------------------------------------------------------------------------------------------


def gains_json(found: Profile) -> list[Answer]:
    """Per perturbation: gains, interval and verdict of every layer, and the sentence about them."""
    rows = []
    for name, seeds in found.by_name.items():
        gains = gains_of(seeds)
        rows.append(
            {
                "name": name,
                "gains": gains.value,
                "interval": np.stack([gains.low, gains.high], axis=1),
                "verdict": list(gains.verdicts),
                "verdict_without_correction": list(gains.uncorrected),
                "finding": gain_sentences.of_perturbation(found, name),
                "below_floor": gain_sentences.drowned(found, name),
                **{each: getattr(gains, each) for each in ("mean_ratio", "median", "drift", "n")},
                "drift_first": np.diag(averaged(seeds, "drift_first")),
                "final_drift": propagation.matrix(seeds)[:, -1],
                **{harm: per_layer(seeds, harm) for harm in HARMS},
                "seeds": len(seeds),
            }
        )
    return rows


def overview(found: Profile) -> None:
    """A line per perturbation: how its gains run over the layers, and what they show."""
    told, text = found.provenance, found.spec.text
    say(f"{told.get('model')} on {told.get('text')}, {text.sequences} × {text.length} tokens{found.entry.mark}")
    say(*filter(None, (gain_sentences.rounding(found), pruned_before(found.spec.earlier))))
    say(*(f"{row['name']}: {_span(row['gains'][:-1])}. {row['finding']}" for row in gains_json(found)))
    say(gain_sentences.RULE, MORE)


def _span(gains: Sequence[float]) -> str:
    """`gains 0.57 to 0.98`: the least and the greatest gain of the layers before the last."""
    known = [each for each in gains if np.isfinite(each)]
    return f"gains {digits(min(known))} to {digits(max(known))}" if known else "gains not known"


def gains_table(found: Profile, name: str) -> None:
    """Every layer of one perturbation with its interval and verdict.

    Raises:
        UserError: it was not measured.
    """
    found.seeds(name)
    row = next(row for row in gains_json(found) if row["name"] == name)
    layers = zip(row["gains"], *row["interval"].T, row["verdict"], strict=True)
    cells = [
        (str(layer), *(digits(each, 3) for each in numbers), verdict or "")
        for layer, (*numbers, verdict) in enumerate(layers)
    ]
    told = found.provenance
    title = f"Gain per layer under {name}, with its 95 % interval: {told.get('model')} on {told.get('text')}"
    say_table(("layer", "gain", "at least", "at most", "verdict"), cells, f"{title}{found.entry.mark}", words=0)
    say(f"{name}: {row['finding']}", f"The last layer is 1 by definition. {gain_sentences.RULE}")


def matrix_table(name: str, matrix: np.ndarray) -> None:
    """A drift matrix as text: rows injected, columns read; as many abreast as the terminal holds."""
    say(f"Drift, {name}: injected at (row), read at (column)")
    say(pd.DataFrame(matrix).to_string(na_rep="", float_format=digits, line_width=output.out.width))


# --- another checkpoint ----------------------------------------------------------------------------------------------


@command("compare")
def compare(given: SimpleNamespace, store: Store) -> None:
    """Take every layer from another checkpoint in turn, then all of it: which layers and tensors went wrong."""
    entry = answered("compare", given, store)
    found = checkpoints.compared(profiles.load(store, entry))
    if given.json:
        say_json({"key": entry.key, "model": entry.provenance.get("model"), **compared_json(found)})
        return
    say(*gain_sentences.of_checkpoint(found))
    rows = [
        (
            row["tensor"],
            f"{row['layer']}{'*' if row['stands_out'] else ''}",
            *(f"{digits(100 * row[error])} %" for error in ("error", "usual_error")),
            digits(row["kl"]),
            per_cent(row["flips"]),
        )
        for row in _ranking(found)[:SHOWN]
    ]
    say_table(("tensor", "layer", "its error", "usual", "KL, nats", "flips"), rows, unbroken=True)
    say("* stands out from the other layers", f"profile {entry.key}")


def compared_json(found: Compared) -> Answer:
    """What `compare --json` says of a comparison."""
    whole, weights = found.whole, found.weights
    each = {name: getattr(whole, name) for name in HARMS}
    return {
        "other": found.called,
        "findings": gain_sentences.of_checkpoint(found),
        "layers": len(found.harm),
        "ranking": _ranking(found),
        "whole": {"drift": found.drift, **{name: values.mean() for name, values in each.items()}, "tokens": each},
        "weights": {
            "tensors": found.tensors,
            "error": weights.error,
            "scale": weights.scale,
            "outside": dict(zip(found.outside, weights.outside.tolist(), strict=True)),
        },
    }


def _ranking(found: Compared) -> list[Answer]:
    """The layers, the most suspect first."""
    gains, single = gains_of([found.single]), found.single
    return [
        {
            "layer": layer,
            "stands_out": bool(found.odd[layer]),
            "tensor": found.tensors[tensor],
            "error": found.weights.error[layer, tensor],
            "usual_error": found.usual[tensor],
            **{name: getattr(single, name)[layer].mean() for name in HARMS},
            "kl": found.harm[layer],
            "gain": gains.value[layer],
            "verdict": gains.verdicts[layer],
        }
        for layer, tensor in ((layer, found.tensor(layer)) for layer in found.ranking)
    ]
