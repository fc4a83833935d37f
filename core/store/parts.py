"""Finished parts of a unit, kept until it is whole, and views that lack units: so that a stopped run resumes."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from core.base import Array, Fields, Spec, unique
from core.requests import EvaluatedSpec, ExactRecipe, PerturbedSpec, ProfileSpec, StudySpec, Unfinished
from core.store.cache import Entry, Store
from core.store.entries import KIND_OF, UNITS
from core.store.files import Corrupt, discard, pretty, verified, write_folder
from core.store.results import Merged, count, decode, encode, merged

Parted = PerturbedSpec | EvaluatedSpec


# --- parts of a unit -----------------------------------------------------------------------------------------------


def folder(store: Store, unit: Parted) -> Path:
    """The folder of a unit's finished parts, each named `first-last` by its sequences or windows."""
    return store.root / "parts" / unit.key


TRAINING = "training.safetensors"  # in `distillation_folder`


def distillation_folder(store: Store, model: Spec, pruned: ExactRecipe) -> Path:
    """Folder of a model's distilled weights, or of a training that was stopped.

    A training that ends at the best check of a longer one shares the folder of that.
    """
    whole = pruned.replace(recover_until=0)
    known = pruned.recover_until and distillation_course(store, model, whole)
    if known and known[0][known[1].argmin()] == pruned.recover_until:
        pruned = whole
    return store.root / "parts" / f"{model.key}-{pruned.key}"


def distillation_course(store: Store, model: Spec, pruned: ExactRecipe) -> tuple[Array, Array] | None:
    """Tokens trained on at each validation check, and KL(dense || model) there, nats/token; None if unreadable."""
    try:
        with safe_open(distillation_folder(store, model, pruned) / TRAINING, "numpy") as held:
            return held.get_tensor("looks"), held.get_tensor("divergences")
    except (FileNotFoundError, SafetensorError):
        return None


def save(store: Store, unit: Parted, first: int, part: Merged, **told: Any) -> None:
    """Keep the sequences or windows `first, first + 1, ...` of a unit.

    Args:
        told: seconds and warnings of measuring them, and the largest relative error of a replayed layer seen so far.
    """
    path = folder(store, unit) / f"{first:04d}-{first + count(part) - 1:04d}"
    write_folder(path, encode(part) | {"provenance.json": pretty({"unit": unit.key, **told})}, durable=False)


def drop(store: Store, unit: Parted) -> None:
    """Delete a unit's parts, once it is stored whole."""
    discard(folder(store, unit))


def finished(store: Store, unit: Parted) -> dict[int, Merged]:
    """First sequence or window -> part, in order; broken ones are set aside.

    Parts overlap where two processes had room for different numbers of sequences at once: the first is taken.
    """
    found = {}
    reached = 0
    for path in _folders(store, unit):
        try:
            files = verified(path)
            if json.loads(files.get("provenance.json", b"{}")).get("unit") != unit.key:
                raise Corrupt("it is a part of another unit")
            part = decode(files, UNITS[KIND_OF[type(unit)]][1])
        except Corrupt as broken:
            store.set_aside(path, broken)
            continue
        first = _span(path)[0]
        if first >= reached:
            found[first], reached = part, first + count(part)
    return found


def partial(store: Store, unit: Parted) -> Merged | None:
    """A unit as far as it is measured: whole from the cache, else its finished parts, else None."""
    whole = store.load(unit) if store.measured(unit) else None
    parts = [] if whole is not None else list(finished(store, unit).values())
    return merged(parts) if parts else whole


def summary(store: Store, unit: Parted) -> Fields:
    """Seconds, warnings and the largest replay error of measuring a unit, over all runs that had a share in it."""
    whole = store.measured(unit)
    try:
        folders = [whole] if whole else _folders(store, unit)
        told = [json.loads((each / "provenance.json").read_bytes()) for each in folders]
    except FileNotFoundError:
        if store.measured(unit) == whole:
            raise
        return summary(store, unit)  # another process has put its parts together meanwhile
    errors = [each.get("replay_error") for each in told]
    return {
        "seconds": round(sum(each.get("seconds", 0.0) for each in told), 2),
        "warnings": unique(text for each in told for text in each.get("warnings", [])),
        "replay_error": max((each for each in errors if each is not None), default=None),
    }


def _folders(store: Store, unit: Parted) -> list[Path]:
    """Folders of a unit's parts in order, the longest of one start first; none once the unit is stored whole."""
    try:
        return sorted(folder(store, unit).glob("[!.]*-*"), key=_span)
    except FileNotFoundError:
        return []


def _span(path: Path) -> tuple[int, int]:
    first, last = map(int, path.name.split("-"))
    return first, -last


# --- views of which units are missing ------------------------------------------------------------------------------


def save_view(store: Store, whole: ProfileSpec | StudySpec, told: dict) -> Entry:
    """Save a view over its units; an unfinished one while some are missing."""
    if missing(store, whole):
        return store.entry(store.save(Unfinished(whole=whole), None, told))
    entry = store.entry(store.save(whole, None, told))
    discard(store.root / "unfinished" / Unfinished(whole=whole).key)
    return entry


def missing(store: Store, whole: ProfileSpec | StudySpec) -> list[Spec]:
    """Units that have yet to be measured for this cache."""
    return [unit for unit in whole.units if store.measured(unit) is None]
