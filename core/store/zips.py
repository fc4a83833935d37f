"""The members of a stranger's zip: plain files at known places, read up to a limit whatever the headers say."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from typing import NoReturn

from core.base.errors import UserError

LIMIT = 256 * 2**20  # bytes, of a zip and of what is in it
MEMBERS = 20_000

MEMBER = re.compile(r"([a-z]+)/([0-9a-f]{16})/([a-z0-9_]+\.(?:json|npy))")
HEADER_IN_DIRECTORY = b"PK\x01\x02"
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags


def zipped(files: dict[str, bytes]) -> bytes:
    """Files as a zip; the same files always give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)  # dated 1980
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # the attributes are those of Unix, wherever it is written
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, data)
    return content.getvalue()


def members(content: bytes, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """Every member of a zip by its name, `kind/key/file`.

    Raises:
        UserError: the first thing that was wrong.
    """
    if len(content) > LIMIT:
        raise UserError(f"the pack is larger than {megabytes(LIMIT)}: no pack of this program is")
    if content.count(HEADER_IN_DIRECTORY) > MEMBERS:  # before zipfile makes an object of each
        raise UserError(f"the pack has more than {MEMBERS} members: no pack of this program has")
    found: dict[str, bytes] = {}
    left = LIMIT
    member = "its directory"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                member = shown(info.orig_filename)
                _check(info, found, kinds)
                with archive.open(info) as file:
                    data = file.read(left + 1)
                left -= len(data)
                if left < 0:
                    raise UserError(f"{member} takes the pack over {megabytes(LIMIT)} unpacked: that is no result")
                found[info.orig_filename] = data
    # zipfile says of a damaged or strange archive: ValueError and OSError of odd offsets, RuntimeError of an encrypted
    # member, NotImplementedError of another compression; nothing but the archive is touched inside
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"the pack is not a whole zip file, {member} cannot be read: copy it again") from error
    return found


def _check(info: zipfile.ZipInfo, found: dict[str, bytes], kinds: tuple[str, ...]) -> None:
    """Refuse whatever is not a plain file at `kind/key/file`, once."""
    name = info.orig_filename  # as it stands in the file; zipfile changes slashes and cuts at NUL
    parts = MEMBER.fullmatch(name)
    if name.endswith(".parquet"):
        refuse(name, "was packed by an earlier version of this program: export the result again with this version")
    if not parts:
        refuse(name, "is no place for a result: members are called kind/key/file, the key in 16 hex digits")
    if parts[1] not in kinds:
        refuse(name, f"is of an unknown kind: known are {', '.join(kinds)}")
    if name in found:
        refuse(name, "is in the pack twice: each file may be there once")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
        refuse(name, "is a link or a folder: only plain files may be in a pack")
    if info.flag_bits & ENCRYPTED:
        refuse(name, "is encrypted: make the pack without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refuse(name, "is compressed in another way than deflate: make the pack with `runs export`")


def refuse(name: str, why: str) -> NoReturn:
    """Refuse a member of a pack.

    Raises:
        UserError: always.
    """
    raise UserError(f"{shown(name)} {why}")


def shown(name: str) -> str:
    """A text that somebody else chose, fit to be printed."""
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:76]}...'"


def megabytes(limit: int) -> str:
    """A limit in bytes, as it is said."""
    return f"{limit / 2**20:.4g} MB"
