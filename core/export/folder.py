"""From a pruned model in memory to a folder that was loaded back before it got its name."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.base.paths import resolved
from core.export import journal
from core.export.card import RECIPE, Card, Exported, card_text, recipe_json
from core.export.checking import Reloaded, count, has_pattern, off_plan, reload
from core.export.target import check_target, space_needed
from core.kinds.patterns import pattern
from core.models.layer_files import save
from core.models.loading import Loaded
from core.models.placement import stored
from core.store.cache import Store
from core.store.files import pretty, readable, temporary_path, temporary_prefix
from core.store.results import Array

Step = Callable[[str], None]  # told what happens next; may raise Cancelled


def export(
    loaded: Loaded,
    folder: Path,
    card: Card,
    planned: Array,
    overwrite: bool = False,
    step: Step = lambda _: None,
    before: Array | None = None,
    store: Store | None = None,
    ready: Callable[[Exported], None] = lambda _: None,
) -> Exported:
    """Save a pruned model, load the folder back, compare, and only then give it its name.

    The model, pruned in place by the caller, is left as it was. Whatever goes wrong, nothing stays behind, and an
    earlier export stays where it was.

    Args:
        planned: (layers,) or (layers, linears) fraction of zeros.
        before: (layers, linears) fraction of zeros before pruning, `count(loaded.layers).sparsity`. Quantised weights
            have some of their own, which sparse layers may keep beside the planned ones. None: there were none.
        store: whose folder is closed to exports, and where it is noted that one is under way.
        ready: is called when the folder only has to get its name.

    Raises:
        UserError: the folder cannot or must not be written, or the model's layers cannot be pruned.
        RuntimeError: the folder does not load back as the model in memory, or that is not what was planned. It is
            a bug; the message says what differed.
    """
    folder = resolved(folder)
    pretty(card.recipe)  # raises on what is no JSON before any work is done
    check_target(folder, overwrite, _space(loaded), loaded.source.folder, store)
    counted = count(loaded.layers)
    planned = np.where(np.isnan(counted.weights), np.nan, planned if planned.ndim == 2 else planned[:, None])
    _insist(off_plan(counted, loaded.layers, planned, before) + _off_pattern(loaded, card, planned))
    if store:
        journal.begin(store, folder)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(folder.name), dir=folder.parent))
    try:
        step("Writing the pruned model")
        save(loaded.model, loaded.layers, loaded.tokenizer, temporary)
        step("Loading it back and comparing")
        back = reload(loaded, temporary)
        _insist(back.differences)
        gc.collect()  # the copy's weights are views of the files, and Windows renames no folder with open files
        exported = _exported(loaded, folder, temporary, planned, back)
        (temporary / "README.md").write_text(card_text(card, exported), encoding="utf-8")
        (temporary / RECIPE).write_bytes(recipe_json(card, exported))
        readable(temporary)
        check_target(folder, overwrite, 0, loaded.source.folder, store)  # somebody may have written there meanwhile
        ready(exported)
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    step(f"Exported to {folder}")
    return exported


def _insist(wrong: list[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RuntimeError(
            f"nothing was exported, because the model is not what it should be: {'; '.join(wrong[:3])}{more}"
        )


def _off_pattern(loaded: Loaded, card: Card, planned: Array) -> list[str]:
    """What a recipe's N:M pattern does not hold for; linears left dense are free of it."""
    if not card.recipe.get("pattern"):
        return []
    asked = pattern(card.recipe["pattern"])
    broken = int((~has_pattern(loaded.layers, asked) & (planned > 0)).sum())
    return [f"{broken} linears are not in the pattern {asked.name}"] if broken else []


def _space(loaded: Loaded) -> int:
    return space_needed(sum(tensor.numel() for tensor in stored(loaded.model).values()), loaded.spec.dtype)


def _exported(loaded: Loaded, folder: Path, temporary: Path, planned: Array, back: Reloaded) -> Exported:
    gguf = loaded.source.folder / loaded.source.gguf if loaded.source.gguf else None
    return Exported(
        path=folder,
        bytes=sum(path.stat().st_size for path in temporary.glob("*.safetensors")),
        files=tuple(sorted({path.name for path in temporary.iterdir()} | {"README.md", RECIPE})),
        achieved=back.counted.sparsity,
        difference=back.difference,
        dense_bytes=sum(tensor.numel() * tensor.element_size() for tensor in stored(loaded.model).values()),
        linears=back.counted.linears,
        weights=back.counted.weights,
        planned=planned,
        dtype=loaded.spec.dtype,
        two_of_four=back.two_of_four,
        gguf_bytes=gguf.stat().st_size if gguf else None,
    )


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename; what lay there before is deleted once the new folder stands, and comes back if it cannot."""
    if not folder.exists():
        temporary.rename(folder)
        return
    former = temporary_path(folder, journal.FORMER)
    folder.rename(former)
    try:
        temporary.rename(folder)
    except OSError:
        former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)
