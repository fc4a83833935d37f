"""Checks of a stranger's pack: a zip of plain members `kind/key/file`, and units of a view that fit together."""

import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from core.base import INVISIBLE, Fields, Spec, UserError, View, brief
from core.methods.owl import OUTLIER_THRESHOLDS
from core.requests import ProfileSpec, ZeroShotSpec
from core.store.files import Files, hashes
from core.store.results import Array, axes_of

# --- files, read up to a limit whatever their headers say ----------------------------------------------------------

LIMIT = 256 * 2**20  # bytes, of a zip and of its content
JSON_LIMIT = 8 * 2**20  # bytes of one JSON file
MEMBERS = 20_000

ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags

Names = tuple[str, ...]
Place = tuple[str, str]  # kind, key


def folders(content: bytes, kinds: Names) -> dict[Place, Files]:
    """Kind and key -> the files of a folder except its manifest, each equal to its hash there.

    Raises:
        UserError: the first thing that was wrong.
    """
    found = {}
    for name, data in _members(content, kinds).items():
        kind, key, file = name.split("/")
        if file.endswith(".json") and len(data) > JSON_LIMIT:
            refuse(name, f"is larger than {JSON_LIMIT / 2**20:.4g} MB: no JSON file of a result is")
        found.setdefault((kind, key), {})[file] = data
    for place, files in found.items():
        folder = "/".join(place)
        manifest, own = json_object(f"{folder}/manifest.json", files.pop("manifest.json", None)), hashes(files)
        for file in sorted(own.keys() | manifest.keys()):
            if own.get(file) != manifest.get(file):
                refuse(f"{folder}/{file}", "is missing, or not what its folder's manifest says: make the pack again")
    return found


def _members(content: bytes, kinds: Names) -> Files:
    if len(content) > LIMIT:
        raise UserError(f"the pack is larger than {LIMIT / 2**20:.4g} MB: no pack of this program is")
    if content.count(b"PK\x01\x02") > MEMBERS:  # headers in its directory, before zipfile makes an object of each
        raise UserError(f"the pack has more than {MEMBERS} members: no pack of this program has")
    found = {}
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


def _check_member(info: zipfile.ZipInfo, found: Files, kinds: Names) -> None:
    """Reject duplicate and irregular members."""
    name = info.orig_filename  # as it stands in the file; zipfile changes slashes and cuts at NUL
    parts = re.fullmatch(r"([a-z]+)/([0-9a-f]{16})/([a-z0-9_]+\.(?:json|npy))", name)
    if not parts or parts[1] not in kinds:
        refuse(name, f"is no place for a result: members are kind/key/file, of the kinds {', '.join(kinds)}")
    if name in found:
        refuse(name, "is in the pack twice: each file may be there once")
    plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG) and not info.flag_bits & ENCRYPTED
    if not plain or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refuse(name, "is a link, a folder, encrypted or no deflated file: make the pack with `runs export`")


def json_object(name: str, content: bytes | None) -> Fields:
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
    if INVISIBLE.search(words) or re.search(r"\\[bfu]", words):
        refuse(name, "holds signs that cannot be seen and steer what is: make the pack again with `runs export`")
    return found


def refuse(name: str, why: str) -> NoReturn:
    """Refuse a member of a pack.

    Raises:
        UserError: always.
    """
    raise UserError(f"{brief(name)} {why}")


# --- results -------------------------------------------------------------------------------------------------------

NO_NUMBER = {"ratio", "ratio_q25", "ratio_q50", "ratio_q75", "orthogonal"}  # where a perturbation changed nothing
SHORT_SPECTRUM = {"alpha_hill", "alpha_peak"}  # no exponent of a linear whose rank is too small
UNASKED = {"acc_norm"}  # of a task without it
COUNTED = {"zeros", "parameters"}  # numbers whatever pruning or half precision breaks
FRACTIONS = {"flips", "agreement", "zeros", "acc"}

Lengths = dict[object, tuple[int, str]]  # axis, of a task with the task -> its length, and the unit that has it


def check_unit(place: str, unit: Spec, result: object, known: Lengths) -> None:
    """Check one unit against its spec and against the units before it, whose lengths it adds to.

    Args:
        place: `kind/key`, for the refusal.

    Raises:
        UserError: an axis of another length, a number that is none, or one that cannot be.
    """

    def check_length(axis, length):
        if axis in ("sequence", "window"):
            wanted, where = unit.text.sequences, "its spec"
        elif axis == "threshold":
            wanted, where = len(OUTLIER_THRESHOLDS), "every result"
        else:
            wanted, where = known.setdefault((axis, unit.task) if axis == "example" else axis, (length, place))
        if length != wanted or not length:
            refuse(place, f"has the length {length} along the axis {axis}, where {where} has {wanted}")
        if isinstance(unit, ZeroShotSpec) and axis == "example" and length > (unit.task.examples or length):
            refuse(place, f"answers {length} examples where its spec asks {unit.task.examples}")

    for name, axes in axes_of(type(result)).items():
        array, file = getattr(result, name), f"{place}/{name}.npy"
        for axis, length in zip(axes, array.shape, strict=True):
            check_length({"injection": "layer", "read": "layer"}.get(axis, axis), length)  # axes as long as another
        if name in FRACTIONS and np.any((array < 0) | (array > 1)):
            refuse(file, "holds a number outside 0 and 1, where only fractions may be")
        if name == "parameters" and np.any(array < 1):
            refuse(file, "holds a number below 1, where linears are counted")
        if not all(_sound(unit, name, axes, array)):
            refuse(file, "holds NaN or infinity where every result has a number")
    pruned = getattr(unit, "pruned", None)
    if pruned is not None:
        for axis, length in zip(("layer", "linear"), np.shape(pruned.sparsity), strict=False):
            check_length(axis, length)


def check_linears(place: str, view: View, named: int, known: Lengths) -> None:
    """Check that a profile whose layers can be pruned names its linears, as many as a layer has at most.

    Raises:
        UserError: it names none, or more.
    """
    if isinstance(view, ProfileSpec) and view.prunable and not 0 < named <= known["linear"][0]:
        refuse(f"{place}/provenance.json", f"names {named} linears where a layer has {known['linear'][0]}")


def _sound(unit: Spec, name: str, axes: Names, array: Array) -> Iterator[bool]:
    """True for each kind of hole in an array that the program leaves itself, else False."""
    if axes[:2] == ("injection", "read"):  # below the diagonal nothing is read
        array = array[np.triu_indices(len(array))]
    nothing = np.isnan(array)
    if "linear" in axes:  # a layer may have fewer linears than another, but has one
        yield name in SHORT_SPECTRUM or not nothing.all(axis=1).any()
        array = array[~nothing]
    if name in NO_NUMBER | SHORT_SPECTRUM | UNASKED:
        array = array[~np.isnan(array)]
    if name == "log_drift":  # where a perturbation changed nothing
        array = array[array != -np.inf]
    broke = unit.model.dtype != "float32" or getattr(unit, "pruned", None) is not None  # noise or pruning overflows
    yield (broke and name not in COUNTED) or np.isfinite(array).all()
