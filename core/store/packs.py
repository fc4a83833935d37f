"""A result as one file that can be carried to another machine, and the way back.

A pack is a zip of the store's own folders, `kind/key/file`, each with its manifest. On the way back it is a stranger's
file: all of it is checked in memory before anything is written, and it is read as JSON and numbers, never executed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.ask.jobs import Part, Unfinished
from core.base import access
from core.base.errors import UserError
from core.base.paths import readable
from core.base.spec import Spec, View, key_of
from core.store import parts
from core.store.cache import KIND_OF, KINDS, Entry, Store, form_of, read_folder
from core.store.checks import Lengths, check_arrays, check_linears, check_unit
from core.store.files import Corrupt, hashes, pretty
from core.store.pack_files import Files, Place, folders, json_object, refuse, zipped
from core.store.provenance_schema import SCHEMAS, Provenance, without_folders
from core.store.results import decode, encode

KINDS_THAT_TRAVEL = (*(kind for kind in KINDS if kind != "export"), "part")  # an export is a folder of its machine


# --- out -----------------------------------------------------------------------------------------------------------


def pack(store: Store, entry: Entry) -> bytes:
    """A profile or study and its units as a zip; the same entry always gives the same bytes.

    It says no path of this machine. The profile that a study's allocations looked at goes along where it is here:
    without a profile of its model no page elsewhere can show the study.

    Raises:
        UserError: it is an export, or one of its units is missing or damaged.
    """
    if entry.path.parent.name not in KINDS_THAT_TRAVEL:
        raise UserError(f"{entry.key} is an export: carry its folder {entry.spec.folder} itself")
    return zipped(_files(store, entry) | _files_of_profile(store, entry))


def _files(store: Store, entry: Entry) -> dict[str, bytes]:
    """Every file of an entry and its units, by its place in a pack; of an unfinished one what there is, parts too."""
    begun = isinstance(entry.spec, Unfinished)
    units = filter(None, map(store.measured, entry.spec.units)) if begun else _unit_folders(store, entry)
    found = {f"{each.parent.name}/{each.name}": _whole(entry, each) for each in (entry.path, *units)}
    if begun:
        found |= {
            f"part/{part.key}": _members({"spec.json": pretty(part.model_dump(mode="json")), **encode(result)}, told)
            for part, told, result in parts.of_view(store, entry.spec)
        }
    return {f"{place}/{name}": data for place, files in found.items() for name, data in files.items()}


def _files_of_profile(store: Store, entry: Entry) -> dict[str, bytes]:
    """Every file of the profile that an entry names, by its place in a pack.

    Nothing where that is committed, so is everywhere, is not whole, or is not of the entry's model: what is named in
    provenance may have come from a stranger.
    """
    named = entry.provenance.get("profile")
    if not isinstance(named, str):
        return {}
    try:
        found = store.profile(named)
        alike = found.spec.model.content == entry.spec.model.content
        return _files(store, found) if alike and not found.committed else {}
    except UserError:
        return {}


def _unit_folders(store: Store, entry: Entry) -> Iterator[Path]:
    for unit in entry.spec.units:
        folder = store.path(unit)
        if folder is None:
            raise UserError(f"{entry.key} lacks the unit {unit.key}: run it again to fill the gap")
        yield folder


def _whole(entry: Entry, folder: Path) -> dict[str, bytes]:
    try:
        return _members(*read_folder(folder))
    except (Corrupt, OSError) as error:
        raise UserError(f"{entry.key} cannot be packed, {folder.name} is damaged: run it again to mend it") from error


def _members(files: dict[str, bytes], told: dict) -> dict[str, bytes]:
    files = files | {"provenance.json": pretty(without_folders(told))}
    return dict(sorted({**files, "manifest.json": pretty(hashes(files))}.items()))


# --- back ----------------------------------------------------------------------------------------------------------


def unpack(store: Store, content: bytes | Path, own: bool = False) -> list[Entry]:
    """Put a pack's results into the store; what is there already stays as it is.

    Everything is checked before anything is written: the zip's size, members and their names, every folder's hashes,
    spec and arrays, and that each profile and study has all its units, here or in the store, and that these agree.
    What is written is marked as imported.

    Args:
        own: the same person measured it on another machine: it is not marked, and shares join those that are here.

    Returns:
        The pack's profiles and studies, as they now are in the store.

    Raises:
        UserError: the first thing that was wrong, with the member's name.
    """
    access.may_write()
    if access.is_shared():
        raise access.Refused("packs are imported by whoever runs this server, on its command line")
    content = content if isinstance(content, bytes) else readable(content, "pack").read_bytes()
    found = [_entry(place, files) for place, files in folders(content, KINDS_THAT_TRAVEL).items()]
    _check_complete(store, found, own)
    results = {entry.spec: entry.result for entry in found}
    for entry in found:
        if isinstance(entry.spec, View):
            _check_view(store, entry, results)
        elif isinstance(entry.spec, Part):
            check_unit(entry.path.as_posix(), entry.spec.alone, entry.result, {})
    packs = [] if own else [hashlib.sha256(content).hexdigest()]
    for entry in sorted(found, key=lambda each: isinstance(each.spec, View)):  # a view never stands before its units
        _write(store, entry, packs)
    return [entry for entry in (store.get(each.spec) for each in found if isinstance(each.spec, View)) if entry]


def _entry(place: Place, files: Files) -> Entry:
    """An entry, its path `kind/key`, of a folder that is what its name, its spec and its provenance say."""
    kind, key = place
    name, form = f"{kind}/{key}/spec.json", Part if kind == "part" else KINDS[kind][0]
    if key_of(form, json_object(name, files.get("spec.json"))) != key:
        refuse(name, "does not hash to its folder's name: this is not the result it claims to be")
    try:
        spec = form.model_validate_json(files.pop("spec.json"))
    except ValidationError:
        spec = None
    if spec is None or spec.key != key:
        refuse(name, "was written by another version of this program: import it there, or measure it again here")
    name = f"{kind}/{key}/provenance.json"
    provenance = json_object(name, files.get("provenance.json"))
    try:
        SCHEMAS.get(kind, Provenance).model_validate_json(files.pop("provenance.json"))
    except ValidationError:
        refuse(name, "does not tell what provenance tells: make the pack again")
    result_form = form_of(spec.unit if isinstance(spec, Part) else spec)
    check_arrays(f"{kind}/{key}", files, result_form)
    return Entry(Path(kind, key), spec, provenance, decode(files, result_form))


def _check_complete(store: Store, found: list[Entry], own: bool) -> None:
    """Check that every view has its units and every unit its view, or it could neither be opened nor deleted."""
    views = [entry.spec for entry in found if isinstance(entry.spec, View)]
    if not views:
        raise UserError("the pack holds no profile and no study, so there is nothing to import")
    if not own and any(isinstance(view, Unfinished) for view in views):
        raise UserError(
            "the pack holds shares of an unfinished profile or study, which join those that were measured here: if you "
            "measured them yourself, import it with `runs import FILE --own`"
        )
    given, needed = {entry.spec for entry in found}, set(views)
    for view in views:
        needed.update(view.units)
        for unit in () if isinstance(view, Unfinished) else view.units:
            if unit not in given and store.path(unit) is None:
                raise UserError(
                    f"{view.key} lacks its unit {unit.key} in the pack and in the cache: make the pack again"
                )
    for entry in found:
        if (entry.spec.unit if isinstance(entry.spec, Part) else entry.spec) not in needed:
            refuse(entry.path.as_posix(), "belongs to no profile and no study of the pack: leave it out")


def _check_view(store: Store, view: Entry, results: dict[Spec, Any]) -> None:
    """Check that the units of a view fit together, including those that are in the store already."""
    lengths: Lengths = {}
    for unit in view.spec.units:
        result = results[unit] if unit in results else store.load(unit)
        if result is not None:  # else shares of it are missing
            check_unit(f"{KIND_OF[type(unit)]}/{unit.key}", unit, result, lengths)
    check_linears(view.path.as_posix(), view.spec, len(view.provenance.get("linears", ())), lengths)


def _write(store: Store, entry: Entry, packs: list[str]) -> None:
    if isinstance(entry.spec, Part):
        parts.join(store, entry.spec, entry.result, entry.provenance)
        return
    here = store.get(entry.spec)
    if here is None or (here.packs and not packs):
        store.save(entry.spec, entry.result, entry.provenance, packs)
    elif isinstance(entry.spec, View) and not here.packs:
        store.mark_again(here)
