"""Export a pruned model to a folder that is loaded back and compared before it gets its name."""

import gc
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.base import frozen, resolved, several, without_folders
from core.export import compressed_tensors, file_sizes, gguf_file, target
from core.export.card import GGUF, RECIPE, Card, Exported, card_of, card_text, recipe_json, size_words
from core.export.checking import off_plan, reload
from core.export.compressed_tensors import FormatTable
from core.export.target import check_target, space_needed
from core.methods import HALF, QUANT_FORMATS, SPARSIFIERS, Warn, gguf_type, pattern
from core.models import (
    Loaded,
    ProgressTracker,
    Report,
    anatomy,
    checkpoint_tensors,
    emulates_bfloat16,
    save,
    without_layers,
)
from core.models.provenance import provenance, without_project_path
from core.plan import DENSE
from core.prune import by_linear, count_zeros, imatrix, make_exact, prune, restored
from core.requests import COMPRESSED, ExportRequest, ExportSpec, ModelShape, workload
from core.store import Array, Entry, Store, flush, readable, temporary_folder, temporary_path

Step = Callable[[str], None]  # called with the next stage; may raise Cancelled


@frozen
class Contents:
    """Planned contents of the files of an export."""

    planned: Array  # (layers,) or (layers, linears) fraction of zeros
    # (layers, linears) fraction of zeros before pruning: quantised weights have some of their own, which sparse layers
    # may keep beside the planned ones
    before: Array | None = None
    form: str = "dense"  # as `ExportRequest.format` has it
    formats: list | None = None  # format names per linear or per layer, if rounded to few bits
    text: imatrix.Text | None = None  # that the formats of a GGUF file weigh errors by

    def linears(self, shape: tuple[int, ...]) -> FormatTable:
        """Format name of every linear, (layers, linears); names absent from `QUANT_FORMATS` mean not rounded."""
        names = np.array(self.formats or [gguf_type(self.form) or self.form])
        return by_linear(names, shape)


def export(
    loaded: Loaded,
    folder: Path,
    card: Card,
    holds: Contents,
    overwrite: bool = False,
    store: Store | None = None,
    step: Step = lambda _: None,
    ready: Callable[[Exported], None] = lambda _: None,
    warn: Warn = warnings.warn,
) -> Exported:
    """Save a pruned model, load the folder back, compare, and only then give it its name.

    A dense export leaves the model, pruned in place, as it was; other formats set its weights to the values in the
    files. On any failure nothing stays behind, and an earlier export stays where it was.

    Args:
        store: its folder is closed to exports; the export is noted in it while under way.
        ready: called when only the renaming is left.
        warn: called with a sentence where the file cannot be timed.

    Raises:
        UserError: the folder cannot or must not be written, or the model's layers cannot be pruned.
        RuntimeError: the folder does not load back as the model in memory, or the model is not as planned. This is a
            bug; the message says what differed.
    """
    folder = resolved(folder)
    weights, named = anatomy.parameter_counts(loaded.layers), card.recipe.get("pattern")
    planned = np.where(np.isnan(weights), np.nan, by_linear(holds.planned, weights.shape))
    _insist(off_plan(loaded.layers, planned, holds.before, pattern(named) if named else None))
    formats = holds.linears(planned.shape)
    if store:
        target.begin(store, folder)
    with temporary_folder(folder) as temporary:
        step("Writing the pruned model")
        file = _write(loaded, temporary, holds.form, formats, holds.text)
        if formats[0, 0].startswith("int"):
            plan = compressed_tensors.recipe(loaded, formats, card.recipe.get("pruner"))
            (temporary / "llm-compressor.yaml").write_text(plan)
        step("Loading it back and comparing")
        unlike, difference = reload(loaded, temporary, file, holds.form == COMPRESSED)
        _insist(unlike)
        gc.collect()  # the copy's weights are views of the files, and Windows renames no folder with open files
        exported = Exported(
            path=folder, achieved=count_zeros(loaded), planned=planned, difference=difference, dtype=loaded.spec.dtype,
            bytes=sum(path.stat().st_size for path in temporary.iterdir() if path.suffix in (".safetensors", ".gguf")),
            form=holds.form, bits=float(np.nansum(_bits(formats) * weights) / np.nansum(weights)),
            files=tuple(sorted({path.name for path in temporary.iterdir()} | {"README.md", RECIPE})),
            dense_bytes=sum(tensor.nbytes for tensor in checkpoint_tensors(loaded.model).values()),
            linears=tuple(tuple(linear.name for linear in anatomy.prunable_linears(layer)) for layer in loaded.layers),
            weights=weights, speed=file_sizes.timed(temporary / file, warn) if file else None,
        )  # fmt: skip
        (temporary / "README.md").write_text(card_text(card, exported), encoding="utf-8")
        (temporary / RECIPE).write_bytes(recipe_json(card, exported))
        readable(temporary)
        check_target(folder, overwrite, 0, loaded.source.folder, store)  # somebody may have written there meanwhile
        ready(exported)
        _put_in_place(temporary, folder)
    step(f"Exported to {folder}")
    return exported


