"""Target folders of exports: refusals before any work is done, and notes of exports under way.

A note stays in the cache until its run is done, so a killed export leaves no copy of a model behind, and a folder
that it had finished is recognised.
"""

import os
import shutil
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from core.base import UserError, access, brief, digest, json_value, resolved
from core.export.card import RECIPE
from core.methods import QUANT_FORMATS, gguf_type, insist_on_ggml
from core.models import BYTES, NUMBERED, NotHere, Source, count_numbers, locate, read_shape, tensor_shapes
from core.plan import check_bytes
from core.requests import COMPRESSED, BestRequest, ExportRequest, export_format
from core.store import HOME, Entry, Store, abandoned, read_note, temporary_path, write_note

BESIDE_WEIGHTS = 50_000_000  # bytes kept for tokenizer, card and headers


FAMILIES = {  # with GGUF files: name in transformers -> name in llama.cpp
    "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2",
    "gemma3_text": "gemma3",
}  # fmt: skip


DENSELY_PACKED = 0, 18  # release of compressed-tensors from which 3, 5, 6 and 7 bits lie densely, as vLLM reads them


def gguf_family(name: object) -> str:
    """Name of a model family in GGUF files.

    Raises:
        UserError: the family has none.
    """
    if name not in FAMILIES:
        raise UserError(f"no GGUF file is written of {brief(name)}: known families are {', '.join(FAMILIES)}")
    return FAMILIES[name]


def check_format(form: str, source: Source, store: Store) -> None:
    """Refuse a format that a model cannot be written in, from its files' headers.

    Raises:
        UserError: GGUF lacks its family, the inputs of a linear make no whole groups of the type, or a package that
            writes the format is missing.
    """
    if form == COMPRESSED and (
        find_spec("compressed_tensors") is None or tuple(map(int, version(form).split(".")[:2])) < DENSELY_PACKED
    ):
        raise UserError(
            f"the package {form} writes this format from 0.18 on, and is missing: run `pip install -U {form}`"
        )
    named = gguf_type(form)
    if named is not None and not source.gguf:
        gguf_family(json_value(source.folder / "config.json", "settings file").get("model_type"))
    if named not in QUANT_FORMATS:
        return
    if QUANT_FORMATS[named].by_ggml:
        insist_on_ggml()
    for path in source.weights:
        for name, shape in tensor_shapes(path, store).items():
            if len(shape) == 2 and NUMBERED.match(name):
                width = shape[0 if source.gguf else 1]
                QUANT_FORMATS[named].on(width).check_width(width)


class HoldsExport(UserError):
    """Raised if the folder holds an earlier export, which `overwrite` would replace."""


def space_needed(parameters: int, dtype: str) -> int:
    """Bytes of free disk space that an export of so many parameters requires."""
    return parameters * BYTES[dtype] + BESIDE_WEIGHTS


def check_target(
    folder: Path, overwrite: bool, needed: int = 0, source: Path | None = None, store: Store | None = None
) -> None:
    """Refuse a folder that an export must not or cannot write to.

    Args:
        overwrite: True to replace an earlier export. Anything else is never replaced.
        needed: bytes, from `space_needed`.
        source: folder of the model to prune.
        store: its folder is closed to exports, like the project's own cache.

    Raises:
        UserError: it is a file, the pruned model itself, inside the cache, below a folder that is missing or read-only,
            on a full disk, an earlier export while `overwrite` is False, holds anything that no export wrote, or its
            name is too long.
    """
    folder = resolved(access.inside(folder))
    if overwrite and access.is_shared():
        raise access.Refused("an export on a shared server replaces no other: choose a new folder")
    if source is not None and folder == source.resolve():
        raise UserError(f"{folder} holds the model that is pruned: choose another folder for the export")
    for cache in (HOME.resolve(), (store or Store()).root.resolve()):
        if folder.is_relative_to(cache):
            raise UserError(f"{folder} is inside the cache {cache}: choose a folder outside it")
    if folder.exists():
        _check_existing(folder, overwrite)
    parent = folder.parent
    if not parent.is_dir():
        raise UserError(f"there is no folder {parent}: create it first, or choose another")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{parent} cannot be written to: choose another folder")
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UserError(
            f"{parent} has {free:,} bytes free where the export needs {needed:,}: make room, or choose another folder"
        )
    try:
        resolved(temporary_path(folder, FORMER))
    except UserError as error:
        raise UserError(
            f"the folder name {brief(folder.name)} is too long for an export, which has a longer one while it is "
            "written: choose a shorter one"
        ) from error


