"""Figures of all that is committed: what is stored, what commands tell of it, and what the tour computes from it."""

import json
from dataclasses import fields
from itertools import combinations

import numpy as np

from core.base import UserError, checked
from core.cli import study_output, terminal
from core.methods import Manual, Owl
from core.plan import (
    allocate,
    below_floor,
    crossing,
    drift_curves,
    drift_left,
    gains_of,
    responses,
    split_log_gain,
    sweep,
    verdicts_of,
)
from core.requests import OF_ALLOCATION, OF_CORRECTION, AllocationRequest, Correction
from core.results import comparison, protocols, shared_tasks, study_results
from core.show.lessons import absorption, damage, shared
from core.store import HOME, KINDS, Store
from core.store import profiles as stored_profiles
from tests.replay.probe.plain import ASKED, REFUSED, ask, fingerprint, plain, point

PROFILES, STUDIES = (sorted(path.stem for path in (HOME / "demo" / kind).iterdir()) for kind in ("profile", "study"))
ALLOCATION = ASKED["allocation"]
OF_PROFILE = ("layers", "sequences", "length")
OF_PERTURBATION = (
    "gains", "interval", "verdict", "mean_ratio", "median", "drift", "drift_first", "final_drift", "kl",
    "nll_increase", "flips", "seeds", "n",
)  # fmt: skip
TOLD_OF_ALLOCATION = ("request", "base", "sparsity", "budget", "bound", "bounds")
OF_POINT = ("setting", "against_uniform", "against_base", "over_seeds", "over_shuffles")


def profile(key):
    """A stored profile, ready for arithmetic."""
    store = Store()
    return stored_profiles.load(store, store.by_key(key, ("profile",)))


def study(key):
    """A stored study."""
    store = Store()
    return study_results.load(store, store.by_key(key, ("study",)))


def stored(_):
    """A key for every entry, hashed anew from its spec, and the keys of its units or a fingerprint of each array."""
    store = Store()
    for kind in KINDS:
        for entry in store.entries(kind):
            if not entry.committed:
                continue
            name = f"{kind}/{entry.key}"
            yield f"{name}/key", entry.spec.key
            below = getattr(entry.spec, "units", ())  # of a view
            if below:
                yield f"{name}/units", [each.key for each in below]
                continue
            found = store.load(entry.spec)
            for each in fields(found):
                yield f"{name}/{each.name}", fingerprint(getattr(found, each.name))


# --- profiles ------------------------------------------------------------------------------------------------------


def profiles(_):
    """What `show` tells."""
    for key in PROFILES:
        yield from shown(key, key)


def shown(key, name):
    """A profile by its key: gains, intervals, verdicts, harms, matrices."""
    told = ask("show", key)
    yield f"{name}/key", told["key"]
    for field in OF_PROFILE:
        yield f"{name}/{field}", told[field]
    for each in told["perturbations"]:
        for field in OF_PERTURBATION:
            yield f"{name}/{each['name']}/{field}", each[field]
        yield f"{name}/{each['name']}/matrix", ask("show", key, "--matrix", each["name"])["matrix"]


def reasons(_):
    """What is worked out beyond that: joint verdicts, ways through the network, dilution, responses."""
    for key in PROFILES:
        found = profile(key)
        for name in found.by_name:
            for what, value in _of_perturbation(found, name).items():
                yield f"{key}/{name}/{what}", plain(value)
        yield f"{key}/crossing", plain(_or_refused(_crossing, found))
        for harm in ("drift", "kl", "nll"):
            for what, value in _response(found, harm).items():
                yield f"{key}/response-{harm}{what}", value


def _of_perturbation(found, name):
    seeds = found.seeds(name)
    gains, curves = gains_of(seeds), drift_curves(seeds)
    split = split_log_gain(seeds, found.activation)
    return {
        "firm": [each or "undecided" for each in gains.verdicts],
        "quartiles": np.mean([np.stack([each.ratio_q25.mean(1), each.ratio_q75.mean(1)], 1) for each in seeds], 0),
        "absorption": -np.log(gains.value),
        "curves": {end: fingerprint(getattr(curves, end)) for end in ("value", "low", "high")},
        "final": curves.value[:, -1],
        "relative": fingerprint(drift_left(seeds)),
        "below-floor": below_floor(seeds, found.floor.drift).sum(1),
        "dilution": {
            "absolute": split.absolute.mean(1),
            "growth": split.growth.mean(1),
            "frozen": (-split.growth).mean(1),
        },
        "dilution-firm": [each or "undecided" for each in verdicts_of(split.absolute)],
    }


