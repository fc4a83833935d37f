"""Finished parts of a unit, stored until it is whole, so that a stopped run resumes; deletion, killed or not."""

from itertools import chain
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from core.base import Array, Fields, Spec, UserError, access, readable, unique
from core.requests import EvaluatedSpec, ExactRecipe, PerturbedSpec, ProfileSpec, SketchSpec, StudySpec, Unfinished
from core.store.cache import Store
from core.store.entries import KIND_OF, SUFFIX, UNITS, VIEW_KINDS, Entry, file_of, read, write_entry
from core.store.files import Corrupt, abandoned, discard, remove
from core.store.results import Merged, count, merged

Parted = PerturbedSpec | SketchSpec | EvaluatedSpec


# --- parts of a unit -----------------------------------------------------------------------------------------------


def folder(store: Store, unit: Parted) -> Path:
    """Folder of a unit's finished parts, each a file named `first-last` by its sequences or windows."""
    return store.root / "parts" / unit.key


TRAINING = "training.safetensors"  # in `distillation_folder`


def distillation_folder(store: Store, model: Spec, pruned: ExactRecipe) -> Path:
    """Folder of a model's distilled weights, or of a training that was stopped.

    A training that ends at the best check of a longer one shares the folder of that.
    """
    whole = pruned.replace(recover_until=0)
    course = pruned.recover_until and distillation_course(store, model, whole)
    if course and course[0][course[1].argmin()] == pruned.recover_until:
        pruned = whole
    return store.root / "parts" / f"{model.key}-{pruned.key}"


def distillation_course(store: Store, model: Spec, pruned: ExactRecipe) -> tuple[Array, Array] | None:
    """Tokens trained on at each validation check, and KL(dense || model) there, nats/token; None if unreadable."""
    try:
        path = readable(distillation_folder(store, model, pruned) / TRAINING, "weights file")
        with safe_open(path, "numpy") as file:
            looks, nats = file.get_tensor("looks"), file.get_tensor("divergences")
    except (UserError, FileNotFoundError, SafetensorError):
        return None
    return (looks, nats) if looks.ndim == nats.ndim == 1 <= nats.size <= looks.size > 1 else None


def save(store: Store, unit: Parted, first: int, part: Merged, **provenance: Any) -> None:
    """Save the sequences or windows `first, first + 1, ...` of a unit.

    Args:
        provenance: seconds and warnings of measuring them, and the largest relative error of a replayed layer so far.
    """
    path = folder(store, unit) / f"{first:04d}-{first + count(part) - 1:04d}{SUFFIX}"
    write_entry(path, unit, part, provenance, durable=False)


def drop(store: Store, unit: Parted) -> None:
    """Delete a unit's parts, once it is stored whole."""
    discard(folder(store, unit))


def finished(store: Store, unit: Parted) -> dict[int, Merged]:
    """First sequence or window -> part, in order; broken ones are set aside.

    Parts overlap if two processes had room for different numbers of sequences at once: the first is taken.
    """
    parts, reached = {}, 0
    for path in _paths(store, unit):
        try:
            part = _read(path, unit).result
        except Corrupt as error:
            store.set_aside(path, error)
            continue
        except FileNotFoundError:  # another process has put them together
            continue
        if (first := _span(path)[0]) >= reached:
            parts[first], reached = part, first + count(part)
    return parts


def partial(store: Store, unit: Parted) -> Merged | None:
    """A unit as far as it is measured: whole from the cache, else its finished parts, else None."""
    whole: Any = store.load(unit) if store.measured(unit) else None
    parts: list[Any] = [] if whole is not None else list(finished(store, unit).values())
    return merged(parts) if parts else whole