def check_search(request: BestRequest, store: Store) -> None:
    """Refuse a size that no setting meets, and what `check_early` refuses of the folder of a search.

    Raises:
        UserError: as `check_bytes` and `check_early`.
    """
    with suppress(NotHere):
        check_bytes(request, count_numbers(locate(request.model, store, request.revision, fetch=False), store))
    if request.folder:
        check_early(request, store)


def check_early(request: ExportRequest | BestRequest, store: Store) -> None:
    """Run `check_target` and `check_format` before the model is loaded, from its files on this machine.

    Raises:
        UserError: as these; or there is no such model.
    """
    folder = Path(request.folder)
    if stands(store, folder):  # a killed export finished it
        return
    try:
        source = locate(request.model, store, request.revision, fetch=False)
    except NotHere:
        return check_target(folder, request.overwrite, store=store)
    form = request.format if isinstance(request, ExportRequest) else export_format(request.treatments[0])
    check_format(form, source, store)
    count = read_shape(source, store).parameters
    check_target(folder, request.overwrite, space_needed(count, request.dtype), source.folder, store)


def _check_existing(folder: Path, overwrite: bool) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: give a folder for the export")
    there = sorted(path.name for path in folder.iterdir())
    try:  # files of an earlier export, by its own record
        written = set(json_value(folder / RECIPE, "settings file")["files"]) if "config.json" in there else ()
    except (UserError, KeyError, TypeError):
        written = ()
    foreign = [name for name in there if name not in written]
    if foreign:
        raise UserError(
            f"{folder} holds files that no export wrote, {foreign[0]} among them, and is never replaced: "
            "choose another folder"
        )
    if there and not overwrite:
        raise HoldsExport(f"{folder} holds an earlier export: choose another folder, or allow it to be overwritten")


# --- exports under way ---------------------------------------------------------------------------------------------

FORMER = "former"  # in the temporary name of an export that is being replaced


def begin(store: Store, folder: Path) -> None:
    """Note that an export to a folder is under way."""
    write_note(_note(store, folder), {"folder": str(folder)})


def end(store: Store, folder: Path) -> None:
    """Drop the note: the run is done, or the export failed."""
    _note(store, folder).unlink(missing_ok=True)


def stands(store: Store, folder: Path) -> Entry | None:
    """Record of a folder that a killed export had finished, or None."""
    if not _note(store, folder).is_file():
        return None
    try:
        key = json_value(folder / RECIPE, "settings file")["key"]
    except (UserError, KeyError, TypeError):  # never finished, or deleted since
        return None
    return next((each for each in store.entries("export") if each.key == key), None)


def sweep(store: Store) -> None:
    """Delete copies that killed exports left beside their targets, and drop notes of targets that do not exist."""
    for path in sorted(store.root.glob("exporting/[!.]*.json")):
        note = read_note(path)
        folder = Path(note["folder"]) if note else None
        for copy in abandoned(folder.parent, folder.name) if folder else ():
            if copy.name.rpartition("-")[2].startswith(FORMER) and not folder.exists():
                copy.rename(folder)
            else:
                shutil.rmtree(copy, ignore_errors=True)
        if not folder or not (stands(store, folder) or any(folder.parent.glob(f".{folder.name}-*"))):
            path.unlink(missing_ok=True)


def _note(store: Store, folder: Path) -> Path:
    return store.root / "exporting" / f"{digest(str(resolved(folder)))[:16]}.json"
