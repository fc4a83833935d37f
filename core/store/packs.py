"""A result as one file that can be carried to another machine, and the way back.

A pack is a zip of folders as the store writes them: `kind/key/file`. On the way back it is a stranger's file: all of it
is checked in memory before anything is written, and what it holds is read as JSON and Parquet, never executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.specs.base import Spec, key_of
from core.specs.errors import UserError
from core.store.cache import KINDS, VIEW_KINDS, Entry, Store, named
from core.store.files import Corrupt, verified, write_folder
from core.store.inspection import check_tables, refuse, shown

LIMIT = 256 * 2**20  # bytes, of a pack and of what is in it
MEMBERS = 20_000
JSON_LIMIT = 8 * 2**20  # bytes of one JSON file

KINDS_THAT_TRAVEL = tuple(kind for kind in KINDS if kind != "export")  # an export is a folder of the machine it is on
MEMBER = re.compile(r"([a-z]+)/([0-9a-f]{16})/([a-z0-9-]+\.(?:json|parquet))")
HEADER_IN_DIRECTORY = b"PK\x01\x02"
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags
WORDS = ("spec.json", "provenance.json")

Place = tuple[str, str]  # kind, key
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # nothing that steers a terminal


class Told(BaseModel):
    """Provenance as far as pages and the command line rely on it; what else is told is free."""

    model_config = ConfigDict(extra="allow")

    model: Line = ""
    text: Line = ""
    device: Line = ""
    dtype: Line = ""
    created: Line = ""
    engine: Line = ""
    setting: Line = ""
    seconds: float | dict[str, float] = 0.0
    linears: tuple[Line, ...] = ()
    warnings: tuple[Line, ...] = ()
    broken: int | None = None


# --- out -----------------------------------------------------------------------------------------------------------


def pack(store: Store, entry: Entry) -> bytes:
    """A profile or study and its units as a zip; the same entry always gives the same bytes.

    The profile that a study's allocations looked at goes along where it is here: without a profile of its model no page
    elsewhere can show the study.

    Raises:
        UserError: it is an export, or one of its units is missing or damaged.
    """
    if entry.path.parent.name not in KINDS_THAT_TRAVEL:
        raise UserError(f"{entry.key} is an export: carry its folder {entry.spec.folder} itself")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in (_files(store, entry) | _files_of_profile(store, entry)).items():
            archive.writestr(_member(name), data)
    return content.getvalue()


def _files(store: Store, entry: Entry) -> dict[str, bytes]:
    """Every file of an entry and its units, by its place in a pack."""
    folders = [entry.path, *(_unit_folder(store, entry, unit) for unit in entry.spec.units)]
    return {
        f"{folder.parent.name}/{folder.name}/{name}": data
        for folder in folders
        for name, data in _whole(entry, folder).items()
    }


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


def _unit_folder(store: Store, entry: Entry, unit: Spec) -> Path:
    folder = store.path(unit)
    if folder is None:
        raise UserError(f"{entry.key} lacks the unit {unit.key}: run it again to fill the gap")
    return folder


def _whole(entry: Entry, folder: Path) -> dict[str, bytes]:
    try:
        files = verified(folder)
        return dict(sorted({**files, "manifest.json": (folder / "manifest.json").read_bytes()}.items()))
    except (Corrupt, OSError) as error:
        raise UserError(f"{entry.key} cannot be packed, {folder.name} is damaged: run it again to mend it") from error


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)  # dated 1980, so that the same entry gives the same bytes
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system = 3  # the attributes are those of Unix, wherever it is written
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    return member


# --- back ----------------------------------------------------------------------------------------------------------


def unpack(store: Store, content: bytes | Path) -> list[Entry]:
    """Put a pack's results into the store; what is there already stays as it is.

    Everything is checked before anything is written: the zip's size, members and their names, every folder's hashes,
    spec and tables, and that each profile and study has all its units, here or in the store.

    Returns:
        The pack's profiles and studies, as they now are in the store.

    Raises:
        UserError: the first thing that was wrong, with the member's name.
    """
    folders = _folders(_members(_read(content)))
    found = {place: _spec(place, files) for place, files in folders.items()}
    for (kind, key), files in folders.items():
        tables = {file: data for file, data in files.items() if file not in WORDS}
        check_tables(f"{kind}/{key}", tables, KINDS[kind][1])
    _check_complete(store, found)
    for place in sorted(found, key=lambda each: each[0] in VIEW_KINDS):  # a view never stands before its units
        _write(store, place, found[place], folders[place])
    paths = [store.path(spec) for (kind, _), spec in found.items() if kind in VIEW_KINDS]
    return [entry for entry in map(store.entry, paths) if entry]


def _write(store: Store, place: Place, spec: Spec, files: dict[str, bytes]) -> None:
    path = store.path(spec)
    if path is not None:
        try:
            named(path)
            return
        except Corrupt as broken:
            store.set_aside(path, broken)
    kind, key = place
    write_folder(store.root / kind / key, files)


# --- the zip -------------------------------------------------------------------------------------------------------


def _read(content: bytes | Path) -> bytes:
    if isinstance(content, Path):
        if not content.is_file():
            raise UserError(f"there is no file {content}: name a pack, as in absorption.zip")
        with content.open("rb") as file:
            content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise UserError(f"the pack is larger than {_megabytes(LIMIT)}: no pack of this program is")
    return content


def _members(content: bytes) -> dict[str, bytes]:
    """Every member of a zip by its name, read up to the limit whatever the headers say."""
    if content.count(HEADER_IN_DIRECTORY) > MEMBERS:  # before zipfile makes an object of each
        raise UserError(f"the pack has more than {MEMBERS} members: no pack of this program has")
    found: dict[str, bytes] = {}
    left = LIMIT
    member = "its directory"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                member = shown(info.orig_filename)
                _check_member(info, found)
                with archive.open(info) as file:
                    data = file.read(left + 1)
                left -= len(data)
                if left < 0:
                    raise UserError(f"{member} takes the pack over {_megabytes(LIMIT)} unpacked: that is no result")
                found[info.orig_filename] = data
    # zipfile says of a damaged or strange archive: ValueError and OSError of odd offsets, RuntimeError of an encrypted
    # member, NotImplementedError of another compression; nothing but the archive is touched inside
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"the pack is not a whole zip file, {member} cannot be read: copy it again") from error
    return found


def _check_member(info: zipfile.ZipInfo, found: dict[str, bytes]) -> None:
    """Refuse whatever is not a plain file at `kind/key/file`, once."""
    name = info.orig_filename  # as it stands in the file; zipfile changes slashes and cuts at NUL
    parts = MEMBER.fullmatch(name)
    if not parts:
        refuse(name, "is no place for a result: members are called kind/key/file, the key in 16 hex digits")
    if parts[1] not in KINDS_THAT_TRAVEL:
        refuse(name, f"is of an unknown kind: known are {', '.join(KINDS_THAT_TRAVEL)}")
    if name in found:
        refuse(name, "is in the pack twice: each file may be there once")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
        refuse(name, "is a link or a folder: only plain files may be in a pack")
    if info.flag_bits & ENCRYPTED:
        refuse(name, "is encrypted: make the pack without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refuse(name, "is compressed in another way than deflate: make the pack with `runs export`")


# --- the folders ---------------------------------------------------------------------------------------------------


def _folders(members: dict[str, bytes]) -> dict[Place, dict[str, bytes]]:
    """Kind and key -> the files of the folder but its manifest, each equal to its hash there."""
    folders: dict[Place, dict[str, bytes]] = {}
    for name, data in members.items():
        kind, key, file = name.split("/")
        if file.endswith(".json") and len(data) > JSON_LIMIT:
            refuse(name, f"is larger than {_megabytes(JSON_LIMIT)}: no JSON file of a result is")
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
    for file, data in files.items():
        if hashlib.sha256(data).hexdigest() != manifest[file]:
            refuse(f"{folder}/{file}", "is not what was written, its hash differs: copy or make the pack again")
    return files


def _spec(place: Place, files: dict[str, bytes]) -> Spec:
    """What a folder says it answers, which must hash to its name."""
    kind, key = place
    form = KINDS[kind][0]
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
    try:
        Told.model_validate_json(files["provenance.json"])
    except ValidationError:
        refuse(f"{kind}/{key}/provenance.json", "does not tell what provenance tells: make the pack again")
    return spec


def _json(name: str, data: bytes) -> dict:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        refuse(name, "is not a JSON object: make the pack again with `runs export`")
    return found


def _check_complete(store: Store, found: dict[Place, Spec]) -> None:
    """Every view has its units and every unit its view, or it could neither be opened nor deleted."""
    views = [spec for (kind, _), spec in found.items() if kind in VIEW_KINDS]
    if not views:
        raise UserError("the pack holds no profile and no study, so there is nothing to import")
    given = {key for _, key in found}
    needed = {view.key for view in views}
    for view in views:
        for unit in view.units:
            needed.add(unit.key)
            if unit.key not in given and store.path(unit) is None:
                raise UserError(
                    f"{view.key} lacks its unit {unit.key} in the pack and in the cache: make the pack again"
                )
    for kind, key in found:
        if key not in needed:
            refuse(f"{kind}/{key}", "belongs to no profile and no study of the pack: leave it out")


def _megabytes(limit: int) -> str:
    return f"{limit / 2**20:.4g} MB"
