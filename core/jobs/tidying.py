"""What a start clears away: whatever processes that were killed left of their work."""

from __future__ import annotations

import logging
from pathlib import Path

from core.ask.requests import ExportSpec
from core.export import journal
from core.store import access, deleting
from core.store.cache import Entry, Store


def settle(store: Store, entry: Entry) -> None:
    """Forget what was noted in case that a run which is done now were killed."""
    if isinstance(entry.spec, ExportSpec):
        journal.end(store, Path(entry.spec.folder))


def tidy(store: Store) -> None:
    """Sweep a cache that may be written: copies of models beside the targets of exports first, the largest."""
    if access.is_read_only():
        return
    try:
        journal.sweep(store)
        deleting.sweep(store)
    except OSError as error:  # it can be read all the same
        logging.getLogger(__name__).warning("Not all that was left over could be cleared away: %s", error)
