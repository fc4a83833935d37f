"""A result as one file that can be carried to another machine, and the way back.

A pack is a zip of the store's own folders, `kind/key/file`, each with its manifest. On the way back it is a stranger's
file: all of it is checked in memory before anything is written, and it is read as JSON and numbers, never executed.
"""

import hashlib
import io
import stat
import zipfile
from pathlib import Path

from pydantic import ValidationError

from core.base import UserError, View, access, key_of, readable
from core.store.cache import Entry, Store
from core.store.checks import Place, check_linears, check_unit, folders, json_object, refuse
from core.store.entries import KIND_OF, KINDS, MARK, read_folder
from core.store.files import Corrupt, Files, hashes, pretty
from core.store.provenance_schema import SCHEMAS, Provenance, without_folders
from core.store.results import axes_of, decode

KINDS_THAT_TRAVEL = tuple(kind for kind in KINDS if kind not in ("export", "unfinished"))


# --- out -----------------------------------------------------------------------------------------------------------


def pack(store: Store, entry: Entry) -> bytes:
    """A profile or study and its units as a zip; the same entry always gives the same bytes.

    It says no path of this machine. The profile that a study's allocations looked at goes along where it is here:
    without a profile of its model no page elsewhere can show the study.

    Raises:
        UserError: it is an export or unfinished, or one of its units is missing or damaged.
    """
    kind = entry.kind
    if kind == "export":
        raise UserError(f"{entry.key} is an export: carry its folder {entry.spec.folder} itself")
    if kind == "unfinished":
        raise UserError(f"{entry.key} is not finished: run its other shares first, or copy the cache folder itself")
    return zipped(_files(store, entry) | _files_of_profile(store, entry))


def zipped(files: Files) -> bytes:
    """Files as a zip; the same files always give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)  # dated 1980
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # attributes are those of Unix, wherever it is written
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, data)
    return content.getvalue()


def _files(store: Store, entry: Entry) -> Files:
    """Every file of an entry and its units, by its place in a pack."""
    folders = [entry.path]
    for unit in entry.spec.units:
        folder = store.path(unit)
        if folder is None:
            raise UserError(f"{entry.key} lacks the unit {unit.key}: run it again to fill the gap")
        folders.append(folder)
    return {
        f"{folder.parent.name}/{folder.name}/{name}": data
        for folder in folders
        for name, data in _whole(entry, folder).items()
    }


def _files_of_profile(store: Store, entry: Entry) -> Files:
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


def _whole(entry: Entry, folder: Path) -> Files:
    try:
        files, told = read_folder(folder)
    except Corrupt as error:
        raise UserError(f"{entry.key} cannot be packed, {folder.name} is damaged: run it again to mend it") from error
    files.pop(MARK, None)  # who imports it notes by itself what it came in
    files = files | {"provenance.json": pretty(without_folders(told))}
    return dict(sorted({**files, "manifest.json": pretty(hashes(files))}.items()))


# --- back ----------------------------------------------------------------------------------------------------------


def unpack(store: Store, content: bytes | Path) -> list[Entry]:
    """Put a pack's results into the store; what is there already stays as it is.

    Everything is checked before anything is written: the zip's size, members and their names, every folder's hashes,
    spec and arrays, and that each profile and study has all its units, here or in the store, and that these agree.
    What is written is marked as imported.

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
    views = [entry for entry in found if isinstance(entry.spec, View)]
    if not views:
        raise UserError("the pack holds no profile and no study, so there is nothing to import")
    needed = {spec for view in views for spec in (view.spec, *view.spec.units)}
    for entry in found:
        if entry.spec not in needed:  # nobody could open or delete it
            refuse(entry.path.as_posix(), "belongs to no profile and no study of the pack: leave it out")
    given = {entry.spec: entry.result for entry in found}
    for view in views:
        lengths = {}
        for unit in view.spec.units:
            result = given[unit] if unit in given else store.load(unit)
            if result is None:
                lacks = f"{view.key} lacks its unit {unit.key} in the pack and in the cache"
                raise UserError(f"{lacks}: make the pack again")
            check_unit(f"{KIND_OF[type(unit)]}/{unit.key}", unit, result, lengths)
        check_linears(view.path.as_posix(), view.spec, len(view.provenance.get("linears", ())), lengths)
    packed = hashlib.sha256(content).hexdigest()
    for entry in sorted(found, key=views.__contains__):  # a view never stands before its units
        here = store.get(entry.spec)
        if here is None:
            store.save(entry.spec, entry.result, entry.provenance, [packed])
        elif entry in views and not here.packs:
            store.mark_again(here)
    return list(filter(None, (store.get(view.spec) for view in views)))


def _entry(place: Place, files: Files) -> Entry:
    """An entry, its path `kind/key`, of a folder that is what its name, its spec and its provenance say."""
    kind, key = place
    (form, result_form), name = KINDS[kind], f"{kind}/{key}/spec.json"
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
    for file in sorted(files.keys() - {f"{name}.npy" for name in axes_of(result_form)}):
        refuse(f"{kind}/{key}/{file}", "is no file of such a result")
    try:
        return Entry(Path(kind, key), spec, provenance, decode(files, result_form))
    except Corrupt as error:
        file, _, why = str(error).partition(" ")
        refuse(f"{kind}/{key}/{file}", f"{why}: make the pack again")