def _or_refused(work, found):
    try:
        return work(found)
    except UserError:
        return REFUSED


def _crossing(found):
    """Where noise turns from amplified to absorbed, (layers,)."""
    sizes = shared.noise(found)
    logs = np.stack([np.log(gains_of(found.seeds(name)).value) for name in sizes.values()])
    return crossing(np.array(list(sizes)), logs)


def _response(found, harm):
    """What was measured and its hull; nothing of a quick profile, which has one sparsity."""
    try:
        sparsities, rows = responses.measured(found, "wanda", harm)
    except UserError:
        return {}
    hull = responses.of_profile(found, "wanda", harm)
    return {
        "": {"sparsity": plain(sparsities), "harm": plain(rows)},
        "/hull": {"sparsity": plain(hull.sparsity), "harm": fingerprint(hull.harm)},
    }


def allocations(_):
    """What `allocate` answers."""
    whole = Store().demo().key
    for key in PROFILES:
        yield from allocated(key, key, ALLOCATION if key == whole else ALLOCATION["other"])


def allocated(key, name, asked):
    """Of a profile by its key: every base, variation and target."""
    for base, own in ALLOCATION["bases"].items():
        for variation in asked["variations"]:
            more = dict(ALLOCATION["variations"][variation])
            for target in asked["targets"]:
                told = _by_hand(key, more, target) if base == "manual" else _said(key, own | more, target)
                place = f"{name}/{base}/{variation}/{target}"
                if told is None:
                    yield place, REFUSED
                    continue
                for field in TOLD_OF_ALLOCATION:
                    yield f"{place}/{field}", told[field]


def _said(key, given, target):
    base, *words = (f"{name}={value}" for name, value in given.items())
    words = " ".join([base.removeprefix("base="), *words])
    return ask("allocate", "--profile", key, "--allocation", f"{words}:{target}")


def _by_hand(key, given, target):
    """Numbers along a line, shifted to the target: what no line asks for."""
    there = profile(key)
    whole, fix = ({name: given[name] for name in names if name in given} for names in (OF_ALLOCATION, OF_CORRECTION))
    line = tuple(round(float(each), 6) for each in np.linspace(*ALLOCATION["line"], there.layers))
    try:
        asked = {"base": Manual(sparsity=line), "target": target, "correction": checked(Correction, **fix)}
        request = checked(AllocationRequest, **asked, **whole)
        found = allocate(request, there)
    except UserError:
        return None
    told = {"request": request.model_dump(mode="json"), "base": found.exact_base, "sparsity": found.exact}
    told |= {"budget": round(found.budget, 9), "bound": found.bound, "bounds": [found.bounds.low, found.bounds.high]}
    return json.loads(terminal.as_json(told))


# --- studies -------------------------------------------------------------------------------------------------------


def studies(_):
    """What every point cost by its place, and its changes against its uniform twin and its base."""
    for key in STUDIES:
        found = study(key)
        yield from points(key, study_output.study_json(found, {})["points"])
        for index, each in enumerate(found.singles):
            yield f"{key}/{index}/planned", plain(each.planned)
            yield f"{key}/{index}/zeros", plain(each.result.evaluated.zeros)


def points(name, told):
    """What `study --json` answers of its points."""
    for index, each in enumerate(told):
        for what, value in point(each).items():
            yield f"{name}/{index}/{what}", plain(value)
        for what in OF_POINT:
            if what in each:
                yield f"{name}/{index}/{what}", plain(each[what])