def _write(loaded: Loaded, folder: Path, form: str, formats: FormatTable, text: imatrix.Text | None) -> str | None:
    """Write the model; return the name of its GGUF file, None for other formats."""
    save(loaded.model, loaded.tokenizer, folder, weights=form == "dense")
    if form == COMPRESSED:
        compressed_tensors.write(loaded, folder, formats)
    if gguf_type(form) is None:
        return None
    gguf_file.write(loaded, folder, formats, text)
    return GGUF


@np.vectorize
def _bits(name: str) -> float:
    """Bits per weight of a format, scales included; those of half precision if not rounded."""
    return QUANT_FORMATS[name].bits_per_weight if name in QUANT_FORMATS else HALF


def in_file(loaded: Loaded, formats: FormatTable, warn: Warn) -> FormatTable:
    """Format names that a file holds, (layers, linears): llama.cpp's fallbacks where super-blocks divide no row.

    Args:
        formats: planned, per layer or per linear.
        warn: called with a sentence for each pair of types.
    """
    stacks, swaps = [anatomy.prunable_linears(layer) for layer in loaded.layers], Counter()
    table = by_linear(formats, (len(stacks), max(map(len, stacks)))).astype(object)
    for (layer, column), name in np.ndenumerate(table):
        if name in QUANT_FORMATS and column < len(stacks[layer]):
            width = stacks[layer][column].weight.shape[1]
            table[layer, column] = QUANT_FORMATS[name].on(width).name
            swaps[name, table[layer, column], width] += 1
    for (name, other, width), count in swaps.items():
        if name != other:
            warn(f"{name} holds no rows of {width}: {several(count, 'linear')} of them became {other}, as in llama.cpp")
    return table


def _insist(wrong: list[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RuntimeError(
            f"nothing was exported, because the model is not what it should be: {'; '.join(wrong[:3])}{more}"
        )


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename durably; an earlier export is deleted once the new folder stands, and restored if renaming fails."""
    flush(*temporary.rglob("*"), temporary)
    former = temporary_path(folder, target.FORMER)
    if earlier := folder.exists():
        folder.rename(former)
    try:
        temporary.rename(folder)
    except OSError:
        if earlier:
            former.rename(folder)
        raise
    flush(folder.parent)
    shutil.rmtree(former, ignore_errors=True)


def run(request: ExportRequest, loaded: Loaded, store: Store, shape: ModelShape, report: Report) -> Entry:
    """Prune by the recipe of the request and write the model to its folder.

    Raises:
        UserError: the folder is in use, the recipe cannot be met, or the study measured other weights.
        Cancelled: the report function said so; nothing is left behind.
    """
    folder = Path(request.folder)
    calibration = {}
    pruned = make_exact(request.setting, request, loaded, store, calibration)
    spec = ExportSpec(model=loaded.spec, pruned=pruned, folder=str(folder), format=request.format)
    finished = target.stands(store, folder)
    if finished and finished.spec == spec:  # made by a run that was killed before it could say so
        return finished
    check_target(folder, request.overwrite, space_needed(shape.parameters, request.dtype), loaded.source.folder, store)
    target.check_format(request.format, loaded.source, store)
    if request.format == COMPRESSED:
        linears = anatomy.parameter_counts(loaded.layers).shape
        compressed_tensors.check(loaded, by_linear(np.array(pruned.formats), linears))
    numbers = file_sizes.measured_numbers(request, store, loaded.spec, pruned)
    takes = workload.treating(shape, request, request.setting, emulates_bfloat16())
    tracker = ProgressTracker(report, sum(takes))
    warnings = []
    before = count_zeros(loaded)

    def record(made):
        """Store the record before the folder gets its name: a record without its folder does no harm."""
        files = [path for each in calibration.values() for path in each.files]
        fields = provenance(loaded, files, store) | {"warnings": warnings, "size": size_words(made)}
        fields |= {name: getattr(made, name) for name in ("bytes", "dense_bytes", "difference", "sparsity", "speed")}
        if made.speed:
            own = file_sizes.own_form(request.setting).name if pruned.formats else gguf_type(request.format)
            file_sizes.keep(made.speed, DENSE if own == "F16" else own, loaded.source, store)
        store.save(spec, None, fields | {"folder": request.folder, "setting": request.setting.name})

    with restored(loaded, outside=request.format != "dense"):
        prune(loaded, pruned, calibration, store, tracker, "", takes, warnings.append)
        label = next((each.label for each in calibration.values()), None)
        model = without_folders(without_project_path(request.model))
        card = card_of(request, loaded.source, model, numbers, spec, label)
        try:
            planned = np.array(pruned.sparsity)
            if pruned.pruner not in SPARSIFIERS:  # rounding plans no zeros, and makes some
                planned, before = planned * (not pruned.formats), np.ones_like(before)
            planned, before = (np.delete(each, pruned.dropped_layers, 0) for each in (planned, before))
            formats = pruned.formats and np.delete(pruned.formats, pruned.dropped_layers, 0)
            with without_layers(loaded.model, pruned.dropped_layers):
                read = pruned.calibration
                read = read and imatrix.Text(label, read.sequences, read.length)
                if pruned.imatrix:
                    read = calibration[pruned.imatrix].text
                if formats is not None:
                    formats = in_file(loaded, formats, warnings.append).tolist()
                holds = Contents(planned, before, request.format, formats, read)
                export(loaded, folder, card, holds, request.overwrite, store, tracker.say, record, warnings.append)
        except BaseException:
            target.end(store, folder)
            raise
    return store.get(spec)
