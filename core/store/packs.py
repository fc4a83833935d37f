"""A result as one file that can be carried to another machine, and the way back.

A pack is a zip of the store's folders, `kind/key/file`, with each table as the `.npy` arrays that it holds. On the way
back it is a stranger's file: all of it is checked in memory before anything is written, and what it holds is read as
JSON and numbers, never executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from core.ask.shares import Part, Unfinished
from core.base.errors import UserError
from core.base.escape import UNSEEN
from core.base.paths import readable
from core.base.spec import Spec, key_of
from core.store import access, parts
from core.store.agreement import Lengths, check_linears, check_unit
from core.store.arrays import check_arrays
from core.store.cache import KINDS, VIEW_KINDS, Entry, Store, form_of, packs_of, read_folder
from core.store.files import Corrupt, hashes, pretty
from core.store.provenance_schema import SCHEMAS, Provenance
from core.store.public import public
from core.store.results import decode, encode
from core.store.zips import megabytes, members, refuse, zipped

JSON_LIMIT = 8 * 2**20  # bytes of one JSON file

KINDS_THAT_TRAVEL = (*(kind for kind in KINDS if kind != "export"), "part")  # an export is a folder of its machine
WORDS = ("spec.json", "provenance.json")

Place = tuple[str, str]  # kind, key


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
    """The same of the profile that an entry names.

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
    files = files | {"provenance.json": pretty(public(told))}
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
    folders = _folders(members(content, KINDS_THAT_TRAVEL))
    found = {place: _spec(place, files) for place, files in folders.items()}
    for (kind, key), files in folders.items():
        arrays = {file: data for file, data in files.items() if file not in WORDS}
        check_arrays(f"{kind}/{key}", arrays, _form(found[kind, key]))
    _check_complete(store, found, own)
    for place, spec in found.items():
        if place[0] in VIEW_KINDS:
            _check_agreement(store, place, spec, folders)
        elif isinstance(spec, Part):
            check_unit("/".join(place), spec.alone, decode(folders[place], _form(spec)), {})
    came_in = [] if own else [hashlib.sha256(content).hexdigest()]
    for place in sorted(found, key=lambda each: each[0] in VIEW_KINDS):  # a view never stands before its units
        _write(store, found[place], folders[place], came_in)
    paths = [store.path(spec) for (kind, _), spec in found.items() if kind in VIEW_KINDS]
    return [entry for entry in map(store.entry, filter(None, paths)) if entry]


def _form(spec: Spec) -> type | None:
    """What a spec is answered by; None for a view."""
    return form_of(spec.unit if isinstance(spec, Part) else spec)


def _write(store: Store, spec: Spec, files: dict[str, bytes], came_in: list[str]) -> None:
    result, told = decode(files, _form(spec)), json.loads(files["provenance.json"])
    if isinstance(spec, Part):
        parts.join(store, spec, result, told)
        return
    path = store.path(spec)
    if path is None or store.entry(path) is None or (packs_of(path) and not came_in):
        store.save(spec, result, told, came_in)
    elif result is None and not packs_of(path):
        store.mark_again(store.entry(path))


# --- the folders ---------------------------------------------------------------------------------------------------


def _folders(members: dict[str, bytes]) -> dict[Place, dict[str, bytes]]:
    """Kind and key -> the files of the folder but its manifest, each equal to its hash there."""
    folders: dict[Place, dict[str, bytes]] = {}
    for name, data in members.items():
        kind, key, file = name.split("/")
        if file.endswith(".json") and len(data) > JSON_LIMIT:
            refuse(name, f"is larger than {megabytes(JSON_LIMIT)}: no JSON file of a result is")
        folders.setdefault((kind, key), {})[file] = data
    return {place: _unhashed("/".join(place), files) for place, files in folders.items()}


