"""The files of a pack: a zip of plain members `kind/key/file`, read up to a limit whatever its headers say."""

from __future__ import annotations

import io
import json
import re
import stat
import zipfile
import zlib
from typing import Any, NoReturn

from core.base.errors import UserError
from core.base.escape import UNSEEN, brief
from core.store.files import hashes

LIMIT = 256 * 2**20  # bytes, of a zip and of its content
JSON_LIMIT = 8 * 2**20  # bytes of one JSON file
MEMBERS = 20_000

MEMBER = re.compile(r"([a-z]+)/([0-9a-f]{16})/([a-z0-9_]+\.(?:json|npy))")
HEADER_IN_DIRECTORY = b"PK\x01\x02"
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags

Files = dict[str, bytes]
Place = tuple[str, str]  # kind, key


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


def folders(content: bytes, kinds: tuple[str, ...]) -> dict[Place, Files]:
    """Kind and key -> the files of a folder except its manifest, each equal to its hash there.

    Raises:
        UserError: the first thing that was wrong.
    """
    found: dict[Place, Files] = {}
    for name, data in _members(content, kinds).items():
        kind, key, file = name.split("/")
        if file.endswith(".json") and len(data) > JSON_LIMIT:
            refuse(name, f"is larger than {JSON_LIMIT / 2**20:.4g} MB: no JSON file of a result is")
        found.setdefault((kind, key), {})[file] = data
    for place, files in found.items():
        _check_manifest("/".join(place), files, files.pop("manifest.json", None))
    return found


def _members(content: bytes, kinds: tuple[str, ...]) -> Files:
    if len(content) > LIMIT:
        raise UserError(f"the pack is larger than {LIMIT / 2**20:.4g} MB: no pack of this program is")
    if content.count(HEADER_IN_DIRECTORY) > MEMBERS:  # before zipfile makes an object of each
        raise UserError(f"the pack has more than {MEMBERS} members: no pack of this program has")
    found: Files = {}
    left = LIMIT
    member = "its directory"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                member = brief(info.orig_filename)
                _check_member(info, found, kinds)
                with archive.open(info) as file:
                    data = file.read(left + 1)
                left -= len(data)
                if left < 0:
                    raise UserError(f"{member} takes the pack over {LIMIT / 2**20:.4g} MB unpacked: that is no result")
                found[info.orig_filename] = data
    # zipfile raises these for a damaged or strange archive: ValueError and OSError for odd offsets, RuntimeError for an
    # encrypted member, NotImplementedError for another compression
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"the pack is not a whole zip file, {member} cannot be read: copy it again") from error
    return found


def _check_member(info: zipfile.ZipInfo, found: Files, kinds: tuple[str, ...]) -> None:
    """Reject duplicate and irregular members."""
    name = info.orig_filename  # as it stands in the file; zipfile changes slashes and cuts at NUL
    parts = MEMBER.fullmatch(name)
    if not parts or parts[1] not in kinds:
        refuse(name, f"is no place for a result: members are kind/key/file, of the kinds {', '.join(kinds)}")
    if name in found:
        refuse(name, "is in the pack twice: each file may be there once")
    plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG) and not info.flag_bits & ENCRYPTED
    if not plain or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refuse(name, "is a link, a folder, encrypted or no deflated file: make the pack with `runs export`")


def _check_manifest(folder: str, files: Files, content: bytes | None) -> None:
    """Reject a folder whose files are not those of its manifest."""
    manifest, found = json_object(f"{folder}/manifest.json", content), hashes(files)
    for file in sorted(found.keys() | manifest.keys()):
        if found.get(file) != manifest.get(file):
            refuse(f"{folder}/{file}", "is missing, or not what its folder's manifest says: make the pack again")


def json_object(name: str, content: bytes | None) -> dict[str, Any]:
    """The JSON object in a member; None stands for one that is missing.

    Raises:
        UserError: it is none, or holds signs that cannot be seen.
    """
    if content is None:
        refuse(name, "is missing: make the pack again with `runs export`")
    try:
        found = json.loads(content)
        words = json.dumps(found, ensure_ascii=False).replace(r"\\", "")  # what is left of backslashes escapes a sign
    except (ValueError, RecursionError):
        found, words = None, ""
    if not isinstance(found, dict):
        refuse(name, "is not a JSON object: make the pack again with `runs export`")
    if UNSEEN.search(words) or re.search(r"\\[bfu]", words):
        refuse(name, "holds signs that cannot be seen and steer what is: make the pack again with `runs export`")
    return found


def refuse(name: str, why: str) -> NoReturn:
    """Refuse a member of a pack.

    Raises:
        UserError: always.
    """
    raise UserError(f"{brief(name)} {why}")