def summary(store: Store, unit: Parted) -> Fields:
    """Seconds, warnings and largest replay error of measuring a unit, over all runs that contributed."""
    whole = store.measured(unit)
    try:
        provenances = [_read(path, unit).provenance for path in ([whole] if whole else _paths(store, unit))]
    except FileNotFoundError:
        if store.measured(unit) == whole:
            raise
        return summary(store, unit)  # another process has assembled its parts meanwhile
    errors = [each.get("replay_error") for each in provenances]
    return {
        "seconds": round(sum(each.get("seconds", 0.0) for each in provenances), 2),
        "warnings": unique(text for each in provenances for text in each.get("warnings", [])),
        "replay_error": max((each for each in errors if each is not None), default=None),
    }


def _paths(store: Store, unit: Parted) -> list[Path]:
    """Files of a unit's parts in order, the longest of one start first; none once the unit is stored whole."""
    try:
        return sorted(folder(store, unit).glob(f"[!.]*-*{SUFFIX}"), key=_span)
    except FileNotFoundError:
        return []


def _read(path: Path, unit: Parted) -> Any:
    """Read a unit, or a part of it, that this version wrote: its key says so."""
    return read(path, KIND_OF[type(unit)], unit.key)


def _span(path: Path) -> tuple[int, int]:
    first, last = map(int, path.stem.split("-"))
    return first, -last


# --- views of which units are missing ------------------------------------------------------------------------------


def save_view(store: Store, whole: ProfileSpec | StudySpec, provenance: dict) -> Entry:
    """Save a view over its units; an unfinished one while some are missing."""
    if missing(store, whole):
        return store.entry(store.save(Unfinished(whole=whole), None, provenance))
    entry = store.entry(store.save(whole, None, provenance))
    discard(file_of(store.root, Unfinished(whole=whole)))
    return entry


def missing(store: Store, whole: ProfileSpec | StudySpec) -> list[Spec]:
    """Units that have yet to be measured for this cache."""
    return [unit for unit in whole.units if store.measured(unit) is None]


# --- deletion, and what killed processes left ------------------------------------------------------------------------

DELETED = "deleted"  # in the temporary name of a view whose units are to be deleted next


def delete(store: Store, entry: Entry) -> None:
    """Delete a profile, study or export and the units that no other needs.

    Renaming the entry deletes it. Where the process is killed after that, `sweep` does the rest.

    Raises:
        UserError: the entry is part of the committed demo, or nothing may be deleted here.
        OSError: it cannot be deleted.
    """
    access.may_write()
    if entry.committed:
        raise UserError(f"{entry.key} is part of the committed demo and cannot be deleted")
    discard(entry.path, DELETED, lambda: _discard_units(store, entry.spec))


def _discard_units(store: Store, spec: Any) -> None:
    """Delete the units of a view that no other needs, and the weights that were trained for them."""
    others = (other for kind in VIEW_KINDS for other in store.entries(kind) if not other.committed)
    needed = {unit.key for other in others for unit in other.spec.units}
    for unit in spec.units:
        if unit.key not in needed:
            discard(file_of(store.root, unit))
            if pruned := getattr(unit, "pruned", None):
                discard(distillation_folder(store, unit.model, pruned))


def sweep(store: Store) -> None:
    """Clean up after killed processes: temporary files, half a deletion, parts of whole units.

    Raises:
        OSError: the cache cannot be written.
    """
    folders = (path for pattern in ("[!.]*", "parts/*", "jobs/*") for path in store.root.glob(pattern))
    for path in chain.from_iterable(map(abandoned, (store.root / "converted", *folders))):  # the largest first
        if deleted := _deleted(path):
            _discard_units(store, deleted.spec)
        remove(path)
    for parts in store.root.glob("parts/[!.]*"):
        if any((store.root / kind / f"{parts.name}{SUFFIX}").exists() for kind in UNITS):
            discard(parts)


def _deleted(path: Path) -> Entry | None:
    """View in a temporary file whose deletion was begun; None for anything else."""
    if path.parent.name not in VIEW_KINDS or not path.name.rpartition("-")[2].startswith(DELETED):
        return None
    try:
        return read(path, path.parent.name, path.name.split(".")[1])
    except (OSError, Corrupt):
        return None