def _unhashed(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    name = f"{folder}/manifest.json"
    if "manifest.json" not in files:
        refuse(name, "is missing: make the pack again with `runs export`")
    manifest = _json(name, files["manifest.json"])
    files = {file: data for file, data in files.items() if file != "manifest.json"}
    for file in sorted(files.keys() - manifest.keys()):
        refuse(f"{folder}/{file}", "is not in its folder's manifest: only what was written there may be in a pack")
    for file in sorted(manifest.keys() - files.keys()):
        refuse(f"{folder}/{file}", "is in its folder's manifest but not in the pack: make the pack again")
    for file, found in hashes(files).items():
        if found != manifest[file]:
            refuse(f"{folder}/{file}", "is not what was written, its hash differs: copy or make the pack again")
    return files


def _spec(place: Place, files: dict[str, bytes]) -> Spec:
    """What a folder says it answers, which must hash to its name."""
    kind, key = place
    form = Part if kind == "part" else KINDS[kind][0]
    for file in WORDS:
        if file not in files:
            refuse(f"{kind}/{key}/{file}", "is missing: make the pack again with `runs export`")
    name = f"{kind}/{key}/spec.json"
    if key_of(form, _json(name, files["spec.json"])) != key:
        refuse(name, "does not hash to its folder's name: this is not the result it claims to be")
    try:
        spec = form.model_validate_json(files["spec.json"])
    except ValidationError:
        spec = None
    if spec is None or spec.key != key:
        refuse(name, "was written by another version of this program: import it there, or measure it again here")
    name = f"{kind}/{key}/provenance.json"
    _json(name, files["provenance.json"])
    try:
        SCHEMAS.get(kind, Provenance).model_validate_json(files["provenance.json"])
    except ValidationError:
        refuse(name, "does not tell what provenance tells: make the pack again")
    return spec


def _json(name: str, data: bytes) -> dict:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        refuse(name, "is not a JSON object: make the pack again with `runs export`")
    if any(map(UNSEEN.search, _names(found))):
        refuse(name, "holds signs that cannot be seen and steer what is: make the pack again with `runs export`")
    return found


def _names(told: dict) -> Iterator[str]:
    """Every text in a JSON object, at any depth."""
    left: list[object] = [told]
    while left:
        match left.pop():
            case dict() as each:
                yield from each
                left += each.values()
            case list() as each:
                left += each
            case str() as each:
                yield each


def _check_complete(store: Store, found: dict[Place, Spec], own: bool) -> None:
    """Every view has its units and every unit its view, or it could neither be opened nor deleted."""
    views = [spec for (kind, _), spec in found.items() if kind in VIEW_KINDS]
    if not views:
        raise UserError("the pack holds no profile and no study, so there is nothing to import")
    if not own and any(isinstance(view, Unfinished) for view in views):
        raise UserError(
            "the pack holds shares of an unfinished profile or study, which join those that were measured here: if you "
            "measured them yourself, import it with `runs import FILE --own`"
        )
    given = {key for _, key in found}
    needed = {view.key for view in views}
    for view in views:
        for unit in view.units:
            needed.add(unit.key)
            if unit.key not in given and store.path(unit) is None and not isinstance(view, Unfinished):
                raise UserError(
                    f"{view.key} lacks its unit {unit.key} in the pack and in the cache: make the pack again"
                )
    for (kind, key), spec in found.items():
        if (spec.unit.key if isinstance(spec, Part) else key) not in needed:
            refuse(f"{kind}/{key}", "belongs to no profile and no study of the pack: leave it out")


def _check_agreement(store: Store, place: Place, view: Spec, folders: dict[Place, dict[str, bytes]]) -> None:
    """The units of a view fit together, those that are in the store already too."""
    lengths: Lengths = {}
    for unit in view.units:
        kind = next(kind for kind, (form, _) in KINDS.items() if form is type(unit))
        files = folders.get((kind, unit.key))
        result = store.load(unit) if files is None else decode(files, KINDS[kind][1])
        if result is not None:  # else it is one that shares are missing of
            check_unit(f"{kind}/{unit.key}", unit, result, lengths)
    told = json.loads(folders[place]["provenance.json"])
    check_linears("/".join(place), view, len(told.get("linears", ())), lengths)