def compared(name, found):
    """Settings of a study against each other over their seeds: every pair that may be compared."""
    for index, line in enumerate(found.settings):
        yield f"{name}/{index}/setting", line.setting.model_dump(mode="json")
        yield f"{name}/{index}/seeds", list(line.seeds)
        yield f"{name}/{index}/perplexity", line.perplexity
        yield f"{name}/{index}/loss", line.loss
        yield (
            f"{name}/{index}/accuracy",
            {called: plain((*line.accuracy(task), len(line.answers(task)))) for task, called in found.tasks.items()},
        )
        for what, change in (("uniform", line.against_uniform), ("base", line.against_base)):
            yield f"{name}/{index}/against-{what}", change and _change(change)
    for part in found.slices:
        shared = shared_tasks(found.tasks, [*found.within(part), *filter(None, [found.dense])])
        for one, other in combinations(found.within(part), 2):
            where = f"{name}/{found.settings.index(other)}-against-{found.settings.index(one)}"
            yield where, _change(other.against(one))
            yield f"{where}/accuracy", plain(other.accuracy_against(one, shared))


def _change(found):
    """The change over windows and over seeds, each with its verdict."""
    told = {"windows": found.windows, "seeds": found.seeds}
    return {what: [each.value, each.low, each.high, each.n, comparison.verdict(each)] for what, each in told.items()}


# --- the tour ------------------------------------------------------------------------------------------------------


def lessons(_):
    """The numbers of every chapter for every profile, without its sentences."""
    for key in PROFILES:
        found = profile(key)
        for name, chapter in CHAPTERS.items():
            told = _or_refused(chapter, found)  # refused where a profile lacks what the chapter looks at
            for what, value in ({"": told} if told == REFUSED else told).items():
                yield f"{key}/{name}/{what}".rstrip("/"), plain(value)


def _named(of, *names):
    return {name: getattr(of, name) for name in names}


def _perturb(found):
    hit = damage.perturb(found)
    return {"measured sizes": hit.strengths, "measured flips": hit.values}


def _drift(found):
    spread, seeds = damage.drift(found), found.seeds(shared.DRIVER)
    final, harm = drift_curves(seeds).value[:, -1], sum(each.kl.mean(1) for each in seeds) / len(seeds)
    ranked = {"rank-correlation": comparison.spearman(final, harm), "misjudged": damage.misjudged(final, harm)}
    return {"measured sizes": spread.strengths, "measured drift": spread.values} | ranked


def _amplify(found):
    sink = absorption.amplify(found)
    values = {"without": sink.without.value, "including": sink.including.value}
    return values | {"size": sink.size, "turned": sink.flipped, "changed by the sink": sink.change}


def _absorb(found):
    growth = _named(absorption.absorb(found), "stream", "damage", "gain", "grown", "around")
    pair = shared.twins(Store(), found)
    return growth | {"twins": pair and [each.key for each in pair]}


def _allocate(found):
    responses.highest(found)  # refused for a model that cannot be pruned, or without residuals
    plain = AllocationRequest(base=Owl(), target=shared.TARGET)
    base = allocate(plain, found)
    driven = allocate(plain.replace(correction=Correction(driver=shared.DRIVER)), found)
    push = sweep.sweep(driven, np.linspace(0, 0.1, 51).round(6), found, {}, {})
    if len(push.strengths) == 1:
        raise UserError("the perturbation that drives the correction was not measured")
    return {"setting": plain.model_dump(mode="json"), "base": base.base} | _named(push, "strengths", "rows")


def _prune(found):
    alone = damage.prune(found)
    table = {"measured sparsities": alone.strengths, "measured harm": alone.values}
    return table | {"worst of measured": [int(alone.values[alone.at].argmax()), alone.at]}


def _measured(found):
    store = Store()
    groups = protocols.grouped_by_protocol(store, store.of_model(found.spec.model, "study")).values()
    whole = protocols.best_slice(groups, shared.TARGET)
    if whole is None:
        return {}
    told, keys = {}, [each.key for each in whole.study.entries]
    for index, each in enumerate(whole.settings):
        change = each.against_uniform and each.against_uniform.quoted
        against = change and [change.value, change.low, change.high, change.n]
        told[f"{index}/setting"] = each.setting.model_dump(mode="json")
        told[f"{index}/measured cost"] = [each.setting.allocation.target, each.perplexity, against]
        told[f"{index}/studies"] = keys
    return told


CHAPTERS = {
    "perturb": _perturb,
    "drift": _drift,
    "amplify": _amplify,
    "absorb": _absorb,
    "allocate": _allocate,
    "prune": _prune,
    "measured": _measured,
}
